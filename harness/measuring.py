"""Time a plan honestly: warm-up, samples long enough for the clock, medians, the FMA peak in between."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from harness import pace
from harness.caches import evict, touch
from harness.contract import Clocks, InputError, Measurement, Plan
from harness.contract.checks import check_kind
from harness.contract.plan import Array
from harness.judge import doubt
from harness.runqueue import waited_s

SAMPLE_S = 2e-3
WARM_UP_S = 0.03
MOST_CALLS = 200
TRIES = 4
QUIET = 0.02


class Sampler:
    """Repeated calls of one plan on one input; a sample is the median of enough calls for the clock."""

    def __init__(self, plan: Plan, x: Array) -> None:
        self.plan, self.x = plan, x
        self.out = None if plan.makes_output else np.empty(plan.problem.output_shape, np.float32)
        self.calls = 1

    def warm_up(self) -> None:
        """Run until caches, clocks and lazy compilers have settled; choose the number of calls a sample."""
        end = time.perf_counter() + WARM_UP_S
        fastest = float("inf")
        for count in range(MOST_CALLS):
            fastest = min(fastest, self.plan.run_clocked(self.x, self.out)[1].end_to_end_s)
            if time.perf_counter() > end and count >= 2:
                break
        self.calls = int(min(MOST_CALLS, max(1, SAMPLE_S / max(fastest, 1e-9))))

    def sample(self, patience_s: float = 0.0) -> Clocks:
        """Median clocks of one sample, caches hot; taken again when the process had to wait for a CPU meanwhile.

        With ``patience_s`` also when another program shared the core, and only once it does not: as long as patience lasts.
        """
        tries: list[Clocks] = []
        end = time.perf_counter() + patience_s
        while True:
            before = pace.await_own_core(end) if patience_s else 0.0
            clocks = self._sample()
            tries.append(dataclasses.replace(clocks, pace=min(before, pace.pace()) if patience_s else 0.0))
            if pace.shared(tries[-1].pace) and patience_s and time.perf_counter() < end:
                continue
            if clocks.waited <= QUIET or len(tries) >= TRIES:
                return min(tries, key=lambda clocks: (clocks.pace > 0 and pace.shared(clocks.pace), clocks.waited))

    def _sample(self) -> Clocks:
        """One sample, after a call that is not counted, so that caches hold what this kernel leaves there."""
        self.plan.run_clocked(self.x, self.out)
        waited, start = waited_s(), time.perf_counter()
        clocks = _median([self.plan.run_clocked(self.x, self.out)[1] for _ in range(self.calls)])
        share = (waited_s() - waited) / max(time.perf_counter() - start, 1e-9)
        return dataclasses.replace(clocks, waited=share)

    def cold_sample(self) -> Clocks:
        """One call with the weights out of the caches and the input in them."""
        evict()
        touch(self.x)
        if self.out is not None:
            touch(self.out)
        return self.plan.run_clocked(self.x, self.out)[1]


@dataclass
class Samples:
    """What was collected for one plan."""

    hot: list[Clocks] = field(default_factory=list)
    cold: list[Clocks] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)

    def measurement(self, plan_prepare_s: float) -> Measurement:
        """Medians and spread; raises :class:`InputError` when nothing was sampled."""
        if not self.hot:
            raise InputError("no repetitions; allowed: at least 1")
        totals = np.array([c.end_to_end_s for c in self.hot])
        low, middle, high = np.percentile(totals, (25, 50, 75))
        return Measurement(
            median_s=float(middle),
            spread=float((high - low) / middle) if middle > 0 else 0.0,
            clocks=_median(self.hot),
            prepare_s=plan_prepare_s,
            repetitions=len(self.hot),
            peak_gflops=float(np.median(self.peaks)) / 1e9 if self.peaks else None,
            cold_s=float(np.median([c.end_to_end_s for c in self.cold])) if self.cold else None,
            shared=sum(c.pace > 0 and pace.shared(c.pace) for c in self.hot) / len(self.hot),
        )


def _median(clocks: Sequence[Clocks]) -> Clocks:
    """Field by field median."""
    device = [c.device_s for c in clocks if c.device_s is not None]
    return Clocks(
        float(np.median([c.end_to_end_s for c in clocks])),
        float(np.median([c.kernel_s for c in clocks])),
        float(np.median(device)) if device else None,
        float(np.median([c.waited for c in clocks])),
    )


def measure(plan: Plan, x: Array, *, repetitions: int = 15, cold: int = 0) -> Measurement:
    """Measure ``plan`` on ``x`` (float32 NCHW) in this process.

    ``median_s`` is end to end for the whole batch with hot caches; ``cold`` calls with evicted weights
    give ``cold_s``. A doubtful result is measured again before it is called mistrusted.
    Raises :class:`InputError` for a wrong ``plan`` or ``x``, fewer than one repetition, or fewer than no cold calls.
    """
    check_kind("plan", plan, Plan, "a Plan, as prepare gives")
    for name, value, least in (("repetitions", repetitions, 1), ("cold", cold, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{name} is {value!r}; allowed: a whole number of at least {least}")
    sampler = Sampler(plan, x)
    sampler.warm_up()
    for attempt in (1, 2):
        samples = Samples()
        for _ in range(repetitions * attempt):
            samples.hot.append(sampler.sample())
            if plan.peak_probe and (peak := plan.peak_probe()):
                samples.peaks.append(peak)
        samples.cold.extend(sampler.cold_sample() for _ in range(cold))
        result = samples.measurement(plan.prepare_s)
        reason = doubt(plan.problem.flops, plan.density, plan.kernel, result)
        if not reason:
            return result
    return result.mistrusted(reason)
