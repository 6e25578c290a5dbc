"""Curves: pooled where they turn back, read between their points only; intervals against SciPy's."""

from __future__ import annotations

import math

import pytest

from harness.study.curves import Point, interval, log_speedup_at, make_curve, mean_gain, mean_log_ratio


def line(*points: tuple[float, float]):
    return make_curve([Point(loss, math.log(speedup)) for loss, speedup in points])


def test_points_that_contradict_each_other_are_merged():
    curve = line((0.002, 2.0), (0.006, 4.0), (0.004, 8.0), (0.01, 16.0))
    assert [p.loss for p in curve] == pytest.approx([0.002, 0.005, 0.01])
    assert [math.exp(p.log_speedup) for p in curve] == pytest.approx([2.0, math.sqrt(32), 16.0])


def test_merging_goes_on_backwards_and_weighs_by_points():
    curve = line((0.004, 2.0), (0.005, 4.0), (0.001, 8.0))
    assert len(curve) == 1 and curve[0].loss == pytest.approx(0.01 / 3) and math.exp(curve[0].log_speedup) == pytest.approx(4.0)


def test_unknown_points_are_left_out():
    assert make_curve([Point(math.nan, 1.0), Point(0.1, math.nan)]) == ()


def test_reading_between_points_never_beyond():
    curve = line((0.0, 1.0), (0.01, 4.0))
    assert math.exp(log_speedup_at(curve, 0.005)) == pytest.approx(2.0)
    assert log_speedup_at(curve, -1e-6) is None and log_speedup_at(curve, 0.0101) is None and log_speedup_at((), 0.0) is None
    assert math.exp(log_speedup_at(curve, 0.01)) == pytest.approx(4.0)


def test_the_ratio_is_that_of_curves_one_above_the_other():
    low, high = line((0.0, 1.0), (0.004, 2.0), (0.02, 5.0)), line((0.0, 1.5), (0.004, 3.0), (0.02, 7.5))
    ratio, window = mean_log_ratio(high, low, (0.003, 0.01))
    assert math.exp(ratio) == pytest.approx(1.5) and window == (0.003, 0.01)


def test_the_ratio_is_the_mean_over_what_both_cover():
    flat, steep = line((0.0, 2.0), (0.008, 2.0001)), line((0.004, 2.0), (0.012, 8.0))
    ratio, window = mean_log_ratio(steep, flat, (0.003, 0.01))
    assert window == pytest.approx((0.004, 0.008))
    assert ratio == pytest.approx(math.log(2) / 2, abs=1e-3)
    assert mean_log_ratio(steep, flat, (0.009, 0.01)) is None
    assert mean_log_ratio(steep, (), (0.003, 0.01)) is None


def test_a_gain_is_what_is_lost_less_at_the_same_speed():
    worse, better = line((0.002, 1.0), (0.01, 4.0)), line((0.001, 1.0), (0.009, 4.0))
    gain, window = mean_gain(better, worse)
    assert gain == pytest.approx(0.001) and window == pytest.approx((0.0, math.log(4)))


@pytest.mark.parametrize("values", [(1.0, 2.0), (1.0, 1.5, 4.0), tuple(range(10))])
def test_the_interval_is_students(values):
    stats = pytest.importorskip("scipy.stats", reason="the interval is checked against SciPy")
    mean, error = sum(values) / len(values), stats.sem(values)
    assert interval(values) == pytest.approx(stats.t.interval(0.95, len(values) - 1, mean, error), rel=1e-3)
    assert all(map(math.isnan, interval(values[:1])))
