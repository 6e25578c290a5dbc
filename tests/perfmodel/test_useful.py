"""The useful range of any rising time curve."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfmodel import InputError
from perfmodel.useful import solve_range


@given(st.floats(0.01, 0.95), st.floats(0.1, 20))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_straight_lines_are_solved_exactly(fixed, slope):
    found = solve_range(lambda x: fixed + slope * x, 1.0)
    assert found.max_speedup == pytest.approx(1 / fixed)
    assert found.high == pytest.approx(min(1.0, (1 - fixed) / slope), rel=1e-3)
    level = min(1.5 * fixed, (fixed + min(1.0, fixed + slope)) / 2)
    assert found.low == pytest.approx((level - fixed) / slope, rel=1e-3, abs=1e-5)
    assert 0 <= found.low <= found.high


@given(st.floats(0.01, 0.9), st.floats(1.05, 20))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_rooflines_are_solved_too(floor, alpha):
    found = solve_range(lambda x: max(floor, alpha * x), 1.0)
    assert found.high == pytest.approx(1 / alpha, rel=1e-3)
    assert floor / alpha <= found.low <= found.high


def test_reach_is_the_share_of_the_largest_speedup():
    def seconds(x: float) -> float:
        return 0.1 + x

    for reach in (0.3, 0.5, 0.9):
        found = solve_range(seconds, 1.0, reach)
        assert (1.0 / seconds(found.low)) / found.max_speedup == pytest.approx(reach, rel=1e-3)


def test_none_where_even_an_empty_layer_is_slower():
    found = solve_range(lambda x: 2 + x, 1.0)
    assert (found.low, found.high, found.max_speedup) == (None, None, 0.5)
    assert found.reason == "even without weights it takes 2 times the dense time"


def test_faster_than_dense_everywhere():
    found = solve_range(lambda x: 0.1 + 0.2 * x, 1.0)
    assert found.high == 1.0
    assert found.reason.startswith("faster than dense at any density; below ")


def test_small_gain_keeps_half_of_the_saving():
    found = solve_range(lambda x: 0.9 + x, 1.0)
    assert found.low == pytest.approx(0.05, rel=1e-3)
    assert found.high == pytest.approx(0.1, rel=1e-3)


def test_time_free_of_charge_at_density_0():
    assert solve_range(lambda x: x, 0.5).max_speedup == math.inf


def test_steps_as_in_measurements_end_near_the_step():
    found = solve_range(lambda x: 0.5 if x < 0.3 else 2.0, 1.0)
    assert found.high == pytest.approx(0.3, abs=1e-3)


@pytest.mark.parametrize(
    ("dense_s", "reach", "message"),
    [
        (0.0, 0.5, r"dense_s is 0\.0; allowed: positive seconds"),
        (math.nan, 0.5, "dense_s is nan; allowed: positive seconds"),
        (1.0, 1.0, r"reach is 1\.0; allowed: between 0 and 1"),
    ],
)
def test_refusals(dense_s, reach, message):
    with pytest.raises(InputError, match=message):
        solve_range(lambda x: x, dense_s, reach)
