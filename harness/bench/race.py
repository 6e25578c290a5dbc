"""Measure the kernels of one case in turn: prepare, verify, warm up, interleave, judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from harness.bench.cases import Case
from harness.bench.contenders import Field
from harness.bench.entry import Entry, losing, running
from harness.bench.timing import time_entries
from harness.config import MeasureConfig
from harness.verify import Verdict


def race(case: Case, field: Field, config: MeasureConfig, scratch: Path, tick: Callable[[], None]) -> list[Entry]:
    """Measure every kernel of ``field`` on ``case``; failures end in the entry's status, never in an exception.

    Outputs are verified before and after timing, so that lasting damage shows.
    """
    assert case.weights is not None
    entries = [Entry(team, kernel) for team in field.teams() for kernel in team.kernels]
    weight_file, truth_file = scratch / "weight.npy", scratch / "truth.npz"
    np.save(weight_file, case.weights.array)
    _truth(case, field, weight_file, truth_file)
    _prepare(case, entries, weight_file, config)
    _verify(entries, truth_file, config)
    time_entries(case, entries, config, tick)
    _verify(entries, truth_file, config)
    for entry in entries:
        entry.end("passed", "")
    return entries


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
        with losing(entry):
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
    for entry in running(entries):
        with losing(entry):
            verdict: Verdict = entry.team.worker().call("verify", entry.kernel.name, str(truth_file), timeout_s=config.timeout_s)
            entry.verdict = verdict
            if verdict.status != "passed":
                entry.end(verdict.status, verdict.reason)
