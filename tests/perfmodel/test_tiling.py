"""Counts of the best tile: by hand where the choice is forced, by bounds everywhere, by preference where it matters."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfmodel import InputError, Problem
from perfmodel.kernel import KernelParameters
from perfmodel.tiling import Counts, best_counts


def kernel(lanes: int, tile: int, *layouts: str, **others) -> KernelParameters:
    return KernelParameters(lanes=lanes, tile=tile, layouts=layouts or ("stacked", "flat"), **others)


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        # One vector a tile, 13 columns and a halo of 2 in 16 lanes: a tile a row, 3 input rows each. A tile of one
        # vector waits 3 times as long for its sums as it takes to fetch a non-zero.
        ("ic4ih13oc4kh3ph1", kernel(16, 1, "stacked"), Counts(16, 13, 13, 39, 2, 1, 0, 3)),
        # 1x1: the image is one row of 196 lanes; no halo.
        ("ic8ih14oc64kh1", kernel(16, 28, "stacked"), Counts(16, 13, 1, 13, 0, 1, 0, 1)),
        # Flat: 12 rows of 14 lanes and a last one of 13 with its halo of 2: 183 lanes; one plane a kernel row.
        ("ic8ih13oc64kh3ph1", kernel(16, 28, "flat"), Counts(16, 12, 1, 36, 2, 1, 0, 1)),
    ],
)
def test_by_hand(text, shape, expected):
    assert best_counts(Problem.parse(text), 0.2, shape) == expected


def test_images_share_vectors_only_where_the_kernel_lets_them():
    problem = Problem.parse("mb4ic64ih3oc64kh1")
    shared = best_counts(problem, 0.1, kernel(16, 28, "flat"))
    apart = best_counts(problem, 0.1, kernel(16, 28, "flat", across_images=False))
    assert (shared.vectors, shared.tiles) == (3, 1)
    assert (apart.vectors, apart.tiles) == (4, 4)


def test_narrower_vectors_serve_narrow_rows():
    problem = Problem.parse("ic64ih7oc64kh3ph1")
    assert best_counts(problem, 0.2, kernel(16, 28, "stacked")).lanes == 16
    assert best_counts(problem, 0.2, kernel(16, 28, "stacked", narrower=(8,))).lanes == 8


def test_few_non_zeros_take_large_blocks_and_many_stay_in_l1():
    problem = Problem.parse("g2ic384ih13oc384kh3ph1")
    sparse, dense = (best_counts(problem, x, kernel(16, 28, "stacked")) for x in (0.02, 0.5))
    assert sparse.blocks < dense.blocks
    assert sparse.far > dense.far == 0


def test_copies_are_made_where_output_channels_pay_for_them():
    few, many = Problem.parse("ic512ih16oc1kh3ph1"), Problem.parse("ic64ih16oc512kh3ph1")
    assert best_counts(few, 0.1, kernel(16, 28, "stacked")).halo == 2
    assert best_counts(many, 0.1, kernel(16, 28, "stacked")).halo == 0


@given(
    st.integers(1, 4),
    st.integers(1, 40),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from(((1, 1), (4, 12), (8, 12), (16, 28))),
    st.floats(0, 1),
)
@settings(deadline=None, derandomize=True, max_examples=200)
def test_every_output_has_a_lane_and_every_tile_fits(mb, size, k, stride, pad, dilation, shape, density):
    span = (k - 1) * (dilation + 1) + 1
    if size + 2 * pad < span:
        return
    problem = Problem.parse(f"mb{mb}ic3ih{size}oc2kh{k}sh{stride}ph{pad}dh{dilation}")
    found = best_counts(problem, density, kernel(*shape))
    assert found.vectors * found.lanes >= mb * problem.oh * problem.ow
    assert found.tiles >= 1
    assert found.vectors <= found.tiles * shape[1]
    assert found.packed * found.lanes >= problem.oh * problem.ow
    assert 1 <= found.blocks <= 3
    assert 0 <= found.far < 1
    assert 1 <= found.wait <= 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lanes": 0}, "lanes is 0; allowed: a whole number from 1"),
        ({"tile": 1.5}, r"tile is 1\.5; allowed: a whole number from 1"),
        ({"narrower": (8,)}, r"narrower is \(8,\); allowed: whole numbers from 1 below 8 lanes"),
        ({"alpha": -1.0}, r"alpha is -1\.0; allowed: a positive number"),
        ({"beta": 0}, "beta is 0; allowed: a positive number"),
        ({"layouts": ()}, r"layouts is \(\); allowed: stacked, flat or both"),
        ({"layouts": ("tall",)}, r"layouts is \('tall',\); allowed: stacked, flat or both"),
        ({"costs": {"call": -1.0}}, r"cost of call is -1\.0; allowed: 0 or more"),
        ({"band": (2.0, 1.0)}, r"band is \(2\.0, 1\.0\); allowed: \(least, greatest\), both positive"),
    ],
)
def test_wrong_parameters_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        KernelParameters(**arguments)
