"""CP: each group's weights as a sum of rank-one terms, run as 1x1, kh x 1, 1 x kw, 1x1 (Lebedev et al., ICLR 2015).

Weights come as (groups, oc / groups, ic / groups, kh, kw) in double precision; all groups get the same rank.
Alternating least squares starts from the singular vectors of the taps, so it never ends worse than those, and needs no random numbers.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.contract import Problem

Double = NDArray[np.float64]

SWEEPS = 20
LEAST_SWEEPS = 3
# Floating-point operations of one factorisation, a second or two; large layers get fewer sweeps, not below the least.
WORK = 5e10
MOST_TRIES = 5
SEARCH_WORK = 2.5e11  # of all tries, each at its least sweeps: what bounds the seconds that a search takes, alike on every machine
_TIGHTER = 1 - 1e-6
# Keeps the normal equations solvable, and terms from growing large against each other, which would cost digits in float32.
_RIDGE = 1e-7
_NOTHING = 1e-200  # in place of a trace of zero: below it the quotients are no numbers


class Cp(NamedTuple):
    """Factors (g, channels or taps, r): of output and input channels of one group, rows, columns."""

    out: Double
    into: Double
    tall: Double
    wide: Double

    @property
    def rank(self) -> int:
        """Terms of a group."""
        return int(self.out.shape[-1])

    def cut(self, rank: int) -> Cp:
        """The first ``rank`` terms."""
        return Cp(*(factor[..., :rank] for factor in self))

    def weight(self) -> Double:
        """The weights that the chain computes with, in the shape that they came in."""
        product: Double = np.stack([_tensor([factor[g] for factor in self]) for g in range(len(self.out))])
        return product


def by_taps(weight: Double) -> Cp:
    """All terms of the singular value decompositions of the taps, largest first: exact, oc x ic matrices one a tap."""
    groups, oc, ic, kh, kw = weight.shape
    depth = min(oc, ic) * kh * kw
    found = Cp(*(np.zeros((groups, size, depth)) for size in (oc, ic, kh, kw)))
    for g, part in enumerate(weight):
        left, values, right = np.linalg.svd(part.transpose(2, 3, 0, 1), full_matrices=False)
        order = np.argsort(-values, axis=None, kind="stable")
        row, column, term = np.unravel_index(order, values.shape)
        found.out[g] = (left[row, column, :, term] * values[row, column, term][:, None]).T
        found.into[g] = right[row, column, term].T
        found.tall[g, row, np.arange(depth)] = 1
        found.wide[g, column, np.arange(depth)] = 1
    return found


def factorise(weight: Double, rank: int, error: float = 0.0, start: Cp | None = None) -> Cp:
    """``rank`` terms by alternating least squares; it stops early at ``error`` (relative), or where that is out of reach."""
    if not weight.any():
        return Cp(*(np.zeros((len(weight), size, rank)) for size in weight.shape[1:]))
    found = (start or by_taps(weight)).cut(rank)
    norm = float(np.linalg.norm(weight))
    before, sweeps = math.inf, int(min(SWEEPS, max(LEAST_SWEEPS, WORK // _sweep_work(weight, rank))))
    for sweep in range(sweeps):
        parts = [_sweep(part, [factor[g] for factor in found]) for g, part in enumerate(weight)]
        found = Cp(*(np.stack(factors) for factors in zip(*parts, strict=True)))
        now = float(np.linalg.norm(found.weight() - weight)) / norm
        gain, before = before - now, now
        if now <= error or gain < 1e-5 or (error and now - gain * (sweeps - 1 - sweep) > error):
            break
    for factor, axes in ((found.out, (2, 3, 4)), (found.into, (1, 3, 4))):
        factor[~weight.any(axis=axes)] = 0
    return found


def within(weight: Double, problem: Problem, error: float) -> Cp:
    """The fewest terms found whose relative error is at most ``error``: bisection, at most ``MOST_TRIES`` of them within ``SEARCH_WORK``.

    Where no chain with less arithmetic than the dense convolution is found, the singular vectors of the taps answer.
    """
    start, target = by_taps(weight), error * _TIGHTER
    values = np.linalg.norm(start.out, axis=1) ** 2
    left = np.append(values.sum(), values.sum() - values.sum(axis=0).cumsum())
    enough = max(1, int((left > target**2 * left[0]).sum()))
    best, low, high, work = start.cut(enough), 0, min(enough, _break_even(problem) + 1), 0.0
    if problem.kh * problem.kw == 1:
        return best
    for attempt in range(MOST_TRIES):
        if high - low <= max(1, high // 8):
            break
        # A rank above break-even is of no use, so the largest below it goes first where nothing is known to do.
        rank = high - 1 if attempt == 0 and high < enough else (low + high) // 2
        if attempt and work > SEARCH_WORK:
            break
        work += LEAST_SWEEPS * _sweep_work(weight, rank)
        found = factorise(weight, rank, target, start)
        if relative_error(weight, found.weight()) <= target:
            best, high = found, rank
        elif rank == high - 1:
            break
        else:
            low = rank
    return best


def _sweep_work(weight: Double, rank: int) -> float:
    """Floating-point operations of one sweep, roughly."""
    return float(rank * (6 * weight.size + 8 * rank * sum(weight.shape[:3])))


def relative_error(weight: Double, other: Double) -> float:
    """Frobenius norm of the difference over that of ``weight``; 0 for two zeros."""
    norm = float(np.linalg.norm(weight))
    return float(np.linalg.norm(weight - other)) / norm if norm else 0.0


def _break_even(problem: Problem) -> int:
    """The largest rank whose chain has no more multiplications than the convolution."""
    p = problem
    dense = p.oc // p.g * (p.ic // p.g) * p.kh * p.kw * p.oh * p.ow
    term = p.ic // p.g * p.ih * p.iw + p.kh * p.oh * p.iw + p.kw * p.oh * p.ow + p.oc // p.g * p.oh * p.ow
    return dense // term


def _tensor(factors: list[Double]) -> Double:
    from tensorly import cp_to_tensor

    product: Double = cp_to_tensor((None, factors))
    return product


def _sweep(tensor: Double, factors: list[Double]) -> list[Double]:
    """One least-squares update of each factor; all but that of output channels get unit columns.

    The product with the output channels is taken first and serves three updates: forming the Khatri-Rao product of all
    channels instead, as ``tensorly.decomposition.parafac`` does, takes far longer (seconds a sweep for an AlexNet layer).
    """
    from tensorly.tenalg import khatri_rao

    out, into, tall, wide = factors
    oc, ic, kh, kw = tensor.shape
    unfolded = tensor.reshape(oc, -1)
    partial = (unfolded.T @ out).reshape(ic, kh * kw, -1)
    into = _unit(_solved(np.einsum("itr,tr->ir", partial, khatri_rao([tall, wide])), out, tall, wide))
    taps = np.einsum("itr,ir->tr", partial, into).reshape(kh, kw, -1)
    tall = _unit(_solved(np.einsum("hwr,wr->hr", taps, wide), out, into, wide))
    wide = _unit(_solved(np.einsum("hwr,hr->wr", taps, tall), out, into, tall))
    return [_solved(unfolded @ khatri_rao([into, tall, wide]), into, tall, wide), into, tall, wide]


def _solved(right: Double, *others: Double) -> Double:
    """The factor that fits best beside ``others``."""
    gram = np.ones((right.shape[1], right.shape[1]))
    for other in others:
        gram *= other.T @ other
    gram[np.diag_indices_from(gram)] += _RIDGE * max(float(np.trace(gram)) / len(gram), _NOTHING)
    solved: Double = np.asarray(np.linalg.solve(gram, right.T).T, np.float64)
    return solved


def _unit(factor: Double) -> Double:
    """Columns of length one; those of zeros stay."""
    length = np.linalg.norm(factor, axis=0)
    unit: Double = factor / np.where(length, length, 1)
    return unit
