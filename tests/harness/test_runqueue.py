"""Waiting for a CPU is noticed, and a disturbed sample is taken again."""

import numpy as np

from harness import runqueue
from harness.contract import Clocks, Problem
from harness.measuring import TRIES, Sampler


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
    """The sample and the number of tries when the process waits ``waits`` seconds in each."""
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
    assert (clocks.end_to_end_s, clocks.waited, tries) == (1.0, 0.0, 1)


def test_a_disturbed_sample_is_taken_again(monkeypatch):
    clocks, tries = sampled(monkeypatch, [0.5, 0.3, 0.01])
    assert (round(clocks.waited, 6), tries) == (0.01, 3)


def test_the_least_disturbed_counts_when_all_are(monkeypatch):
    clocks, tries = sampled(monkeypatch, [0.5, 0.2, 0.4, 0.3])
    assert (round(clocks.waited, 6), tries) == (0.2, TRIES)


def test_an_engine_that_makes_its_own_output_is_timed_without_out():
    x = np.zeros(Steady.problem.input_shape, np.float32)
    for makes_output in (False, True):
        plan = Steady()
        plan.makes_output = makes_output
        sampler = Sampler(plan, x)
        sampler.sample()
        sampler.cold_sample()
        assert all((out is None) == makes_output for out in plan.outs)
