"""Errors and decisions of a validation, by hand."""

from __future__ import annotations

import pytest

from perfmodel import InputError
from perfmodel.validate import Comparison, verdict


def test_by_hand():
    rows = [
        Comparison("right", 1.1, 1.0, 2.0, 2.0),
        Comparison("tie", 1.2, 1.0, 1.0, 1.05),
        Comparison("wrong", 0.9, 1.0, 0.8, 2.0),
        Comparison("too fast", 0.5, 1.0, 0.4, 0.5),
    ]
    found = verdict(rows)
    assert (found.count, found.decided, found.agreed, found.differing) == (4, 3, 2, ("wrong",))
    assert found.median == pytest.approx(0.15)
    assert found.p90 == pytest.approx(0.5)
    assert found.bias == pytest.approx(0.0)


@pytest.mark.parametrize(("count", "p90"), [(1, 0.1), (10, 0.9), (20, 1.8)])
def test_percentile_is_an_error_that_occurred(count, p90):
    assert verdict([Comparison("x", 1 + i / 10, 1.0, 1.0, 1.0) for i in range(1, count + 1)]).p90 == pytest.approx(p90)


def test_tie_band_counts_both_ways():
    assert Comparison("x", 1.0, 1.0, 1.0, 1.09).tied()
    assert Comparison("x", 1.0, 1.09, 1.0, 1.0).tied()
    assert not Comparison("x", 1.0, 1.0, 1.0, 1.2).tied()
    assert Comparison("x", 1.0, 1.0, 1.0, 1.2).tied(0.25)


def test_refusals():
    with pytest.raises(InputError, match="there are 0 comparisons; allowed: 1 or more"):
        verdict([])
    with pytest.raises(InputError, match=r"measured_s of 'x' is 0\.0; allowed: positive seconds"):
        Comparison("x", 1.0, 0.0, 1.0, 1.0)
