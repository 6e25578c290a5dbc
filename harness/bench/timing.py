"""The timed part of a race: interleaved rounds, judged, and gone through again where in doubt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness import pace
from harness.bench.cases import Case
from harness.bench.entry import Entry, losing, running
from harness.config import MeasureConfig
from harness.contract import Clocks, Measurement
from harness.judge import doubt
from harness.measuring import Samples

ATTEMPTS = 3


@dataclass(frozen=True)
class Attempt:
    """One complete set of rounds: every kernel's measurement, and what is doubtful about it."""

    results: dict[int, Measurement]
    doubts: dict[int, str]

    @property
    def score(self) -> tuple[int, float]:
        """Fewer doubts are better, then less spread."""
        return sum(map(bool, self.doubts.values())), max((m.spread for m in self.results.values()), default=0.0)


def time_entries(case: Case, entries: Sequence[Entry], config: MeasureConfig, tick: Callable[[], None]) -> None:
    """Time every running entry; up to three attempts, the least doubtful of which counts as a whole.

    Repetitions go round: one sample of each kernel, then the FMA peak of each worker, and again, so
    that a slow phase of the machine hits all alike. What stays doubtful is *mistrusted*.
    """
    for entry in running(entries):
        with losing(entry):
            entry.call("warm_up")
    best: Attempt | None = None
    for attempt in range(ATTEMPTS):
        for entry in running(entries):
            entry.samples = Samples()
        _sample(entries, config, (1 + attempt) * config.repetitions, tick)
        result = _judge(case, entries)
        best = result if best is None or result.score < best.score else best
        if not any(result.doubts.values()):
            break
    for entry in running(entries):
        if best and (measurement := best.results.get(id(entry))):
            reason = best.doubts[id(entry)]
            entry.measurement = measurement.mistrusted(reason) if reason else measurement


def _sample(entries: Sequence[Entry], config: MeasureConfig, rounds: int, tick: Callable[[], None]) -> None:
    for _ in range(rounds):
        for entry in running(entries):
            with losing(entry):
                entry.add(sample(entry, config.patience_s or 0.0))
        _peaks(entries)
        tick()
    for entry in running(entries):
        with losing(entry):
            for _ in range(config.cold):
                entry.add(entry.call("cold_sample"), cold=True)


def sample(entry: Entry, patience_s: float) -> Clocks:
    """One hot sample; what it tells of the core's pace holds for all workers, which share the core."""
    if not patience_s:
        return entry.call("sample")  # type: ignore[no-any-return]
    clocks: Clocks = entry.call("sample", patience_s, pace.best())
    pace.learn(clocks.pace)
    return clocks


def _peaks(entries: Sequence[Entry]) -> None:
    """The FMA peak of this moment, once a worker."""
    peaks: dict[str, float | None] = {}
    for entry in running(entries):
        name = entry.team.spec.name
        with losing(entry):
            if name not in peaks:
                peaks[name] = entry.team.worker().call("fma_peak")
            if peak := peaks[name]:
                entry.samples.peaks.append(peak)


def _judge(case: Case, entries: Sequence[Entry]) -> Attempt:
    """Make measurements of the samples, each with its doubt."""
    results, doubts = {}, {}
    for entry in running(entries):
        if entry.prepared is None or not entry.samples.hot:
            entry.end("failed", "gave no samples")
            continue
        results[id(entry)] = measurement = entry.samples.measurement(entry.prepared.prepare_s)
        doubts[id(entry)] = doubt(case.problem.flops, case.density or 0.0, entry.kernel, measurement)
    return Attempt(results, doubts)
