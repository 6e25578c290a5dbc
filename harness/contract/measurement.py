"""What comes out of measuring: clocks, medians, a status with its reason."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

Status = Literal["passed", "failed", "skipped", "unsupported", "mistrusted"]


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds of one call: end to end, the kernel alone, and the device's own event time if it has one.

    ``waited`` is the share of that time in which the process was ready but had no CPU; ``pace`` how fast plain code ran
    on this core then (:mod:`harness.pace`), 0 where nobody looked.
    """

    end_to_end_s: float
    kernel_s: float
    device_s: float | None = None
    waited: float = 0.0
    pace: float = 0.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured plan. Times are medians in seconds for the whole batch, caches hot unless said.

    ``spread`` is the inter-quartile range over the median; ``peak_gflops`` the FMA peak of the same
    cores measured between the repetitions; ``cold_s`` the median with weights out of the caches; ``shared`` the share of
    repetitions during which another program used the same core, where that was looked at.
    """

    median_s: float
    spread: float
    clocks: Clocks
    prepare_s: float
    repetitions: int
    peak_gflops: float | None = None
    cold_s: float | None = None
    shared: float = 0.0
    status: Status = "passed"
    reason: str = ""

    def mistrusted(self, reason: str) -> Measurement:
        """The same numbers under the status *mistrusted*."""
        return dataclasses.replace(self, status="mistrusted", reason=reason)
