"""When a measured number is not to be believed."""

from __future__ import annotations

import math

from harness.contract import KernelSpec, Measurement

MOST_SPREAD = 0.35
MOST_WAITED = 0.1
PEAK_MARGIN = 1.15
EVENT_MARGIN = 1.5
EVENT_SLACK_S = 2e-4
CLOCK_RESOLUTION_S = 2e-7


def doubt(flops: int, density: float, kernel: KernelSpec, result: Measurement) -> str:
    """Why ``result`` is implausible for ``flops`` dense FLOP at ``density``, or an empty string.

    Rules: waiting for a CPU, spread, time below the clock's resolution, more arithmetic than the FMA peak measured
    beside it allows, device events that disagree with the wall clock.
    """
    clocks = result.clocks
    for name in ("end_to_end_s", "kernel_s", "device_s"):
        seconds = getattr(clocks, name)
        if seconds is not None and not (math.isfinite(seconds) and seconds >= 0):
            return f"the clock {name} says {seconds}"
    if clocks.end_to_end_s < CLOCK_RESOLUTION_S:
        return f"{clocks.end_to_end_s * 1e9:.0f} ns a call is below the clock's resolution"
    if clocks.waited > MOST_WAITED:
        return f"waited for a CPU during {clocks.waited:.0%} of the time (allowed {MOST_WAITED:.0%}): other programs are running"
    if result.spread > MOST_SPREAD:
        return f"spread {result.spread:.0%} over {result.repetitions} repetitions (allowed {MOST_SPREAD:.0%}): the machine is noisy"
    executed = flops * density if kernel.sparse else flops
    if kernel.method in ("dense", "direct_sparse", "lowered_sparse") and result.peak_gflops:
        share = executed / clocks.end_to_end_s / 1e9 / result.peak_gflops
        if share > PEAK_MARGIN * _padding_allowance(kernel):
            return f"{share:.0%} of the FMA peak measured in between"
    if clocks.device_s is not None:
        if clocks.device_s > clocks.end_to_end_s * EVENT_MARGIN + EVENT_SLACK_S:
            return f"device events {clocks.device_s * 1e6:.0f} us exceed wall time {clocks.end_to_end_s * 1e6:.0f} us"
        if clocks.kernel_s > clocks.device_s * EVENT_MARGIN * 2 + 10 * EVENT_SLACK_S:
            return f"device events {clocks.device_s * 1e6:.0f} us fall far short of the kernel's wall time {clocks.kernel_s * 1e6:.0f} us"
    return ""


def _padding_allowance(kernel: KernelSpec) -> float:
    """Direct kernels may skip padding taps, which the FLOP count includes (up to a third on 7x7 maps)."""
    return 1.35 if kernel.method in ("dense", "direct_sparse") else 1.0
