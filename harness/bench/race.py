"""Measure the kernels of one case in turn: prepare, verify, warm up, interleave, judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from harness.bench.cases import Case
from harness.bench.contenders import Field
from harness.bench.entry import Entry
from harness.config import MeasureConfig
from harness.contract import BreakevenError
from harness.judge import doubt
from harness.measure import Samples
from harness.verify import Verdict


def race(case: Case, field: Field, config: MeasureConfig, scratch: Path, tick: Callable[[], None]) -> list[Entry]:
    """Measure every kernel of ``field`` on ``case``; failures end in the entry's status, never in an exception.

    Repetitions go round: one sample of each kernel, then the FMA peak of each worker, and again, so
    that a slow phase of the machine hits all alike.
    """
    assert case.weights is not None
    entries = [Entry(team, kernel) for team in field.teams() for kernel in team.kernels]
    weight_file, truth_file = scratch / "weight.npy", scratch / "truth.npz"
    np.save(weight_file, case.weights.array)
    _truth(case, field, weight_file, truth_file)
    _prepare(case, entries, weight_file, config)
    _verify(entries, truth_file, config)
    for entry in _running(entries):
        with _losing(entry):
            entry.team.worker().call("warm_up", entry.kernel.name, timeout_s=config.timeout_s)
    _sample(entries, config, config.repetitions, tick)
    if _judge(case, entries, final=False):
        for entry in _running(entries):
            entry.samples = Samples()
        _sample(entries, config, 2 * config.repetitions, tick)
        _judge(case, entries, final=True)
    _verify(entries, truth_file, config)
    for entry in entries:
        entry.end("passed", "")
    return entries


def _running(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.running]


@contextmanager
def _losing(entry: Entry) -> Iterator[None]:
    """Turn what goes wrong inside into the entry's status."""
    try:
        yield
    except BreakevenError as error:
        entry.end("failed", str(error))


def _truth(case: Case, field: Field, weight_file: Path, truth_file: Path) -> None:
    worker = field.oracle.worker()
    kernel = worker.call("describe").kernels[0].name
    worker.call("load", case.problem, str(weight_file), case.seed)
    worker.call("truth", kernel, str(truth_file))


def _prepare(case: Case, entries: Sequence[Entry], weight_file: Path, config: MeasureConfig) -> None:
    """Load the case into each worker and bind each kernel that supports it."""
    loaded: dict[str, str] = {}
    for entry in entries:
        name = entry.team.spec.name
        with _losing(entry):
            worker = entry.team.worker()
            if name not in loaded:
                worker.call("load", case.problem, str(weight_file), case.seed)
                loaded[name] = name
            support = worker.call("supports", entry.kernel.name, case.problem)
            if not support.ok:
                entry.end("unsupported", support.reason)
                continue
            options = {k: v for k, v in entry.options.items() if k in entry.kernel.options}
            entry.prepared = worker.call("prepare", entry.kernel.name, options, timeout_s=config.timeout_s)


def _verify(entries: Sequence[Entry], truth_file: Path, config: MeasureConfig) -> None:
    """Check each plan's output; called before and after timing, so that lasting damage shows."""
    for entry in _running(entries):
        with _losing(entry):
            verdict: Verdict = entry.team.worker().call("verify", entry.kernel.name, str(truth_file), timeout_s=config.timeout_s)
            entry.verdict = verdict
            if verdict.status != "passed":
                entry.end(verdict.status, verdict.reason)


def _sample(entries: Sequence[Entry], config: MeasureConfig, rounds: int, tick: Callable[[], None]) -> None:
    for _ in range(rounds):
        for entry in _running(entries):
            with _losing(entry):
                entry.add(entry.team.worker().call("sample", entry.kernel.name, timeout_s=config.timeout_s))
        _peaks(entries)
        tick()
    for entry in _running(entries):
        with _losing(entry):
            for _ in range(config.cold):
                entry.add(entry.team.worker().call("cold_sample", entry.kernel.name, timeout_s=config.timeout_s), cold=True)


def _peaks(entries: Sequence[Entry]) -> None:
    """The FMA peak of this moment, once a worker."""
    peaks: dict[str, float | None] = {}
    for entry in _running(entries):
        name = entry.team.spec.name
        with _losing(entry):
            if name not in peaks:
                peaks[name] = entry.team.worker().call("fma_peak")
            if peak := peaks[name]:
                entry.samples.peaks.append(peak)


def _judge(case: Case, entries: Sequence[Entry], final: bool) -> bool:
    """Make measurements of the samples; return whether any is doubtful. The final doubt is a status."""
    doubtful = False
    for entry in _running(entries):
        if entry.prepared is None:
            entry.end("failed", "was not prepared")
            continue
        entry.measurement = entry.samples.measurement(entry.prepared.prepare_s)
        reason = doubt(case.problem.flops, case.density or 0.0, entry.kernel, entry.measurement)
        if reason and final:
            entry.measurement = entry.measurement.mistrusted(reason)
        doubtful = doubtful or bool(reason)
    return doubtful
