"""Whether a core is ours alone: plain code runs at half its pace while another program works on the core's second hardware thread.

The system does not tell: a virtual machine sees one thread a core, and its neighbours not at all. The FMA peak tells little, since the
multiply-add units are often left to us while decoders and caches are shared. A loop of byte look-ups from the C library of Python has two
clear levels instead.
"""

from __future__ import annotations

import time

SHARED = 0.8
"""A core that runs below this share of its best pace is shared."""

PAUSE_S = 0.003
_TEXT = bytes(range(256)) * 32
_TABLE = bytes(reversed(range(256)))

_best = [0.0]


def pace() -> float:
    """Bytes translated a second at this moment: the better of two goes of a few microseconds."""
    shortest = float("inf")
    for _ in range(2):
        start = time.perf_counter()
        _TEXT.translate(_TABLE)
        shortest = min(shortest, time.perf_counter() - start)
    found = len(_TEXT) / max(shortest, 1e-9)
    learn(found)
    return found


def learn(seen: float) -> None:
    """Remember a pace that was seen here or in another process on the same core."""
    _best[0] = max(_best[0], seen)


def best() -> float:
    """The best pace seen so far."""
    return _best[0]


def shared(seen: float) -> bool:
    """Whether the core was shared when its pace was ``seen``."""
    return seen < SHARED * _best[0]


def watch(seconds: float) -> float:
    """The best pace within ``seconds``: what the core does when it is ours alone, if it is for a moment."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pace()
        time.sleep(PAUSE_S)
    return best()


def await_own_core(end: float) -> float:
    """Wait until the core is not shared, at most until ``end`` (``time.perf_counter``); return the pace."""
    found = pace()
    while shared(found) and time.perf_counter() < end:
        time.sleep(PAUSE_S)
        found = pace()
    return found
