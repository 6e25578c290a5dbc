"""Waiting for a CPU and sharing a core are noticed, and a disturbed sample is taken again."""

import numpy as np

from harness import pace, runqueue
from harness.contract import Clocks, Problem
from harness.measuring import TRIES, Sampler, Samples


def test_the_system_tells_or_zero(tmp_path, monkeypatch):
    assert runqueue.waited_s() >= 0
    file = tmp_path / "schedstat"
    file.write_text("5000000000 2500000000 17\n")
    monkeypatch.setattr(runqueue, "_SCHEDSTAT", file)
    assert runqueue.waited_s() == 2.5
    for broken in ("", "1", "a b c"):
        file.write_text(broken)
        assert runqueue.waited_s() == 0
    monkeypatch.setattr(runqueue, "_SCHEDSTAT", tmp_path / "absent")
    assert runqueue.waited_s() == 0


class Steady:
    """A plan whose calls take one second each, as it says."""

    problem = Problem.parse("ic1ih2oc1kh1")
    makes_output = False

    def __init__(self):
        self.calls, self.outs = 0, []

    def run_clocked(self, x, out):
        self.calls += 1
        self.outs.append(out)
        return out, Clocks(1.0, 1.0)


def sampled(monkeypatch, waits):
    """The sample and the number of calls when the process waits ``waits`` seconds in each try.

    A call that is too long to be repeated has one before it that is not counted.
    """
    total, readings = 0.0, []
    for wait in waits:
        readings += [total, total + wait]
        total += wait
    feed = iter(readings)
    monkeypatch.setattr("harness.measuring.waited_s", lambda: next(feed))
    clock = iter(range(1000))
    monkeypatch.setattr("harness.measuring.time.perf_counter", lambda: float(next(clock)))
    plan = Steady()
    return Sampler(plan, np.zeros(plan.problem.input_shape, np.float32)).sample(), plan.calls


def test_a_quiet_sample_is_taken_once(monkeypatch):
    clocks, tries = sampled(monkeypatch, [0.0])
    assert (clocks.end_to_end_s, clocks.waited, tries) == (1.0, 0.0, 2)


def test_a_disturbed_sample_is_taken_again(monkeypatch):
    clocks, tries = sampled(monkeypatch, [0.5, 0.3, 0.01])
    assert (round(clocks.waited, 6), tries) == (0.01, 2 * 3)


def test_the_least_disturbed_counts_when_all_are(monkeypatch):
    clocks, tries = sampled(monkeypatch, [0.5, 0.2, 0.4, 0.3])
    assert (round(clocks.waited, 6), tries) == (0.2, 2 * TRIES)


def test_an_engine_that_makes_its_own_output_is_timed_without_out():
    x = np.zeros(Steady.problem.input_shape, np.float32)
    for makes_output in (False, True):
        plan = Steady()
        plan.makes_output = makes_output
        sampler = Sampler(plan, x)
        sampler.sample()
        sampler.cold_sample()
        assert all((out is None) == makes_output for out in plan.outs)


def on_a_core(monkeypatch, paces, patience_s=10.0):
    """The sample of a plan, and its calls, when the core's pace reads ``paces`` one after the other; its best is 1."""
    feed = iter(paces)
    monkeypatch.setattr(pace, "_best", [1.0])
    monkeypatch.setattr(pace, "PAUSE_S", 0.0)
    monkeypatch.setattr(pace, "pace", lambda: next(feed))
    monkeypatch.setattr("harness.measuring.waited_s", lambda: 0.0)
    plan = Steady()
    return Sampler(plan, np.zeros(plan.problem.input_shape, np.float32)).sample(patience_s), plan.calls


def test_a_patient_sample_waits_for_a_core_of_its_own(monkeypatch):
    clocks, calls = on_a_core(monkeypatch, [0.5, 0.5, 0.97, 0.99])
    assert (clocks.pace, calls) == (0.97, 2)


def test_a_sample_during_which_the_core_became_shared_is_taken_again(monkeypatch):
    clocks, calls = on_a_core(monkeypatch, [1.0, 0.5, 0.98, 1.0])
    assert (clocks.pace, calls) == (0.98, 4)


def test_without_time_left_the_sample_tells_that_the_core_was_shared(monkeypatch):
    clocks, _ = on_a_core(monkeypatch, [0.5] * 20, patience_s=1e-9)
    assert clocks.pace == 0.5 and pace.shared(clocks.pace)
    assert Samples([clocks, Clocks(1.0, 1.0, pace=0.9), Clocks(1.0, 1.0)]).measurement(0.0).shared == 1 / 3


def test_without_patience_nobody_looks_at_the_pace(monkeypatch):
    clocks, calls = on_a_core(monkeypatch, [], patience_s=0.0)
    assert (clocks.pace, calls) == (0.0, 2)


def test_the_best_pace_is_remembered_and_can_be_learnt(monkeypatch):
    monkeypatch.setattr(pace, "_best", [0.0])
    first = pace.pace()
    assert pace.best() == first > 0 and not pace.shared(first)
    pace.learn(first * 2)
    assert pace.shared(first)
    assert pace.watch(0.01) == first * 2
