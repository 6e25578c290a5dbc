"""What CPU this is: name, instruction sets, caches, the cores that this process may use."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from backends.host import _host

_FALLBACK_CACHES = (32 << 10, 512 << 10, 8 << 20)
_CPU0_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_BASE_KILOHERTZ = Path("/sys/devices/system/cpu/cpu0/cpufreq/base_frequency")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True, slots=True)
class Machine:
    """The host CPU: brand string, instruction sets (best first), bytes of the data caches L1, L2, L3."""

    vendor: str
    model: str
    isas: tuple[str, ...]
    caches: tuple[int, int, int]

    @property
    def isa(self) -> str:
        """The best instruction set that works here."""
        return self.isas[0]


@cache
def this_machine() -> Machine:
    """Identify the host CPU once a process."""
    model = " ".join((_host.cpu_name() or _proc_name() or platform.processor() or platform.machine() or "unknown CPU").split())
    vendor = next((v for v in ("AMD", "Intel", "Apple", "ARM") if v.lower() in model.lower()), platform.machine() or "unknown")
    return Machine(vendor, model, _host.isas(), _caches())


def allowed_cpus() -> list[int]:
    """Numbers of the logical CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def declared_hertz() -> float | None:
    """The clock that the CPU declares: its base frequency, else what /proc/cpuinfo says; None where nobody does."""
    try:
        return 1e3 * float(_BASE_KILOHERTZ.read_text())
    except (OSError, ValueError):
        pass
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return 1e6 * float(next(line.split(":", 1)[1] for line in lines if line.lower().startswith("cpu mhz")))
    except (OSError, ValueError, StopIteration):
        return None


def _proc_name() -> str:
    """The model line of /proc/cpuinfo, for processors without a brand string."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1] for line in lines if line.lower().startswith(("model name", "hardware")) and ":" in line), "")


def _caches() -> tuple[int, int, int]:
    """Sizes from sysfs, else from CPUID, else common ones; never smaller than the level before."""
    sysfs = _sysfs_caches()
    l1, l2, l3 = (sysfs.get(level) or _host.cache_bytes(level) or _FALLBACK_CACHES[level - 1] for level in (1, 2, 3))
    return l1, max(l1, l2), max(l1, l2, l3)


def _sysfs_caches() -> dict[int, int]:
    """Level to bytes of the data and unified caches of CPU 0 (Linux); empty elsewhere."""
    found: dict[int, int] = {}
    for index in _CPU0_CACHES.glob("index*"):
        try:
            level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
            if kind in ("Data", "Unified"):
                found[int(level)] = int(size[:-1]) * _UNITS[size[-1]] if size[-1] in _UNITS else int(size)
        except (OSError, ValueError, IndexError):
            continue
    return found
