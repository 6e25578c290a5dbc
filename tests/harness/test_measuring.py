"""Timing in this process, against plans whose time is known."""

import math
import types

import numpy as np
import pytest

import harness
from harness.contract import Clocks, InputError, KernelClock, KernelSpec, Plan, PlanRequest, Problem
from harness.measuring import MOST_CALLS, Sampler, Samples

PROBLEM = Problem.parse("mb2ic3ih5oc4kh3")
DENSE = KernelSpec("known", "dense", "takes a known time")


NOW = [0.0]


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that only plans advance, so that a busy machine changes nothing."""
    still = types.SimpleNamespace(perf_counter=lambda: NOW[0])
    monkeypatch.setattr("harness.measuring.time", still)
    monkeypatch.setattr("harness.contract.plan.time", still)


class Known(Plan):
    """Takes the next of ``seconds`` (the last for ever), and says so as its kernel clock."""

    def __init__(self, *seconds, device=None, kernel=DENSE):
        super().__init__(PlanRequest(PROBLEM, kernel, np.ones(PROBLEM.weight_shape, np.float32)), "test")
        self.seconds, self.device, self.runs = list(seconds), device, 0

    def _run(self, x, y):
        self.runs += 1
        seconds = self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0]
        NOW[0] += seconds
        y[...] = 1
        return KernelClock(seconds, self.device)


@pytest.fixture
def x(rng):
    return rng.random(PROBLEM.input_shape, np.float32)


def test_a_known_time_is_found(x):
    plan = Known(2e-3)
    plan.prepare_s = 0.25
    m = harness.measure(plan, x, repetitions=7, cold=2)
    assert m.median_s == pytest.approx(2e-3) and m.median_s == m.clocks.end_to_end_s and m.spread < 1e-9
    assert m.clocks.kernel_s == 2e-3 and m.clocks.device_s is None and m.prepare_s == 0.25
    assert m.cold_s == pytest.approx(2e-3)
    assert m.peak_gflops is None and m.repetitions == 7 and m.status == "passed"


def test_no_cold_calls_unless_asked(x):
    assert harness.measure(Known(1e-3), x, repetitions=1).cold_s is None


def test_the_peak_is_measured_in_between(x):
    plan, peaks = Known(1e-3), iter(range(1, 100))
    plan.peak_probe = lambda: next(peaks) * 1e9
    m = harness.measure(plan, x, repetitions=3)
    assert m.peak_gflops == 2


def test_a_doubtful_result_is_measured_again_and_twice_as_long(x):
    """The first attempt is noisy, the second is not."""
    sampler = Sampler(Known(2e-3), x)
    sampler.warm_up()
    noisy = [2e-3, 9e-3] * 2
    m = harness.measure(Known(*[2e-3] * sampler.plan.runs, *noisy, 2e-3), x, repetitions=4)
    assert m.status == "passed" and m.repetitions == 8 and m.median_s == pytest.approx(2e-3)


def test_what_stays_doubtful_is_mistrusted(x):
    m = harness.measure(Known(1e-3, device=1.0), x, repetitions=2)
    assert m.status == "mistrusted" and "device events 1000000 us exceed wall time" in m.reason
    assert m.repetitions == 4 and m.median_s == pytest.approx(1e-3)


def test_more_than_the_peak_is_mistrusted(x):
    plan = Known(1e-3)
    plan.peak_probe = lambda: PROBLEM.flops / 1e-3 / 4
    m = harness.measure(plan, x, repetitions=2)
    assert m.status == "mistrusted" and "of the FMA peak" in m.reason


def test_short_calls_are_repeated_within_a_sample(x):
    sampler = Sampler(Known(1e-4), x)
    sampler.warm_up()
    assert 19 <= sampler.calls <= 20
    before = sampler.plan.runs
    sampler.sample()
    assert sampler.plan.runs - before == sampler.calls + 1  # one to warm the caches
    tiny = Sampler(Known(0), x)
    tiny.warm_up()
    assert tiny.calls == MOST_CALLS


def test_warm_up_runs_long_calls_three_times(x):
    sampler = Sampler(Known(0.02), x)
    sampler.warm_up()
    assert sampler.plan.runs == 3 and sampler.calls == 1


def test_medians_and_spread():
    hot = [Clocks(t, t / 2, None if t == 9 else t / 4) for t in (1.0, 2.0, 3.0, 4.0, 9.0)]
    m = Samples(hot, [Clocks(7, 7), Clocks(9, 9), Clocks(8, 8)], [5e9, 6e9, 50e9]).measurement(0.5)
    assert (m.median_s, m.clocks, m.repetitions, m.cold_s, m.peak_gflops) == (3, Clocks(3, 1.5, 0.625), 5, 8, 6)
    assert math.isclose(m.spread, (4 - 2) / 3)


@pytest.mark.parametrize("repetitions", [0, -1])
def test_fewer_than_one_repetition_is_refused(x, repetitions):
    with pytest.raises(InputError, match=f"repetitions is {repetitions}; allowed: a whole number of at least 1"):
        harness.measure(Known(1e-3), x, repetitions=repetitions)


def test_a_wrong_input_is_refused(x):
    with pytest.raises(InputError, match="x has dtype float64"):
        harness.measure(Known(1e-3), x.astype(np.float64))
