"""Microkernels run on several cores at once: rates as medians with their spread."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backends.host import _host
from backends.host.machine import allowed_cpus

Sampler = Callable[[], list[float]]


@dataclass(frozen=True, slots=True)
class Rate:
    """Median over the samples, summed over the threads, and inter-quartile range over median."""

    value: float
    spread: float


def median_rate(samples: list[float]) -> Rate:
    """Median and relative inter-quartile range of samples of one thing."""
    low, middle, high = np.quantile(samples, (0.25, 0.5, 0.75))
    return Rate(float(middle), float((high - low) / middle) if middle > 0 else 0.0)


def cores_for(threads: int) -> int:
    """Cores that so many threads can keep busy here; more threads than cores share them."""
    return min(threads, len(allowed_cpus()))


def fma_peak(isa: str, threads: int, seconds: float = 0.003, samples: int = 7) -> list[float]:
    """FLOP/s of multiply-adds in registers, ``threads`` threads at once, one sum a sample."""
    return at_once([lambda: _host.fma_peak(isa, seconds, samples)] * cores_for(threads))


def stream(kind: str, isa: str, buffers: list[np.ndarray], unaligned: bool = False, seconds: float = 0.02, samples: int = 5) -> list[float]:
    """Rate over one buffer a thread, all at once: B/s of ``read`` or ``triad``, FLOP/s of ``fma_load``."""
    return at_once([_stream_of(kind, isa, buffer, unaligned, seconds, samples) for buffer in buffers])


def _stream_of(kind: str, isa: str, buffer: np.ndarray, unaligned: bool, seconds: float, samples: int) -> Sampler:
    return lambda: _host.stream(isa, kind, buffer, int(unaligned), seconds, samples)


def at_once(samplers: list[Sampler]) -> list[float]:
    """Run every sampler in its own pinned thread, started together, and add up their samples.

    One sampler runs in the calling thread, whose affinity is left alone.
    """
    if len(samplers) == 1:
        return samplers[0]()
    cpus, barrier = allowed_cpus(), threading.Barrier(len(samplers))
    results: list[list[float]] = [[] for _ in samplers]

    def work(index: int) -> None:
        _pin(cpus[index % len(cpus)])
        barrier.wait()
        results[index] = samplers[index]()

    workers = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(len(samplers))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [sum(parts) for parts in zip(*results, strict=True)]


def _pin(cpu: int) -> None:
    """Keep the calling thread on one CPU where the system lets us."""
    if hasattr(os, "sched_setaffinity"):
        try:
            os.sched_setaffinity(0, {cpu})
        except OSError:
            return
