"""Timing probes: the calmest attempt counts, time is bounded, a backend without a peak is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.contract import Clocks, Hardware, InputError, KernelSpec, Quantity, Support
from harness.modelling import probing
from harness.modelling.probing import calibrate_kernel, time_probe
from perfmodel import Problem
from perfmodel.probes import Probe

HARDWARE = Hardware(
    "v",
    "toaster",
    numbers={"peak_flops": Quantity(1e11, "FLOP/s"), "bandwidth": Quantity(1e10, "B/s"), "call_overhead": Quantity(1e-6, "s")},
)
SPEC = KernelSpec("fast", "direct_sparse", "made up")
PROBE = Probe(Problem.parse("ic16ih6oc16kh3ph1"), 0.2)


class Worker:
    """Answers as a worker would, from a list of seconds."""

    alive = True

    def __init__(self, seconds, peak):
        self.seconds, self.peak = seconds, peak

    def call(self, method, *words, timeout_s=None):
        if method == "sample":
            value = next(self.seconds)
            return Clocks(value, value)
        return {"fma_peak": self.peak, "supports": Support(True)}.get(method)


def team(seconds, peak=1e11):
    worker = Worker(iter(seconds), peak)
    return SimpleNamespace(
        spec=SimpleNamespace(name="made-up"),
        threads=1,
        kernels=(SPEC,),
        kernel_options={},
        worker=lambda: worker,
        on_stage=lambda stage: worker,
    )


def test_a_calm_probe_is_timed_once():
    sample = time_probe(team([1e-3] * probing.REPETITIONS), SPEC, PROBE, 1.0)
    assert (sample.seconds, sample.peak_flops, sample.problem) == (1e-3, 1e11, PROBE.problem)


def test_a_disturbed_probe_is_timed_again_and_the_calmest_attempt_counts():
    noisy = [1e-3, 4e-3, 1e-3, 4e-3, 1e-3, 4e-3, 4e-3]
    assert time_probe(team([*noisy, *[2e-3] * probing.REPETITIONS]), SPEC, PROBE, 1.0).seconds == 2e-3
    less = [1e-3, 2e-3, 1e-3, 2e-3, 1e-3, 2e-3, 2e-3]
    assert time_probe(team([*noisy, *less, *noisy]), SPEC, PROBE, 1.0).seconds == 2e-3


def test_a_backend_without_a_peak_is_refused():
    with pytest.raises(InputError, match="backend 'made-up' gives no FMA peak, so its kernels cannot be calibrated"):
        time_probe(team([1e-3] * 50, peak=None), SPEC, PROBE, 1.0)


def test_time_is_bounded_and_the_kernel_keeps_its_probes(monkeypatch):
    def endless():
        while True:
            yield 1e-3

    monkeypatch.setattr(probing, "BUDGET_S", 0.0)
    ticks = []
    kernel = calibrate_kernel(team(endless()), SPEC, HARDWARE, (), 1.0, lambda done, total: ticks.append((done, total)))
    assert len(kernel.parameters.probes) == probing.LEAST_PROBES
    assert ticks[-1] == (probing.LEAST_PROBES, probing.PROBES)
    assert kernel.parameters.costs
    assert kernel.date
