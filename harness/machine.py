"""Where a run took place: enough to tell two machines apart, nothing private."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import harness


def describe_machine() -> dict[str, Any]:
    """CPU model, cores allowed, memory, load, operating system, Python."""
    return {
        "cpu": cpu_model(),
        "cores": allowed_cores(),
        "memory_gib": _memory_gib(),
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "os": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "python": platform.python_version(),
    }


def cpu_model() -> str:
    """The CPU's own name, or the architecture where it does not tell."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def allowed_cores() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def own_versions() -> dict[str, str]:
    """Versions of breakeven and of what its core rests on."""
    return {
        "breakeven": harness.__version__,
        "numpy": np.__version__,
        **{name: metadata.version(name) for name in ("pluggy", "hydra-core", "rich")},
    }


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None
