"""Race the exported weights of finished runs, layer by layer, where that was left for later or is doubtful."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.bench.cases import Case
from harness.bench.contenders import Contender, Field, open_field
from harness.bench.race import race
from harness.bench.rows import make_rows
from harness.config import RunConfig
from harness.console import err
from harness.contract import Hardware, InputError, Problem
from harness.contract.record import read_record
from harness.machine import cpu_model
from harness.plugins import host
from harness.prune.measured import network_times, settled, weight_cases, with_weights
from harness.prune.projections import BLOCK
from harness.runs import RunFolder
from harness.tasks.session import make_progress
from harness.workers import WorkerError

CLOSE = 1.1  # dense kernels within this factor of a layer's fastest one race every run's weights


@dataclass
class _Job:
    """A run and the layers of it that are to be measured."""

    folder: Path
    config: RunConfig
    cases: list[Case]
    todo: set[str]


@dataclass
class _Arena:
    """Open workers, and for each problem the dense kernels that are worth racing."""

    opened: Field
    hardware: Hardware | None
    rivals: dict[str, list[Contender]] = field(default_factory=dict)

    def contenders(self, case: Case, config: RunConfig) -> list[Contender]:
        """The chosen backend's sparse kernels, and every dense kernel within ``CLOSE`` of the fastest on this problem."""
        problem = str(case.problem)
        if problem not in self.rivals:
            timed = [e for e in race(case, self.opened.dense(), self.opened.oracle, config.measure, lambda: None) if e.status == "passed"]
            fastest = min((e.measurement.median_s for e in timed if e.measurement), default=0.0)
            self.rivals[problem] = [(e.team, e.kernel) for e in timed if e.measurement and e.measurement.median_s <= CLOSE * fastest]
        chosen = self.opened.chosen
        return [*((chosen, kernel) for kernel in chosen.kernels if kernel.sparse), *self.rivals[problem]]


def measure_runs(config: RunConfig, folders: Sequence[Path]) -> list[str]:
    """Measure what is missing or doubtful in the runs at ``folders``, or all of it, and add it to their records; returns what to tell.

    Runs of one backend, its options, threads and kernels share their workers. A run that another process holds is left out.
    """
    jobs = [job for folder in folders if (job := _job(config, folder)).todo]
    told: list[str] = []
    groups: dict[str, list[_Job]] = {}
    for job in jobs:
        groups.setdefault(_workers(job.config), []).append(job)
    with make_progress(err()) as progress:
        bar = progress.add_task("starting", total=sum(len(job.todo) for job in jobs))
        for mates in groups.values():
            with open_field(mates[0].config, host(), lambda text: progress.update(bar, description=text)) as opened:
                arena = _Arena(opened, _hardware(opened, config))
                for job in mates:
                    progress.update(bar, description=job.folder.name)
                    told += _measure(job, arena, lambda: progress.advance(bar))
    return [f"measured {sum(len(job.todo) for job in jobs)} layers of {len(jobs)} runs", *told]


def _job(config: RunConfig, folder: Path) -> _Job:
    """What is to be done for one run; its own backend, threads, kernels and seed, our way of measuring."""
    record = read_record(folder)
    problems = {name: Problem.parse(probe["problem"]) for name, probe in record.extra.get(BLOCK, {}).items()}
    if not problems:
        raise InputError(f"{str(folder)!r} does not tell its layers' problems; allowed: runs of task=prune")
    own: dict[str, Any] = {
        key: record.config.get(key) for key in ("backend", "threads", "kernels", "options", "seed") if record.config.get(key) is not None
    }
    mine = with_weights(dataclasses.replace(config, **own), folder / "export" / "csr")
    cases = weight_cases(problems, mine)
    rows: dict[str, list[Any]] = {}
    for row in record.rows:
        rows.setdefault(row.layer, []).append(row)
    return _Job(
        folder, mine, cases, {case.layer.name for case in cases if config.study.again or not settled(rows.get(case.layer.name, []))}
    )


def _workers(config: RunConfig) -> str:
    return json.dumps([config.backend, config.threads, config.kernels, config.options], sort_keys=True, default=str)


def _hardware(opened: Field, config: RunConfig) -> Hardware | None:
    try:
        found: Hardware | None = opened.chosen.worker().call("hardware", timeout_s=config.measure.timeout_s)
    except WorkerError:
        return None
    return found


def _measure(job: _Job, arena: _Arena, tick: Callable[[], None]) -> Iterable[str]:
    """Race the layers of one run and bring its record up to date; returns what went wrong."""
    try:
        folder = RunFolder.resume(job.folder, status="complete")
    except InputError as error:
        return [f"left out: {error}"]
    doubtful = []
    try:
        for case in job.cases:
            if case.layer.name in job.todo:
                entries = race(case, arena.contenders(case, job.config), arena.opened.oracle, job.config.measure, lambda: None)
                rows = make_rows(case, entries, job.config, arena.hardware)
                folder.append(case.key, rows)
                doubtful += (
                    [] if settled(rows) else [f"{job.folder.name}, {case.layer.name}: " + "; ".join(r.reason for r in rows if r.reason)]
                )
                tick()
        known = {k: v for k, v in folder.record.extra["prune"]["time"].items() if not k.startswith("measured")}
        folder.note("prune", "time", {**known, **network_times(folder.record.rows), "measured_on": cpu_model()})
    finally:
        folder.finish("complete")
    return doubtful
