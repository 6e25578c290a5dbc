"""Projections with their bands: the paper's model, the method models, and the choice between kernels."""

from __future__ import annotations

import math
import re
import time

import pytest

from perfmodel import (
    Hardware,
    InputError,
    MissingNumberError,
    Problem,
    Quantity,
    load_hardware,
    paper_projection,
    paper_useful_range,
    project_paper,
    useful_range_paper,
)
from perfmodel.kernel import KernelParameters
from perfmodel.methods import Dense, DirectSparse, Winograd
from perfmodel.project import Contender, choose, project, useful_range

CONV3 = Problem.parse("mb16ic256ih13oc384kh3ph1")
XEON = load_hardware("xeon-e5-2697v4")
BARE = Hardware("v", "toaster", numbers={"peak_flops": Quantity(1e11, "FLOP/s"), "bandwidth": Quantity(1e10, "B/s")})


def test_seconds_are_for_the_batch_and_follow_the_paper():
    found, one = project_paper(CONV3, 0.1, XEON, alpha=2.5), paper_projection(CONV3, 0.1, XEON, alpha=2.5)
    assert found.median_s == pytest.approx(16 * one.t_sparse)
    assert found.dense_s == pytest.approx(16 * one.t_dense)
    assert (found.speedup, found.bound) == (one.speedup, "compute")
    assert (found.method, found.model, found.density) == ("direct_sparse", "paper", 0.1)
    assert found.low_s < found.median_s < found.high_s


def test_unknown_alpha_is_assumed_aloud_with_a_band_of_two():
    found = project_paper(CONV3, 0.1, BARE)
    assert found.note == "alpha unknown: 2 assumed, band of factor 2"
    assert found.high_s / found.median_s == pytest.approx(2)
    assert found.median_s / found.low_s == pytest.approx(2)
    assert found.median_s == project_paper(CONV3, 0.1, BARE, alpha=2.0).median_s


def test_known_alpha_narrows_the_band():
    assert project_paper(CONV3, 0.1, XEON).high_s < 2 * project_paper(CONV3, 0.1, XEON).median_s


def test_useful_range_carries_bands_round_the_papers_range():
    found, plain = useful_range_paper(CONV3, XEON), paper_useful_range(CONV3, XEON)
    assert (found.low, found.high) == (plain.low, plain.high)
    assert found.low_band[0] < found.low < found.low_band[1]
    assert found.high_band == (pytest.approx(1 / 4.5), pytest.approx(0.5))


def test_useful_range_names_the_assumed_alpha():
    assert useful_range_paper(CONV3, BARE).reason.endswith("; alpha unknown: 2 assumed, band of factor 2")


def test_no_range_stays_none():
    found = useful_range_paper(Problem.parse("ic480ih14oc16kh1"), XEON)
    assert (found.exists, found.low_band, 0.1 in found) == (False, None, False)


def test_missing_bandwidth_is_named():
    lame = Hardware("v", "toaster", numbers={"peak_flops": Quantity(1e11, "FLOP/s")})
    with pytest.raises(MissingNumberError, match="hardware 'toaster' has no bandwidth; known numbers: peak_flops"):
        project_paper(CONV3, 0.1, lame)


FULL = BARE.with_numbers(call_overhead=Quantity(1e-6, "s"), bandwidth_l1=Quantity(2e11, "B/s"), bandwidth_l2=Quantity(1e11, "B/s"))
SPARSE = Contender("cpu direct_sparse", DirectSparse(), KernelParameters(lanes=16, tile=28))
DENSE = [Contender("mkl dense", Dense("im2col")), Contender("onednn dense", Dense("direct")), Contender("cpu winograd", Winograd(2))]
COSTS = {"multiply": 2.0, "output": 10.0, "call": 1e5}
CALIBRATED = Contender("cpu direct_sparse", DirectSparse(), KernelParameters(costs=COSTS, band=(0.9, 1.2), probed={"density": (0.02, 0.5)}))


