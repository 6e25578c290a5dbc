"""One kernel's way through one case: from supported to measured, with the status it ends in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from harness.bench.contenders import Stage, Team
from harness.contract import BreakevenError, Clocks, KernelSpec, Measurement, Status, UnsupportedError
from harness.measuring import Samples
from harness.verify import Verdict
from harness.workers import WorkerProcess
from harness.workers.service import Prepared, Truth


@dataclass
class Entry:
    """A kernel of a team on the case at hand."""

    team: Team
    kernel: KernelSpec
    stage: Stage
    status: Status | None = None
    reason: str = ""
    prepared: Prepared | None = None
    truth: Truth | None = None
    verdict: Verdict | None = None
    samples: Samples = field(default_factory=Samples)
    measurement: Measurement | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    _home: WorkerProcess | None = None

    def call(self, method: str, *args: Any) -> Any:
        """Call ``method`` for this kernel in its worker, with ``args`` after its name.

        A worker that another kernel killed is replaced, and this kernel prepared and warmed up there.
        """
        worker, seconds = self.team.on_stage(self.stage), self.stage.timeout_s
        if self._home is not worker:
            moved = self._home is not None
            self.prepared = worker.call("prepare", self.kernel.name, self.options, timeout_s=seconds)
            self._home = worker
            if moved:
                worker.call("warm_up", self.kernel.name, timeout_s=seconds)
        return worker.call(method, self.kernel.name, *args, timeout_s=seconds)

    @property
    def options(self) -> dict[str, Any]:
        """Options of ``prepare`` that the run asks for and this kernel has, and the entry's own ``settings``."""
        return {**{name: value for name, value in self.team.kernel_options.items() if name in self.kernel.options}, **self.settings}

    @property
    def approximation(self) -> float | None:
        """The error of the weights that an inexact kernel states."""
        return self.prepared.approximation if self.prepared else None

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
    except UnsupportedError as error:
        entry.end("unsupported", str(error))
    except BreakevenError as error:
        entry.end("failed", str(error))
