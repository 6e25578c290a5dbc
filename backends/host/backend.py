"""Base class of every backend that runs on the host CPU: device line, FMA peak, hardware numbers."""

from __future__ import annotations

import os

from backends.host.machine import this_machine
from backends.host.probes import fma_peak, median_rate
from backends.host.store import stored_hardware
from harness.contract import Backend, Hardware


class HostBackend(Backend):
    """A backend on the host CPU."""

    def device(self) -> str:
        """CPU model, best instruction set and cores in one line."""
        return self.devices()[0]

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        """The host CPU, as :meth:`device` prints it."""
        machine, cores = this_machine(), os.cpu_count() or 1
        return (f"{machine.model}, {machine.isa}, {cores} core{'s' if cores > 1 else ''}",)

    def fma_peak(self) -> float:
        """FMA peak in FLOP/s of ``threads`` cores at once, at the clock of this moment (about 3 ms)."""
        return median_rate(fma_peak(this_machine().isa, self.threads)).value

    def hardware(self) -> Hardware:
        """This machine's stored record, measured once (a few seconds) where there is none."""
        return stored_hardware(self.threads)

    def calibrate(self) -> Hardware:
        """Measure this machine anew and store the record."""
        return stored_hardware(self.threads, anew=True)
