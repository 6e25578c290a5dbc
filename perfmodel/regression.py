"""Robust non-negative regression on relative errors, small enough to see whole. numpy only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class Fit(NamedTuple):
    """Costs of each column, and measured over predicted for each row."""

    costs: Vector
    ratios: Vector


def non_negative(matrix: Vector, target: Vector) -> Vector:
    """Least squares ``matrix @ x = target`` with x >= 0: the active set method of Lawson and Hanson (1974, chapter 23).

    Columns are scaled to length 1 first; a column of zeros gets 0.
    """
    scale = np.linalg.norm(matrix, axis=0)
    scaled = matrix / np.where(scale > 0, scale, 1.0)
    x, free = np.zeros(matrix.shape[1]), np.zeros(matrix.shape[1], dtype=bool)
    for _ in range(3 * len(x)):
        gradient = np.where(free, -np.inf, scaled.T @ (target - scaled @ x))
        enter = int(np.argmax(gradient))
        if gradient[enter] <= 1e-12 * np.linalg.norm(target):
            break
        free[enter] = True
        while True:
            wanted = np.zeros(len(x))
            wanted[free] = np.linalg.lstsq(scaled[:, free], target, rcond=None)[0]
            falling = free & (wanted <= 0)
            if not falling.any():
                break
            # Go only as far towards the unconstrained solution as the first variable that reaches 0; fix that one.
            step = np.min(x[falling] / np.maximum(x[falling] - wanted[falling], 1e-300))
            x = np.where(free, x + step * (wanted - x), 0.0)
            free &= x > 1e-14
        x = wanted
    return np.where(scale > 0, x / np.where(scale > 0, scale, 1.0), 0.0)


def huber_fit(matrix: Vector, target: Vector, prior: Vector | None = None, weight: float = 0.03, rounds: int = 30) -> Fit:
    """Costs >= 0 that minimise Huber's loss of the relative errors (matrix @ costs - target) / target.

    Iteratively re-weighted least squares; errors beyond 1.345 robust standard deviations (MAD / 0.6745) weigh less, so
    that a disturbed sample cannot bend the fit. ``prior`` holds plausible costs: each cost is drawn towards its prior
    with ``weight`` (relative), which decides only what the samples leave open.
    """
    relative = matrix / target[:, None]
    weights = np.ones(len(target))
    rows, goal = relative, np.ones(len(target))
    costs = np.zeros(matrix.shape[1])
    for _ in range(rounds):
        root = np.sqrt(weights)
        system, wanted = rows * root[:, None], goal * root
        if prior is not None and (known := prior > 0).any():
            system = np.vstack([system, (weight * np.diag(1 / np.where(known, prior, np.inf)))[known]])
            wanted = np.concatenate([wanted, np.full(int(known.sum()), weight)])
        before, costs = costs, non_negative(system, wanted)
        error = relative @ costs - 1.0
        sigma = max(float(np.median(np.abs(error))) / 0.6745, 1e-6)
        weights = np.minimum(1.0, 1.345 * sigma / np.maximum(np.abs(error), 1e-12))
        if np.allclose(costs, before, rtol=1e-6):
            break
    return Fit(costs, 1.0 / np.maximum(relative @ costs, 1e-12))
