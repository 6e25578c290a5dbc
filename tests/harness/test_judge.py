"""Doubtful numbers: each rule just inside and just outside its limit."""

import math

import pytest

from harness.contract import Clocks, KernelSpec, Measurement
from harness.judge import doubt

DENSE, SPARSE = KernelSpec("d", "dense", "x"), KernelSpec("s", "direct_sparse", "x")
LOWERED, WINOGRAD = KernelSpec("l", "lowered_sparse", "x"), KernelSpec("w", "winograd", "x")


def result(end=1e-3, kernel=None, device=None, spread=0.1, peak=100.0, waited=0.0):
    clocks = Clocks(end, end if kernel is None else kernel, device, waited)
    return Measurement(end, spread, clocks, 0.0, 15, peak)


@pytest.mark.parametrize(
    ("gflop", "density", "kernel", "measured", "words"),
    [
        (0.1, 1, DENSE, result(), ""),
        (0.1, 1, DENSE, result(spread=0.34), ""),
        (0.1, 1, DENSE, result(spread=0.36), "spread 36% over 15 repetitions (allowed 35%): the machine is noisy"),
        (0.1, 1, DENSE, result(waited=0.09), ""),
        (0.1, 1, DENSE, result(waited=0.2), "waited for a CPU during 20% of the time (allowed 10%): other programs are running"),
        (0.0, 1, DENSE, result(end=1e-7), "100 ns a call is below the clock's resolution"),
        (0.15, 1, DENSE, result(), ""),  # padding taps may be skipped: up to 1.35 x 1.15 of the peak
        (0.16, 1, DENSE, result(), "160% of the FMA peak"),
        (1.5, 0.1, SPARSE, result(), ""),
        (1.6, 0.1, SPARSE, result(), "160% of the FMA peak"),
        (0.12, 1, LOWERED, result(), "120% of the FMA peak"),
        (0.25, 1, WINOGRAD, result(), ""),  # does less arithmetic than it counts
        (9.0, 1, DENSE, result(peak=None), ""),
        (0.1, 1, DENSE, result(device=1.6e-3), ""),
        (0.1, 1, DENSE, result(device=1.8e-3), "device events 1800 us exceed wall time 1000 us"),
        (0.1, 1, DENSE, result(end=9e-3, device=1e-3), "fall far short of the kernel's wall time 9000 us"),
        (0.1, 1, DENSE, result(end=math.nan), "the clock end_to_end_s says nan"),
        (0.1, 1, DENSE, result(kernel=math.inf), "the clock kernel_s says inf"),
        (0.1, 1, DENSE, result(kernel=-1.0), "the clock kernel_s says -1.0"),
        (0.1, 1, DENSE, result(device=math.nan), "the clock device_s says nan"),
    ],
)
def test_rules(gflop, density, kernel, measured, words):
    reason = doubt(round(gflop * 1e9), density, kernel, measured)
    assert words in reason and bool(words) == bool(reason)
