"""A projection beside its measurement."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """One kernel on one case: seconds as measured, and as projected, with its band, at the FMA peak of that moment.

    ``doubt`` says why the measurement is not trusted, if it is not; ``exact``: not that of an approximation.
    """

    layer: str
    batch: int
    density: float
    kernel: str
    sparse: bool
    measured_s: float
    projected_s: float
    low_s: float
    high_s: float
    doubt: str = ""
    exact: bool = True

    @property
    def error(self) -> float:
        """Relative error of the projection."""
        return abs(self.projected_s / self.measured_s - 1)
