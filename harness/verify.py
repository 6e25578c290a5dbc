"""Compare a result with the oracle's, and refuse checks that prove nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.contract import Status
from harness.contract.plan import Array

LEAST_ALIVE = 0.02


@dataclass(frozen=True)
class Verdict:
    """Outcome of a check: largest error relative to conv(|w|, |x|), the tolerance, and a status with reason."""

    status: Status
    max_error: float
    tolerance: float
    reason: str = ""


def relative_error(weight: Array, other: Array) -> float:
    """Frobenius norm of the difference over that of ``weight``, 0 for two zeros; infinite for another shape, NaN or infinity."""
    if other.shape != weight.shape or not np.isfinite(other).all():
        return float("inf")
    off, norm = float(np.linalg.norm(weight.astype(np.float64) - other)), float(np.linalg.norm(weight.astype(np.float64)))
    return off / norm if norm else (float("inf") if off else 0.0)


def compare(result: Array, exact: Array, scale: Array, rtol: float, floor: float = 0.0) -> Verdict:
    """Judge ``result`` against ``exact``; ``scale`` is the convolution of absolute values, all of one shape.

    An element passes when |result - exact| <= rtol * scale. Algorithms that spread rounding errors over neighbouring
    outputs (transforms do) give a ``floor`` that no element's scale falls below. A check whose exact result is nearly
    all zero is *mistrusted*: it would pass for a kernel that does nothing.
    """
    scale = np.maximum(scale, np.float32(floor))
    bad = ~np.isfinite(result)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        return Verdict("failed", float("inf"), rtol, f"output{list(place)} is {result[place]}")
    error = np.abs(result.astype(np.float64) - exact)
    relative = error / np.maximum(scale, np.finfo(np.float32).tiny)
    worst = float(relative.max(initial=0.0))
    if worst > rtol:
        place = tuple(int(i) for i in np.unravel_index(int(relative.argmax()), relative.shape))
        return Verdict(
            "failed",
            worst,
            rtol,
            f"output{list(place)} is {result[place]:.7g}, should be {exact[place]:.7g} (error {worst:.1e}, allowed {rtol:.0e})",
        )
    alive = float(np.count_nonzero(exact)) / max(1, exact.size)
    if alive < LEAST_ALIVE and scale.any():
        return Verdict("mistrusted", worst, rtol, f"only {alive:.1%} of the expected outputs differ from zero: the check proves little")
    return Verdict("passed", worst, rtol)
