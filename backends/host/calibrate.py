"""Measure this machine's hardware numbers in a few seconds: no counters, no privileges."""

from __future__ import annotations

import datetime
import itertools
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np

from backends.host import _host, probes
from backends.host.machine import Machine, declared_hertz, this_machine
from perfmodel.hardware import Hardware, Quantity

ROUNDS = 5
_MIB = 1 << 20
_MOST_FLOP_PER_CYCLE, _MOST_HERTZ = 64, 6e9
_MOST_SPREAD = 0.5
_LANES = {"avx512": 16, "avx2": 8}

Probe = tuple[str, str, Callable[[], list[float]]]


def calibrate(threads: int) -> Hardware:
    """Every number of :func:`hardware_numbers` as a :class:`Hardware` of this CPU."""
    machine = this_machine()
    return Hardware(machine.vendor, machine.model, driver(machine, threads), hardware_numbers(machine, threads))


def driver(machine: Machine, threads: int) -> str:
    """What stands for a driver on a CPU: instruction set and number of threads."""
    return f"{machine.isa}, {threads} thread{'s' if threads > 1 else ''}"


def hardware_numbers(machine: Machine, threads: int) -> dict[str, Quantity]:
    """Measure peak, bandwidths (B/s), loads feeding multiply-adds (FLOP/s) and call overhead (s).

    Rounds over all probes are interleaved, so that a slow phase hits every number alike; each value is
    the median of all samples and its spread their inter-quartile range over the median.
    """
    todo = list(_probes(machine, threads))
    samples: dict[str, list[float]] = {name: [] for name, _, _ in todo}
    for _ in range(ROUNDS):
        for name, _, sample in todo:
            samples[name] += sample()
    today = datetime.date.today().isoformat()
    rates = {name: probes.median_rate(samples[name]) for name in samples}
    reasons = doubts({name: rate.value for name, rate in rates.items()}, threads)
    numbers = {}
    for name, unit, _ in todo:
        rate = rates[name]
        doubt = reasons.get(name, "")
        if not doubt and rate.spread > _MOST_SPREAD:
            doubt = f"samples spread by {rate.spread:.0%} of their median"
        numbers[name] = Quantity(rate.value, unit, "measured", today, rate.spread, doubt)
    return numbers | declared_numbers(machine, threads, today)


def declared_numbers(machine: Machine, threads: int, date: str) -> dict[str, Quantity]:
    """Caches, cores, and the rate that the declared clock gives with one multiply-add of a whole vector a cycle."""
    numbers = {f"cache_l{level}": Quantity(size, "B", "declared", date) for level, size in enumerate(machine.caches, 1)}
    cores, lanes, hertz = probes.cores_for(threads), _LANES.get(machine.isa), declared_hertz()
    if lanes and hertz:
        how = f"{cores} cores x {hertz / 1e9:.2f} GHz x {lanes} lanes x 2"
        numbers["nominal_flops"] = Quantity(cores * hertz * lanes * 2, "FLOP/s", "declared", date, source=how)
    return numbers | {"cores": Quantity(cores, "1", "declared", date)}


def doubts(values: dict[str, float], threads: int) -> dict[str, str]:
    """Name to reason for each value that no machine of today can have."""
    found = {}
    most = _MOST_FLOP_PER_CYCLE * _MOST_HERTZ * threads
    if values["peak_flops"] > most:
        found["peak_flops"] = f"above {_MOST_FLOP_PER_CYCLE} FLOP a cycle at {_MOST_HERTZ / 1e9:.0f} GHz on {threads} cores"
    levels = ("bandwidth_l1", "bandwidth_l2", "bandwidth_l3", "bandwidth_read")
    for near, far in itertools.pairwise(levels):
        if values[near] < 0.9 * values[far]:
            found[near] = f"slower than {far}"
    return found


def _probes(machine: Machine, threads: int) -> Iterator[Probe]:
    """Every probe as name, unit and a function that returns samples."""
    isa, cores = machine.isa, probes.cores_for(threads)
    for name in machine.isas:
        yield ("peak_flops" if name == isa else f"peak_flops_{name}", "FLOP/s", lambda name=name: probes.fma_peak(name, threads))  # type: ignore[misc]
    l1, l2, l3 = machine.caches
    near = {"l1": l1 * 3 // 4, "l2": l2 // 2, "l3": max(2 * l2, min(l3 // 2, 64 * _MIB)) // cores}
    buffers = {level: [np.empty(size, np.uint8) for _ in range(cores)] for level, size in near.items()}
    for level, parts in buffers.items():
        yield f"bandwidth_{level}", "B/s", _streaming("read", isa, parts)
    for level in ("l1", "l2"):
        for kind, unaligned in (("aligned", False), ("unaligned", True)):
            yield f"fma_{level}_{kind}", "FLOP/s", _streaming("fma_load", isa, buffers[level], unaligned)
    far = [np.empty(min(max(4 * l3, 64 * _MIB), 1024 * _MIB) // cores, np.uint8) for _ in range(cores)]
    yield "bandwidth_read", "B/s", _streaming("read", isa, far, samples=1)
    yield "bandwidth", "B/s", _streaming("triad", isa, far, samples=1)
    yield "call_overhead", "s", _call_seconds


def _streaming(kind: str, isa: str, buffers: list[np.ndarray], unaligned: bool = False, samples: int = 5) -> Callable[[], list[float]]:
    return lambda: probes.stream(kind, isa, buffers, unaligned, 0.02, samples)


def _call_seconds(calls: int = 200) -> list[float]:
    """Seconds of a call through the binding of a C kernel that has one pixel to do."""
    x, y, one = np.ones(1, np.float32), np.empty(1, np.float32), np.array([1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1], np.int32)
    taken = []
    for _ in range(calls):
        start = time.perf_counter()
        _host.im2col(x, y, one, 0, 0, 1, 0, 1)
        taken.append(time.perf_counter() - start)
    return [statistics.median(taken)]
