"""The useful range: between which densities pruning a layer pays."""

from __future__ import annotations

from dataclasses import dataclass


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
