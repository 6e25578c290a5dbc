"""Measure a device's hardware numbers through OpenCL in a few seconds, beside what it declares, and doubt what cannot be."""

from __future__ import annotations

import time

from backends.opencl import probes
from backends.opencl.probes import FmaProbe, Probe
from backends.opencl.session import Session
from harness.contract import Quantity

_MOST_SPREAD = 0.5
_MOST_TIMES = 4.0  # a second pipe and a clock above the declared one
_MOST_PER_UNIT = 64 * 6e9  # FLOP/s of a CPU's core: 64 a cycle at 6 GHz
_LONGEST_CALL = 10e-3


def hardware_numbers(session: Session, fma: FmaProbe) -> dict[str, Quantity]:
    """Peak (FLOP/s), bandwidths of memory and local memory (B/s) and launch overhead (s), then what the device declares."""
    date = time.strftime("%Y-%m-%d")
    measured = {
        "peak_flops": (probes.summary([fma.rate() for _ in range(9)]), "FLOP/s"),
        "bandwidth": (probes.bandwidth(session), "B/s"),
        "bandwidth_local": (probes.local_bandwidth(session), "B/s"),
        "call_overhead": (probes.launch_latency(session), "s"),
    }
    declared = declared_numbers(session, date)
    nominal = float(declared["nominal_flops"]) if "nominal_flops" in declared else None
    reasons = doubts({name: probe for name, (probe, _) in measured.items()}, nominal, session.units if session.is_cpu else None)
    numbers = {name: Quantity(p.value, unit, "measured", date, p.spread, reasons.get(name, "")) for name, (p, unit) in measured.items()}
    return numbers | declared


def declared_numbers(session: Session, date: str) -> dict[str, Quantity]:
    """Compute units, memories, and for a CPU that names its clock the rate that follows; 0 stands for not declared."""
    device, units = session.device, session.units
    numbers = {"cores": Quantity(units, "1", "declared", date)}
    sizes = {"cache_global": device.global_mem_cache_size, "cache_local": device.local_mem_size}
    numbers |= {name: Quantity(size, "B", "declared", date) for name, size in sizes.items() if size}
    hertz = 1e6 * device.max_clock_frequency
    if hertz and session.is_cpu:
        lanes = int(device.native_vector_width_float) or session.vector_width
        how = f"{units} compute units x {hertz / 1e9:.2f} GHz x {lanes} lanes x 2"
        numbers["nominal_flops"] = Quantity(units * hertz * lanes * 2, "FLOP/s", "declared", date, source=how)
    return numbers


def doubts(measured: dict[str, Probe], nominal: float | None, cores: int | None) -> dict[str, str]:
    """Name to reason for each value that cannot be right; ``nominal`` FLOP/s as declared and ``cores`` of a CPU, None where unknown."""
    found = {
        name: f"samples spread by {probe.spread:.0%} of their median" for name, probe in measured.items() if probe.spread > _MOST_SPREAD
    }
    peak = measured["peak_flops"].value
    if cores and peak > _MOST_PER_UNIT * cores:
        found["peak_flops"] = f"above 64 FLOP a cycle at 6 GHz on {cores} cores"
    elif nominal and not nominal / 10 <= peak <= _MOST_TIMES * nominal:
        found["peak_flops"] = f"{peak / nominal:.2g} times the {nominal / 1e9:.0f} GFLOP/s that the device declares"
    if measured["bandwidth_local"].value < measured["bandwidth"].value:
        found["bandwidth_local"] = "slower than bandwidth"
    if not 0 < measured["call_overhead"].value <= _LONGEST_CALL:
        found["call_overhead"] = f"not from 0 to {_LONGEST_CALL * 1e3:.0f} ms"
    return found
