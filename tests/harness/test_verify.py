"""The check of outputs: what passes, what fails, and what proves nothing."""

import numpy as np
import pytest

from harness.verify import compare

SHAPE = (2, 3, 4, 5)


@pytest.fixture
def exact(rng):
    return rng.standard_normal(SHAPE).astype(np.float32)


@pytest.fixture
def scale(exact):
    return np.abs(exact) + np.float32(10)


def test_equal_passes(exact, scale):
    verdict = compare(exact.copy(), exact, scale, 1e-6)
    assert (verdict.status, verdict.max_error, verdict.tolerance) == ("passed", 0.0, 1e-6)


def test_the_error_is_relative_to_the_scale(exact, scale):
    close = exact + np.float32(0.9e-4) * scale
    assert compare(close, exact, scale, 1e-4).status == "passed"
    far = exact.copy()
    far[1, 2, 3, 4] += 2e-4 * scale[1, 2, 3, 4]
    verdict = compare(far, exact, scale, 1e-4)
    assert verdict.status == "failed" and verdict.max_error == pytest.approx(2e-4, rel=1e-2)
    assert f"output[1, 2, 3, 4] is {far[1, 2, 3, 4]:.7g}, should be {exact[1, 2, 3, 4]:.7g}" in verdict.reason


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_fails_and_names_the_place(exact, scale, value):
    bad = exact.copy()
    bad[0, 2, 1, 3] = value
    verdict = compare(bad, exact, scale, 1e30)
    assert verdict.status == "failed" and verdict.reason == f"output[0, 2, 1, 3] is {value}"


def test_a_value_where_nothing_can_come_out_fails(exact):
    """Where every product is zero the scale is zero, and only zero is right."""
    exact[0, 0] = 0
    scale = np.abs(exact)
    wrong = exact.copy()
    wrong[0, 0, 0, 0] = 1e-20
    assert compare(wrong, exact, scale, 1e-5).status == "failed"
    assert compare(exact, exact, scale, 1e-5).status == "passed"


def test_a_check_that_proves_nothing_is_mistrusted(scale):
    exact = np.zeros(SHAPE, np.float32)
    exact[0, 0, 0, :2] = 1
    verdict = compare(exact.copy(), exact, scale, 1e-6)
    assert verdict.status == "mistrusted" and "only 1.7% of the expected outputs differ from zero" in verdict.reason


def test_density_zero_gives_zeros_and_passes():
    zeros = np.zeros(SHAPE, np.float32)
    assert compare(zeros, zeros, zeros, 1e-6).status == "passed"


def test_transforms_spread_their_rounding_errors():
    exact = np.array([0.0, 100.0], np.float32)
    scale = np.array([0.0, 100.0], np.float32)
    result = exact + np.float32(1e-5)
    assert compare(result, exact, scale, 1e-5).status == "failed"
    assert compare(result, exact, scale, 1e-5, floor=50.0).status == "passed"
    assert compare(result + np.float32(0.1), exact, scale, 1e-5, floor=50.0).status == "failed"
