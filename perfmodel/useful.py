"""The useful range: between which densities pruning a layer pays."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from perfmodel.errors import InputError


@dataclass(frozen=True, slots=True)
class UsefulRange:
    """Densities between which pruning pays, or none with the reason.

    From ``high`` (break-even) downwards the sparse kernel wins; at ``low`` the gain levels off, so that
    pruning further costs accuracy and saves little. ``low_band`` and ``high_band`` are (least, greatest) values
    that the model's error allows. ``max_speedup`` is the speed-up as the density goes to 0.
    """

    low: float | None
    high: float | None
    reason: str
    max_speedup: float
    low_band: tuple[float, float] | None = None
    high_band: tuple[float, float] | None = None

    @property
    def exists(self) -> bool:
        """Whether there is any density at which pruning pays."""
        return self.high is not None

    def __contains__(self, density: float) -> bool:
        return self.low is not None and self.high is not None and self.low <= density <= self.high


def solve_range(seconds: Callable[[float], float], dense_s: float, reach: float = 2 / 3) -> UsefulRange:
    """The useful range of a kernel whose time ``seconds(density)`` rises with the density, against ``dense_s``.

    ``high`` is where both times are equal, at most 1. ``low`` is where ``reach`` of the largest speed-up is had (half
    of the saving where that would lie above break-even). Works on measured curves as well as on projected ones.
    Raises :class:`InputError` for a dense time that is not positive or a ``reach`` outside 0 to 1.
    """
    if not 0.0 < dense_s < math.inf:
        raise InputError(f"dense_s is {dense_s!r}; allowed: positive seconds")
    if not 0.0 < reach < 1.0:
        raise InputError(f"reach is {reach!r}; allowed: between 0 and 1")
    empty, full = seconds(0.0), seconds(1.0)
    limit = dense_s / empty if empty > 0 else math.inf
    if limit <= 1.0:
        return UsefulRange(None, None, f"even without weights it takes {1 / limit:.3g} times the dense time", limit)
    high = 1.0 if full <= dense_s else density_at(seconds, dense_s)
    level = min(empty / reach, (empty + min(dense_s, full)) / 2)
    low = min(high, density_at(seconds, level))
    above = "faster than dense at any density" if full <= dense_s else f"as slow as dense at {high:.3g}"
    return UsefulRange(low, high, f"{above}; below {low:.3g} little more is saved", limit)


def density_at(seconds: Callable[[float], float], level: float, tolerance: float = 1e-5) -> float:
    """The density in [0, 1] at which rising ``seconds`` reaches ``level``, 1 where it never does: regula falsi, Illinois variant."""
    a, b = 0.0, 1.0
    fa, fb = seconds(a) - level, seconds(b) - level
    if fb <= fa or fa >= 0.0:
        return 0.0
    for _ in range(60):
        c = min(max((a * fb - b * fa) / (fb - fa), a), b)
        fc = seconds(c) - level
        if abs(fc) <= tolerance * level or b - a <= tolerance:
            return c
        if fc > 0:
            b, fb, fa = c, fc, fa / 2
        else:
            a, fa, fb = c, fc, fb / 2
    return (a + b) / 2
