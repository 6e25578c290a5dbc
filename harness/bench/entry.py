"""One kernel's way through one case: from supported to measured, with the status it ends in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from harness.bench.contenders import Team
from harness.contract import BreakevenError, Clocks, KernelSpec, Measurement, Status
from harness.measure import Samples
from harness.verify import Verdict
from harness.workers.service import Prepared


@dataclass
class Entry:
    """A kernel of a team on the case at hand."""

    team: Team
    kernel: KernelSpec
    status: Status | None = None
    reason: str = ""
    prepared: Prepared | None = None
    verdict: Verdict | None = None
    samples: Samples = field(default_factory=Samples)
    measurement: Measurement | None = None

    @property
    def options(self) -> Mapping[str, Any]:
        """Options of ``prepare`` that the run asks for."""
        return self.team.kernel_options

    @property
    def running(self) -> bool:
        """Whether the kernel is still in the race."""
        return self.status is None

    def end(self, status: Status, reason: str) -> None:
        """Leave the race; the first reason stays."""
        if self.status is None:
            self.status, self.reason = status, reason

    def add(self, clocks: Clocks, cold: bool = False) -> None:
        """Keep a sample."""
        (self.samples.cold if cold else self.samples.hot).append(clocks)


def running(entries: Sequence[Entry]) -> list[Entry]:
    """Those still in the race."""
    return [entry for entry in entries if entry.running]


@contextmanager
def losing(entry: Entry) -> Iterator[None]:
    """Turn what goes wrong inside into the entry's status."""
    try:
        yield
    except BreakevenError as error:
        entry.end("failed", str(error))
