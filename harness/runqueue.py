"""How long this process was ready to run but had no CPU: what makes long calls look slow on a busy machine."""

from __future__ import annotations

from pathlib import Path

_SCHEDSTAT = Path("/proc/self/schedstat")


def waited_s() -> float:
    """Seconds that the main thread has waited for a CPU since it started; 0 where the system does not tell."""
    try:
        return int(_SCHEDSTAT.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
