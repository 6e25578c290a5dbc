"""Timing probes: the calmest attempt counts, time is bounded, a backend without a peak is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness import pace
from harness.config import MeasureConfig
from harness.contract import Clocks, Hardware, InputError, KernelSpec, Quantity, Support
from harness.modelling import probing
from harness.modelling.probing import calibrate_kernel, time_probe
from perfmodel import Problem
from perfmodel.calibrate import Sample
from perfmodel.probes import Probe

HARDWARE = Hardware(
    "v",
    "toaster",
    numbers={"peak_flops": Quantity(1e11, "FLOP/s"), "bandwidth": Quantity(1e10, "B/s"), "call_overhead": Quantity(1e-6, "s")},
)
SPEC = KernelSpec("fast", "direct_sparse", "made up")
AT_ONCE = MeasureConfig(timeout_s=1.0)
PROBE = Probe(Problem.parse("ic16ih6oc16kh3ph1"), 0.2)


class Worker:
    """Answers as a worker would, from a list of seconds, or of seconds and the pace of the core."""

    alive = True

    def __init__(self, seconds, peak):
        self.seconds, self.peak = seconds, peak

    def call(self, method, *words, timeout_s=None):
        if method == "sample":
            value = next(self.seconds)
            seconds, seen = value if isinstance(value, tuple) else (value, 0.0)
            return Clocks(seconds, seconds, pace=seen)
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
    sample, shared = time_probe(team([1e-3] * probing.REPETITIONS), SPEC, PROBE, AT_ONCE)
    assert shared == 0
    assert (sample.seconds, sample.peak_flops, sample.problem) == (1e-3, 1e11, PROBE.problem)


def test_a_disturbed_probe_is_timed_again_and_the_calmest_attempt_counts():
    noisy = [1e-3, 4e-3, 1e-3, 4e-3, 4e-3]
    assert time_probe(team([*noisy, *[2e-3] * probing.REPETITIONS]), SPEC, PROBE, AT_ONCE)[0].seconds == 2e-3
    less = [1e-3, 2e-3, 1e-3, 2e-3, 2e-3]
    assert time_probe(team([*noisy, *less, *noisy]), SPEC, PROBE, AT_ONCE)[0].seconds == 2e-3


def test_an_attempt_on_a_shared_core_is_followed_by_another(monkeypatch):
    monkeypatch.setattr(pace, "_best", [1.0])
    crowded, free = [(1e-3, 0.5)] * probing.REPETITIONS, [(2e-3, 1.0)] * probing.REPETITIONS
    patient = MeasureConfig(timeout_s=1.0, patience_s=0.1)
    sample, shared = time_probe(team([*crowded, *free]), SPEC, PROBE, patient)
    assert (sample.seconds, shared) == (2e-3, 0)
    sample, shared = time_probe(team(crowded * probing.ATTEMPTS), SPEC, PROBE, patient)
    assert (sample.seconds, shared) == (1e-3, 1)


def test_a_backend_without_a_peak_is_refused():
    with pytest.raises(InputError, match="backend 'made-up' gives no FMA peak, so its kernels cannot be calibrated"):
        time_probe(team([1e-3] * 50, peak=None), SPEC, PROBE, AT_ONCE)


def test_time_is_bounded_and_the_kernel_keeps_its_probes(monkeypatch):
    def endless():
        while True:
            yield 1e-3

    monkeypatch.setattr(probing, "BUDGET_S", 0.0)
    ticks = []
    kernel = calibrate_kernel(team(endless()), SPEC, HARDWARE, (), AT_ONCE, lambda done, total: ticks.append((done, total)))
    assert len(kernel.parameters.probes) == probing.LEAST_PROBES
    assert ticks[-1] == (probing.LEAST_PROBES, probing.PROBES)
    assert kernel.parameters.costs
    assert kernel.date


def test_probes_taken_on_a_shared_core_are_left_out_where_enough_others_remain(monkeypatch):
    def timed(enough):
        found = iter(range(10**6))
        return lambda team, spec, probe, measure: (Sample(*probe, 1e-3, 1e11), float(next(found) >= enough))

    monkeypatch.setattr(probing, "time_probe", timed(probing.LEAST_PROBES + 3))
    kernel = calibrate_kernel(team([]), SPEC, HARDWARE, (), AT_ONCE, lambda done, total: None)
    assert (len(kernel.parameters.probes), kernel.left_out) == (probing.LEAST_PROBES + 3, probing.PROBES - probing.LEAST_PROBES - 3)
    monkeypatch.setattr(probing, "time_probe", timed(probing.LEAST_PROBES - 1))
    kernel = calibrate_kernel(team([]), SPEC, HARDWARE, (), AT_ONCE, lambda done, total: None)
    assert (len(kernel.parameters.probes), kernel.left_out) == (probing.PROBES, 0)
