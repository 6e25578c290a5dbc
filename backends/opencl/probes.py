"""Numbers measured through OpenCL on the (sub-)device in use: FMA peak, bandwidths, launch latency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from backends.opencl.session import Session, Step

_FMA_SECONDS = 2e-3


class Probe(NamedTuple):
    """A median with its relative inter-quartile range."""

    value: float
    spread: float


class FmaProbe:
    """Independent chains of multiply-adds in registers; rate in FLOP/s."""

    def __init__(self, session: Session) -> None:
        self._session = session
        width = min(16, session.vector_width) if session.is_cpu else 1
        self._group = 1 if session.is_cpu else 256
        self._items = self._group * session.units * (4 if session.is_cpu else 16)
        chains, repeat = 10, 1 if session.is_cpu else 16
        defines = {"WIDTH": width, "CHAINS": chains, "GROUP": self._group, "REPEAT": repeat}
        self._kernel = session.kernel("probes.cl", "fma_chains", defines)
        self._out = session.floats(self._items)
        self._flop = 2.0 * width * chains * repeat * self._items
        self._turns = 1000
        for _ in range(6):  # the first launch also finishes compiling
            seconds = self._launch()
            if seconds < _FMA_SECONDS / 2:
                self._turns = int(self._turns * min(16.0, 1.2 * _FMA_SECONDS / max(seconds, 1e-6)))

    def _launch(self) -> float:
        step = self._session.step(self._kernel, (self._items,), (self._group,), self._out, np.float32(0.5), self._turns)
        return self._session.launch([step]).wall_s

    def rate(self, repetitions: int = 3) -> float:
        """Best of a few launches of about 2 ms each: a launch that was disturbed says nothing of the peak."""
        return self._flop * self._turns / min(self._launch() for _ in range(repetitions))


def bandwidth(session: Session, repetitions: int = 15) -> Probe:
    """Triad a = b + s * c on arrays that no cache holds, three arrays counted, B/s."""
    count = int(min(session.largest_buffer // 4, 1 << 25 if session.is_cpu else 1 << 27)) // 4096 * 4096
    arrays = [session.floats(count, zeroed=True) for _ in range(3)]
    kernel = session.kernel("probes.cl", "triad", {"WIDTH": 1, "CHAINS": 1, "GROUP": 1})
    step = session.step(kernel, (count // 4,), (64,), *arrays, np.float32(0.5))
    return _rate(session, step, 12.0 * count, repetitions)


def local_bandwidth(session: Session, repetitions: int = 15) -> Probe:
    """Reads of local memory by neighbouring work-items, B/s."""
    turns, group = 2000, 64 if session.is_cpu else 256
    groups = session.units * (4 if session.is_cpu else 16)
    kernel = session.kernel("probes.cl", "local_reads", {"WIDTH": 1, "CHAINS": 1, "GROUP": group})
    step = session.step(kernel, (group * groups,), (group,), session.floats(group * groups), turns)
    return _rate(session, step, 4.0 * 16 * turns * group * groups, repetitions)


def launch_latency(session: Session, repetitions: int = 200) -> Probe:
    """Wall seconds of an almost empty launch, from the call to its end."""
    kernel = session.kernel("probes.cl", "touch", {"WIDTH": 1, "CHAINS": 1, "GROUP": 1})
    step = session.step(kernel, (1,), (1,), session.floats(1))
    return summary([session.launch([step]).wall_s for _ in range(repetitions)][repetitions // 4 :])


def _rate(session: Session, step: Step, amount: float, repetitions: int) -> Probe:
    session.launch([step])
    return summary([amount / session.launch([step]).wall_s for _ in range(repetitions)])


def summary(values: Sequence[float]) -> Probe:
    """Median and relative inter-quartile range."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return Probe(float(middle), float((high - low) / middle))
