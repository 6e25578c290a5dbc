"""Break-even from the steps of a bisection: a line through those near 1."""

from __future__ import annotations

import numpy as np
import pytest

from harness.bench.breakeven import DENSEST, SPARSEST, STEPS, BreakEven, crossing


def bisected(ratio):
    """Steps and last bracket of a bisection, as ``find_break_even`` goes."""
    steps = [(DENSEST, ratio(DENSEST)), (SPARSEST, ratio(SPARSEST))]
    low, high = SPARSEST, DENSEST
    for _ in range(STEPS):
        steps.append(((low + high) / 2, ratio((low + high) / 2)))
        low, high = (steps[-1][0], high) if steps[-1][1] >= 1 else (low, steps[-1][0])
    return steps, low, high


@pytest.mark.parametrize("even", [0.05, 0.4, 0.55, 0.9, 0.97])
def test_a_line_is_found_within_the_bracket(even):
    steps, low, high = bisected(lambda density: 1 / (0.2 + 0.8 * density / even))
    found = crossing(steps, low, high)
    assert sum(found) / 2 == pytest.approx(even, abs=1e-6)
    assert found[1] - found[0] == pytest.approx(min(high - low, 2 - sum(found)))


def test_noise_misleads_a_bisection_more_than_the_line():
    errors = []
    for seed in range(60):
        noise = np.random.default_rng(seed)
        steps, low, high = bisected(lambda density, noise=noise: noise.normal(1, 0.04) / (0.1 + 0.9 * density / 0.5))
        line = crossing(steps, low, high)
        errors.append((abs((low + high) / 2 - 0.5), abs(sum(line) / 2 - 0.5), line[0] <= 0.5 <= line[1]))
    bracket, line, held = np.array(errors).T
    assert line.mean() < 0.9 * bracket.mean()
    assert 0.4 < held.mean() < 0.9  # about one standard error


def test_one_step_that_was_disturbed_does_not_move_the_line():
    steps, low, high = bisected(lambda density: 0.85 if density == 0.5025 else 1 / (0.2 + 0.8 * density / 0.55))
    assert (low + high) / 2 < 0.51
    assert sum(crossing(steps, low, high)) / 2 == pytest.approx(0.55, abs=0.03)


def test_where_no_line_rises_the_bracket_stays():
    assert crossing([(0.3, 0.9), (0.5, 1.0), (0.7, 1.05), (1.0, 1.1)], 0.3, 0.5) == (0.3, 0.5)


def test_sparsity_is_that_of_the_middle():
    assert BreakEven("conv", "direct_sparse", None, 0.25, 0.35, ()).sparsity == pytest.approx(0.7)
    assert BreakEven("conv", "direct_sparse", None, None, None, (), "pays at every density").sparsity is None
