"""Curves of loss against speed-up: smoothed where noise turns them back, read between their points, never beyond."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

# Student's t, 97.5 % quantile, by degrees of freedom from 1.
_T975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)


class Point(NamedTuple):
    """A loss of accuracy (share) and the logarithm of the speed-up that it bought."""

    loss: float
    log_speedup: float


Curve = tuple[Point, ...]


@dataclass(frozen=True)
class Estimate:
    """``value`` from the means of all seeds; ``seeds`` each seed's own; ``low`` and ``high`` their 95 % interval, nan for fewer than two.

    ``window``: between which losses, or logarithms of speed-ups, both curves could be read.
    """

    value: float
    window: tuple[float, float]
    seeds: tuple[float, ...]
    low: float
    high: float


def make_curve(points: Sequence[Point]) -> Curve:
    """Points in the order of their speed-up with rising losses: neighbours that contradict each other are merged into their mean.

    Isotonic regression by pooling adjacent violators; a net that is faster *and* better than another is noise of seeds or test set.
    """
    blocks: list[tuple[Point, int]] = []
    for point in sorted((p for p in points if math.isfinite(p.loss) and math.isfinite(p.log_speedup)), key=lambda p: p.log_speedup):
        block = (point, 1)
        while blocks and (blocks[-1][0].loss >= block[0].loss or blocks[-1][0].log_speedup == block[0].log_speedup):
            block = _merge(blocks.pop(), block)
        blocks.append(block)
    return tuple(point for point, _ in blocks)


def _merge(a: tuple[Point, int], b: tuple[Point, int]) -> tuple[Point, int]:
    count = a[1] + b[1]
    return Point(*((x * a[1] + y * b[1]) / count for x, y in zip(a[0], b[0], strict=True))), count


def log_speedup_at(curve: Curve, loss: float) -> float | None:
    """The curve's log speed-up at ``loss``, between two points; None beyond its ends."""
    return _read([(p.loss, p.log_speedup) for p in curve], loss)


def _read(points: Sequence[tuple[float, float]], x: float) -> float | None:
    if not points or not points[0][0] <= x <= points[-1][0]:
        return None
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]


def mean_log_ratio(curve: Curve, other: Curve, window: tuple[float, float]) -> tuple[float, tuple[float, float]] | None:
    """Mean over equal losses inside ``window`` of the difference of log speed-ups, and the part of it that both curves cover."""
    return _mean_difference([(p.loss, p.log_speedup) for p in curve], [(p.loss, p.log_speedup) for p in other], window)


def mean_gain(curve: Curve, other: Curve) -> tuple[float, tuple[float, float]] | None:
    """Mean over equal speed-ups of what ``curve`` loses less than ``other``, and the log speed-ups that both cover."""
    reach = (-math.inf, math.inf)
    found = _mean_difference([(p.log_speedup, p.loss) for p in curve], [(p.log_speedup, p.loss) for p in other], reach)
    return (-found[0], found[1]) if found else None


def _mean_difference(
    a: Sequence[tuple[float, float]], b: Sequence[tuple[float, float]], window: tuple[float, float]
) -> tuple[float, tuple[float, float]] | None:
    """Mean of a - b where both can be read inside ``window``, by the trapezium rule, which is exact between their points."""
    if not a or not b:
        return None
    low, high = max(a[0][0], b[0][0], window[0]), min(a[-1][0], b[-1][0], window[1])
    if low > high:
        return None
    places = sorted({low, high, *(x for x, _ in (*a, *b) if low < x < high)})
    heights = [(_read(a, x) or 0.0) - (_read(b, x) or 0.0) for x in places]
    if len(places) == 1:
        return heights[0], (low, high)
    pieces = zip(places, places[1:], heights, heights[1:], strict=False)
    return math.fsum((x1 - x0) * (h0 + h1) / 2 for x0, x1, h0, h1 in pieces) / (high - low), (low, high)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean of ``values`` by Student's t; nan for fewer than two."""
    if len(values) < 2:
        return math.nan, math.nan
    quantile = _T975[len(values) - 2] if len(values) - 2 < len(_T975) else 1.96
    half = quantile * statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values) - half, statistics.fmean(values) + half
