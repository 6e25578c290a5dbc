"""Break-even sparsity on a GPU: measured by bisection with both sides taking turns, and projected from measured bandwidths.

The projection counts the words that a dense multiply-add costs in local memory (or first-level cache) at density d, for
P = pixels x images words a work-item, h rows sharing a load, R rows a work-group, a tile of T pixels whose window is S wide, k taps:

    staged     d (1 + 1 / P) + 2 (S / T) / (R k)
    constant   d + 2 (S / T) / (R k)                     the broadcasts come from constant memory
    cached     1.25 d (1 + 1 / P)                        a shifted read cuts one more cache line than it fills
    others     (1 - (1 - d)^h) / h (1 + (1 + h) / P)     a load for each column that any of h rows uses; `literal` broadcasts nothing

Time is the longer of those words at the local bandwidth and the multiply-adds at the FMA peak, then the packing at the memory's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from backends.opencl.planes import Planes
from harness.contract import Hardware, Problem
from perfmodel.useful import solve_range

STEPS = 7  # of the bisection: to 1 / 128 of density
FEWEST = 4  # a bracket wider than 1 / 16 is not reported
_FLOAT = 4


class Moment(NamedTuple):
    """Seconds of ours and of each rival, measured in turn."""

    ours: float
    rivals: Mapping[str, float]


def measured_break_even(at: Callable[[float], Moment], rival: str, end: float) -> float:
    """Sparsity from which ours is faster than ``rival``, by bisection of the density until ``end`` (perf_counter).

    The middle of the last bracket; 0 where ours is faster even without zeros, NaN where never, or where time was too short.
    """
    low, high = 0.0, 1.0
    for step in range(STEPS):
        if time.perf_counter() > end:
            if step < FEWEST:
                return math.nan
            break
        middle = (low + high) / 2
        moment = at(middle)
        low, high = (middle, high) if moment.ours <= moment.rivals[rival] else (low, middle)
    if low == 0:
        return math.nan
    return 0.0 if high == 1 else 1 - (low + high) / 2


def projected_seconds(p: Problem, density: float, choice: Any, hardware: Hardware, spread: float = 1.25) -> float:
    """Seconds of one call by the words above; ``spread`` is S / T, the window of a tile over its pixels."""
    macs = p.flops / 2
    local, memory = float(hardware.number("bandwidth_local")), float(hardware.number("bandwidth"))
    words = _words(density, choice, spread, p.kh * p.kw)
    moved = _FLOAT * (math.prod(p.input_shape) + 2 * Planes(p, 0).floats + math.prod(p.output_shape))  # planes are written and read
    return max(_FLOAT * macs * words / local, 2 * macs * density / float(hardware.peak_flops)) + moved / memory


def _words(density: float, choice: Any, spread: float, taps: int) -> float:
    """Words of local memory or first-level cache for each dense multiply-add."""
    kind, words, height = choice.variant.kind, choice.pixels * choice.images, choice.height
    broadcast = 1 / words
    if kind in ("staged", "constant"):
        return density * (1 + (broadcast if kind == "staged" else 0)) + 2 * spread / (choice.rows * taps)
    if kind == "cached":
        return 1.25 * density * (1 + broadcast)
    shared = (1 - (1 - density) ** height) / height
    return shared * (1 + (0 if kind == "literal" else (1 + height) * broadcast))


def projected_break_even(p: Problem, choice: Any, hardware: Hardware, dense_s: float, spread: float = 1.25) -> float:
    """Sparsity at which the projection crosses measured dense seconds; NaN where it never does."""
    found = solve_range(lambda density: projected_seconds(p, density, choice, hardware, spread), dense_s)
    return math.nan if found.high is None else 1 - found.high