def test_uncalibrated_contender_says_so():
    found = project(CONV3, 0.1, FULL, SPARSE, DENSE)
    assert (found.model, found.name, found.method) == ("first principles", "cpu direct_sparse", "direct_sparse")
    assert found.note == "never calibrated: first principles, band of factor 2"
    assert found.high_s / found.low_s == pytest.approx(4)
    assert not found.extrapolated


def test_fastest_dense_kernel_counts():
    each = [project(CONV3, 1.0, FULL, contender, 1.0).median_s for contender in DENSE]
    found = project(CONV3, 0.1, FULL, SPARSE, DENSE)
    assert found.dense_s == min(each)
    assert found.speedup == pytest.approx(min(each) / found.median_s)


def test_dense_kernels_that_cannot_do_the_problem_are_passed_over():
    assert project(Problem.parse("ic64ih28oc64kh5ph2"), 0.1, FULL, SPARSE, DENSE).dense_s > 0


def test_measured_dense_seconds_may_be_given():
    found = project(CONV3, 0.1, FULL, SPARSE, 0.5)
    assert (found.dense_s, found.speedup) == (0.5, pytest.approx(0.5 / found.median_s))


def test_calibrated_contender_carries_its_band_and_marks_extrapolation():
    inside, beyond = (project(CONV3, x, FULL, CALIBRATED, DENSE) for x in (0.1, 0.8))
    assert (inside.model, inside.extrapolated, inside.note) == ("calibrated", False, "")
    assert (inside.low_s, inside.high_s) == (pytest.approx(0.9 * inside.median_s), pytest.approx(1.2 * inside.median_s))
    assert (beyond.extrapolated, beyond.note) == (True, "density 0.8 outside 0.02 to 0.5")


def test_useful_range_ends_where_both_times_are_equal():
    found = useful_range(CONV3, FULL, CALIBRATED, DENSE)
    assert project(CONV3, found.high, FULL, CALIBRATED, DENSE).speedup == pytest.approx(1.0, rel=1e-4)
    assert found.low < found.high
    assert re.search(r"below \S+ little more is saved \((compute|bandwidth|overhead) bound there\)$", found.reason)
    slow, fast = (project(CONV3, x, FULL, CALIBRATED, DENSE) for x in found.high_band)
    assert slow.high_s == pytest.approx(slow.dense_s, rel=1e-3)
    assert fast.low_s == pytest.approx(fast.dense_s, rel=1e-3)


def test_choice_is_the_fastest_with_its_margin():
    found = choose(CONV3, 0.02, FULL, [*DENSE, SPARSE], DENSE)
    assert found.best.name == "cpu direct_sparse"
    assert found.margin == pytest.approx(found.others[0].median_s / found.best.median_s)
    assert [other.median_s for other in found.others] == sorted(other.median_s for other in found.others)
    assert choose(CONV3, 1.0, FULL, [*DENSE, SPARSE], DENSE).best.name == "cpu winograd"
    assert choose(CONV3, 1.0, FULL, [SPARSE], DENSE).margin == math.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: choose(Problem.parse("ic3ih9oc4kh5"), 0.1, FULL, DENSE[2:], 1.0),
            "no kernel can do g1mb1ic3.*: cpu winograd: problem .* is not 3x3",
        ),
        (lambda: project(CONV3, 0.1, FULL, SPARSE, []), "no kernel can do .*: none was given"),
        (lambda: project(CONV3, 0.1, FULL, SPARSE, -1.0), r"dense is -1\.0; allowed: positive seconds, or dense kernels"),
        (lambda: project(CONV3, 1.1, FULL, SPARSE, 1.0), r"density is 1\.1; allowed: 0 to 1"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_a_whole_network_takes_less_than_50_ms():
    network = [Problem.parse(f"ic{64 + 8 * i}ih{7 + i % 50}oc256kh{1 + 2 * (i % 2)}ph{i % 2}") for i in range(57)]

    def whole() -> float:
        start = time.process_time()
        for problem in network:
            project(problem, 0.1, FULL, CALIBRATED, DENSE)
        return time.process_time() - start

    assert min(whole() for _ in range(5)) < 0.05
