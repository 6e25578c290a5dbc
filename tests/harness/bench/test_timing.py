"""Attempts at timing: as many as doubt asks for, the least doubtful as a whole."""

import pytest

from harness.bench import timing
from harness.bench.cases import Case
from harness.bench.entry import Entry
from harness.config import MeasureConfig
from harness.contract import Clocks, KernelSpec, Problem
from harness.networks import Layer
from harness.workers import WorkerError
from harness.workers.service import Prepared

PROBLEM = Problem.parse("ic4ih9oc4kh3")
CASE = Case(Layer("a", PROBLEM), PROBLEM, 0.5, None, 0)
CONFIG = MeasureConfig(repetitions=3, cold=2)


class Team:
    """Answers from a script instead of a worker; ``seconds`` gives the time of each sample."""

    def __init__(self, name, seconds, log, fails=""):
        self.spec, self.seconds, self.log, self.fails = type("Spec", (), {"name": name}), seconds, log, fails

    def worker(self):
        return self

    def call(self, method):
        self.log.append("peak" if method == "fma_peak" else method)
        return 1e11


class Scripted(Entry):
    """An entry whose calls are answered by its team."""

    def call(self, method):
        self.team.log.append(f"{self.team.spec.name}:{method}")
        if self.team.fails == method:
            raise WorkerError("it broke")
        if method == "cold_sample":
            return Clocks(9.0, 9.0)
        seconds = next(self.team.seconds) if method == "sample" else 1.0
        return Clocks(seconds, seconds)


@pytest.fixture
def log():
    return []


def entry(name, seconds, log, fails=""):
    made = Scripted(Team(name, iter(seconds), log, fails), KernelSpec("k", "dense", "x"), None)
    made.prepared = Prepared(0.5, "")
    return made


def time_all(entries):
    ticks = []
    timing.time_entries(CASE, entries, CONFIG, lambda: ticks.append(1))
    return len(ticks)


def test_rounds_are_interleaved_with_the_peak_in_between(log):
    entries = [entry("a", [1.0] * 9, log), entry("b", [2.0] * 9, log)]
    assert time_all(entries) == 3
    assert log[:2] == ["a:warm_up", "b:warm_up"]
    assert log[2:14] == ["a:sample", "b:sample", "peak", "peak"] * 3
    assert log[14:] == ["a:cold_sample"] * 2 + ["b:cold_sample"] * 2
    first = entries[0].measurement
    assert (first.median_s, first.cold_s, first.repetitions, first.prepare_s, first.peak_gflops) == (1, 9, 3, 0.5, 100)


def test_doubt_asks_for_longer_attempts_and_the_good_one_counts(log):
    noisy, steady = [1.0, 5.0, 9.0], [1.0] * 6
    entries = [entry("a", noisy + steady, log), entry("b", [2.0] * 9, log)]
    assert time_all(entries) == 3 + 6
    assert [e.measurement.status for e in entries] == ["passed", "passed"]
    assert [e.measurement.repetitions for e in entries] == [6, 6]


def test_what_stays_doubtful_is_mistrusted_and_others_are_not(log):
    entries = [entry("a", [1.0, 5.0, 9.0] * 6, log), entry("b", [2.0] * 18, log)]
    assert time_all(entries) == 3 + 6 + 9
    assert entries[0].measurement.status == "mistrusted" and "spread" in entries[0].measurement.reason
    assert entries[1].measurement.status == "passed"


def test_the_least_doubtful_attempt_counts_as_a_whole(log):
    entries = [entry("a", [1.0, 1.6, 2.2] * 6, log), entry("b", [2.0] * 3 + [1.0, 9.0] * 10, log)]
    time_all(entries)
    assert [e.measurement.repetitions for e in entries] == [3, 3]
    assert [e.measurement.status for e in entries] == ["mistrusted", "passed"]


@pytest.mark.parametrize("method", ["warm_up", "sample", "cold_sample"])
def test_one_that_breaks_leaves_and_the_rest_goes_on(log, method):
    entries = [entry("a", [1.0] * 9, log, method), entry("b", [2.0] * 9, log)]
    time_all(entries)
    assert (entries[0].status, entries[0].reason) == ("failed", "it broke")
    assert entries[1].status is None and entries[1].measurement.status == "passed"
