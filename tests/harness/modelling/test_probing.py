"""Timing probes: the faster of two visits counts, time is bounded, a backend without a peak is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness import pace
from harness.config import MeasureConfig
from harness.contract import Clocks, Hardware, InputError, KernelSpec, Quantity, Support
from harness.modelling import probing
from harness.modelling.probing import Visit, calibrate_kernel, time_probe
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


def test_a_visit_is_the_median_of_its_samples_beside_the_best_peak():
    timed = team([1e-3, 5e-3, 2e-3])
    timed.worker().call = peaks_of(timed.worker().call, [0.9e11, 1.1e11])
    sample, shared = time_probe(timed, SPEC, PROBE, AT_ONCE)
    assert (sample.seconds, sample.peak_flops, sample.problem, shared) == (2e-3, 1.1e11, PROBE.problem, 0)


def peaks_of(call, peaks):
    left = iter(peaks)
    return lambda method, *words, **named: next(left) if method == "fma_peak" else call(method, *words, **named)


def test_a_visit_tells_how_often_the_core_was_shared(monkeypatch):
    monkeypatch.setattr(pace, "_best", [1.0])
    patient = MeasureConfig(timeout_s=1.0, patience_s=0.01)
    crowded = time_probe(team([(1e-3, 0.5)] * 100), SPEC, PROBE, patient)
    assert (crowded.shared, crowded.own) == (1, False)
    assert time_probe(team([(1e-3, 1.0)] * 100), SPEC, PROBE, patient).own


def visits(rows, seconds=60.0):
    """The seconds believed for probes 0, 1, ... of which ``rows`` holds those (or seconds and share) of each visit."""
    left = [list(row) for row in rows]
    ticks = []

    def visit(number):
        value = left[number].pop(0)
        taken, shared = value if isinstance(value, tuple) else (value, 0.0)
        return Visit(Sample(PROBE.problem, 0.2, taken, 1e11), shared)

    found = probing._visits(range(len(rows)), visit, seconds, lambda done, total: ticks.append((done, total)))
    return [best.sample.seconds for best in found], left, ticks


def test_each_probe_is_visited_twice_and_the_faster_visit_counts():
    assert visits([(2.0, 1.9), (3.0, 3.1)]) == ([1.9, 3.0], [[], []], [(1, 4), (2, 4), (3, 4), (4, 4)])


def test_a_third_visit_follows_two_that_differ():
    believed, left, ticks = visits([(2.0, 3.0, 1.8), (3.0, 3.1, 9.0)])
    assert (believed, left) == ([1.8, 3.0], [[], [9.0]])
    assert ticks[-1] == (4, 4)


def test_a_visit_to_a_core_of_ones_own_is_believed_though_it_took_longer():
    assert visits([((1.0, 1.0), 1.05)])[0] == [1.05]


def test_time_for_one_visit_only_leaves_each_with_that():
    believed, _left, ticks = visits([(2.0, 1.0)] * (probing.LEAST_PROBES + 5), seconds=0.0)
    assert believed == [2.0] * probing.LEAST_PROBES
    assert ticks[-1] == (probing.LEAST_PROBES, 2 * (probing.LEAST_PROBES + 5))


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
    assert ticks[-1] == (probing.LEAST_PROBES, 2 * probing.PROBES)
    assert kernel.parameters.costs
    assert kernel.date


def test_probes_taken_on_a_shared_core_are_left_out_where_enough_others_remain(monkeypatch):
    def timed(enough):
        found = iter(range(10**6))
        return lambda team, spec, probe, measure: Visit(Sample(*probe, 1e-3, 1e11), float(next(found) % probing.PROBES >= enough))

    monkeypatch.setattr(probing, "time_probe", timed(probing.LEAST_PROBES + 3))
    kernel = calibrate_kernel(team([]), SPEC, HARDWARE, (), AT_ONCE, lambda done, total: None)
    assert (len(kernel.parameters.probes), kernel.left_out) == (probing.LEAST_PROBES + 3, probing.PROBES - probing.LEAST_PROBES - 3)
    monkeypatch.setattr(probing, "time_probe", timed(probing.LEAST_PROBES - 1))
    kernel = calibrate_kernel(team([]), SPEC, HARDWARE, (), AT_ONCE, lambda done, total: None)
    assert (len(kernel.parameters.probes), kernel.left_out) == (probing.PROBES, 0)
