"""Non-negative and robust regression against scipy and against known costs."""

from __future__ import annotations

import numpy as np
import pytest

from perfmodel.regression import huber_fit, non_negative


@pytest.mark.parametrize("seed", range(20))
def test_non_negative_least_squares_equals_scipys(seed):
    optimize = pytest.importorskip("scipy.optimize")
    draw = np.random.default_rng(seed)
    matrix = draw.uniform(0, 1, (30, 6)) * 10.0 ** draw.uniform(-6, 6, 6)
    target = matrix @ np.maximum(draw.normal(0.3, 1, 6), 0) / matrix.max(axis=0).mean() + draw.normal(0, 1e-3, 30)
    expected, residual = optimize.nnls(matrix, target)
    found = non_negative(matrix, target)
    assert (found >= 0).all()
    assert np.linalg.norm(matrix @ found - target) == pytest.approx(residual, rel=1e-6, abs=1e-9)
    assert matrix @ found == pytest.approx(matrix @ expected, rel=1e-6, abs=1e-9)


def test_empty_columns_get_nothing():
    assert non_negative(np.array([[1.0, 0.0], [2.0, 0.0]]), np.array([2.0, 4.0])) == pytest.approx([2.0, 0.0])


def test_outliers_do_not_bend_the_fit():
    draw = np.random.default_rng(0)
    matrix = draw.uniform(0, 1, (60, 3))
    truth = np.array([1.0, 2.0, 3.0])
    target = matrix @ truth * draw.lognormal(0, 0.02, 60)
    target[:6] *= 0.3
    assert huber_fit(matrix, target).costs == pytest.approx(truth, rel=0.1)
    plain = non_negative(matrix / target[:, None], np.ones(60))
    assert np.abs(plain / truth - 1).max() > 0.2


def test_large_and_small_samples_count_alike():
    matrix = np.array([[1.0, 0.0], [1e6, 0.0], [0.0, 1.0], [0.0, 1e6]])
    target = np.array([1.0, 3e6, 2.0, 2e6])
    found = huber_fit(matrix, target)
    assert 1.0 < found.costs[0] < 3.0
    assert found.costs[1] == pytest.approx(2.0)


def test_prior_decides_what_samples_leave_open():
    matrix = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])
    found = huber_fit(matrix, matrix @ [2.0, 0.0], prior=np.array([1.0, 7.0]))
    assert found.costs == pytest.approx([2.0, 7.0], rel=0.01)


def test_ratios_are_measured_over_predicted():
    matrix = np.array([[1.0], [1.0], [1.0], [1.0], [1.0]])
    found = huber_fit(matrix, np.array([1.0, 1.0, 1.0, 1.0, 2.0]))
    assert found.ratios == pytest.approx([1, 1, 1, 1, 2], rel=0.02)
