"""Projections from the paper's model, with their bands."""

from __future__ import annotations

import pytest

from perfmodel import (
    Hardware,
    MissingNumberError,
    Problem,
    Quantity,
    load_hardware,
    paper_projection,
    paper_useful_range,
    project_paper,
    useful_range_paper,
)

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
