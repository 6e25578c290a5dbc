"""Vector counts by hand, and against laying rows out lane by lane."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfmodel import InputError, Problem
from perfmodel.kernel import KernelParameters
from perfmodel.tiling import Tiling, best_tiling, tilings


def kernel(lanes: int, tile: int, *layouts: str, **others) -> KernelParameters:
    return KernelParameters(lanes=lanes, tile=tile, layouts=layouts or ("stacked", "flat"), **others)


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        # 13x13 on AVX-512: the halo of 2 fits in 16 lanes; 13 rows of 1 vector, one pass over the non-zeros.
        ("ic256ih13oc384kh3ph1", kernel(16, 30, "stacked"), Tiling(13, 1, 15, 2)),
        # 13x13 on 8 lanes: 2 vectors a row, 12 // 2 = 6 rows a tile, 3 tiles of 8 input rows.
        ("ic256ih13oc384kh3ph1", kernel(8, 12, "stacked"), Tiling(26, 3, 48, 2)),
        # Flat: 12 x 14 + 13 = 181 lanes and a halo of 2 in 16-lane vectors, copied once a kernel row.
        ("ic256ih13oc384kh3ph1", kernel(16, 28, "flat"), Tiling(12, 1, 36, 2)),
        # 1x1: no halo, nothing shared; 196 pixels.
        ("ic480ih14oc192kh1", kernel(16, 28, "flat"), Tiling(13, 1, 13, 0)),
        # A row longer than the tile: 100 outputs in tiles of 4 x 8 - 2 = 30 lanes.
        ("ic4ih100oc4kh3ph1", kernel(8, 4, "stacked"), Tiling(100 * 14, 4 * 100, 100 * 3 * 14, 2)),
    ],
)
def test_by_hand(text, shape, expected):
    assert tilings(Problem.parse(text), shape) == (expected,)


def test_images_share_vectors_only_where_the_kernel_lets_them():
    problem = Problem.parse("mb4ic64ih3oc64kh1")
    (shared,) = tilings(problem, kernel(16, 28, "flat"))
    (apart,) = tilings(problem, kernel(16, 28, "flat", across_images=False))
    assert (shared.vectors, apart.vectors) == (3, 4)
    assert (shared.tiles, apart.tiles) == (1, 4)


def test_many_output_channels_pay_for_copies():
    """Flat rows need fewer vectors but three copies of the input: worth it only with enough non-zeros."""
    few, many = Problem.parse("ic512ih13oc1kh3ph1"), Problem.parse("ic512ih13oc512kh3ph1")
    shape = kernel(16, 28)
    stacked, flat = tilings(few, shape)
    assert flat.vectors < stacked.vectors
    assert flat.packed > stacked.packed
    assert best_tiling(few, 0.1, shape) == stacked
    assert best_tiling(many, 0.1, shape) == flat


@given(
    st.integers(1, 4),
    st.integers(1, 40),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from((1, 4, 8, 16)),
    st.integers(1, 30),
)
@settings(deadline=None, derandomize=True, max_examples=300)
def test_every_output_has_a_lane_and_every_tile_fits(mb, size, k, stride, pad, dilation, lanes, tile):
    span = (k - 1) * (dilation + 1) + 1
    if size + 2 * pad < span:
        return
    problem = Problem.parse(f"mb{mb}ic3ih{size}oc2kh{k}sh{stride}ph{pad}dh{dilation}")
    for found in tilings(problem, kernel(lanes, tile)):
        assert found.vectors * lanes >= mb * problem.oh * problem.ow
        assert 1 <= found.tiles <= found.vectors
        assert found.packed >= 1
        assert found.halo == (k - 1) * (dilation + 1) // stride


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lanes": 0}, "lanes is 0; allowed: a whole number from 1"),
        ({"tile": 1.5}, r"tile is 1\.5; allowed: a whole number from 1"),
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
