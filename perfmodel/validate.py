"""How well projections meet measurements: errors, and whether the same decisions follow."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from perfmodel.errors import InputError


@dataclass(frozen=True, slots=True)
class Comparison:
    """One held-out layer and density: projected and measured seconds of a kernel and of the dense baseline.

    Measured seconds are scaled to the peak that the projection assumed (seconds x peak of the moment / peak of the record).
    """

    name: str
    projected_s: float
    measured_s: float
    projected_dense_s: float
    measured_dense_s: float

    def __post_init__(self) -> None:
        for name in ("projected_s", "measured_s", "projected_dense_s", "measured_dense_s"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} of {self.name!r} is {getattr(self, name)!r}; allowed: positive seconds")

    @property
    def error(self) -> float:
        """Relative error of the projected seconds; positive where the projection is too slow."""
        return self.projected_s / self.measured_s - 1.0

    @property
    def agrees(self) -> bool:
        """Whether model and measurement give the same answer to "prune, or leave dense?"."""
        return (self.projected_s < self.projected_dense_s) == (self.measured_s < self.measured_dense_s)

    def tied(self, band: float = 0.1) -> bool:
        """Whether sparse and dense are measured within ``band`` of each other, so that either decision is right."""
        return abs(math.log(self.measured_s / self.measured_dense_s)) <= math.log1p(band)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Errors of a whole validation: median and 90th percentile of their sizes, bias (median with sign), decisions."""

    count: int
    median: float
    p90: float
    bias: float
    decided: int
    agreed: int
    differing: tuple[str, ...]


def verdict(comparisons: Sequence[Comparison], tie_band: float = 0.1) -> Verdict:
    """Sum up ``comparisons``; decisions inside the tie band are not counted. Raises :class:`InputError` for none."""
    if not comparisons:
        raise InputError("there are 0 comparisons; allowed: 1 or more")
    sizes = sorted(abs(c.error) for c in comparisons)
    decided = [c for c in comparisons if not c.tied(tie_band)]
    differing = tuple(c.name for c in decided if not c.agrees)
    return Verdict(
        count=len(sizes),
        median=statistics.median(sizes),
        p90=sizes[math.ceil(0.9 * len(sizes)) - 1],
        bias=statistics.median(c.error for c in comparisons),
        decided=len(decided),
        agreed=len(decided) - len(differing),
        differing=differing,
    )
