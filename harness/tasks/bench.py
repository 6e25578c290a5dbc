"""``task=bench``: the main job."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from harness.bench.cases import Case, build_cases, coverage
from harness.bench.contenders import Field, open_field
from harness.bench.race import race
from harness.bench.rows import make_rows, skipped_row
from harness.bench.table import print_table
from harness.config import RunConfig, as_list
from harness.console import err, out
from harness.contract import BreakevenError, Hardware, Record
from harness.export import write_csv
from harness.machine import describe_machine, own_versions
from harness.plugins import host
from harness.runs import RunFolder
from harness.tasks import EXIT_INTERRUPTED, EXIT_OK, EXIT_ROW_FAILED
from harness.workers import WorkerError


def run(config: RunConfig) -> int:
    """Measure, journal, print the table and the record's path; returns the exit code."""
    cases = build_cases(config)
    folder = RunFolder.resume(config.resume) if config.resume else RunFolder.create(Path(config.results), _label(config), _record(config))
    header, interrupted = "", False
    try:
        with _progress(err()) as progress:
            bar = progress.add_task("starting", total=sum(_rounds(case, config) for case in cases))
            with open_field(config, host(), lambda text: progress.update(bar, description=text)) as field:
                folder.describe(coverage(cases), _versions(field))
                header = _header(config, field, folder.record.machine, coverage(cases))
                _measure_all(cases, field, config, folder, progress, bar)
    except KeyboardInterrupt:
        interrupted = True
    except BreakevenError:
        folder.discard()
        raise
    console = out()
    console.print(header, soft_wrap=True, markup=False)
    return _conclude(config, folder, console, interrupted)


def _conclude(config: RunConfig, folder: RunFolder, console: Console, interrupted: bool) -> int:
    """Write the record's last status, print the table, export, and print the path last."""
    path = folder.finish("interrupted" if interrupted else "complete")
    rows = folder.record.rows
    print_table(console, rows, str(config.backend["name"]))
    if "csv" in as_list(config.report):
        console.print(str(write_csv(folder.folder, rows)), soft_wrap=True, markup=False)
    if interrupted:
        console.print(f"interrupted; go on with: python -m harness resume={folder.folder}", soft_wrap=True, markup=False)
    console.print(str(path), soft_wrap=True, markup=False)
    if interrupted:
        return EXIT_INTERRUPTED
    return EXIT_ROW_FAILED if any(row.status == "failed" for row in rows) else EXIT_OK


def _measure_all(cases: Sequence[Case], field: Field, config: RunConfig, folder: RunFolder, progress: Progress, bar: TaskID) -> None:
    """Measure what the folder does not have yet, case by case."""
    hardware = _hardware(field, config)
    for case in cases:
        progress.update(bar, description=case.layer.name)
        if folder.has(case.key):
            progress.advance(bar, _rounds(case, config))
        elif case.skipped:
            folder.append(case.key, [skipped_row(case, config)])
            progress.advance(bar, _rounds(case, config))
        else:
            before = progress.tasks[bar].completed
            entries = race(case, field, config.measure, lambda: progress.advance(bar))
            folder.append(case.key, make_rows(case, entries, config, hardware))
            progress.update(bar, completed=before + _rounds(case, config))


def _hardware(field: Field, config: RunConfig) -> Hardware | None:
    """The chosen backend's numbers; without them only the projections are missing."""
    try:
        hardware: Hardware | None = field.chosen.worker().call("hardware", timeout_s=config.measure.timeout_s)
    except WorkerError:
        return None
    return hardware


def _rounds(case: Case, config: RunConfig) -> int:
    return 1 if case.skipped else config.measure.repetitions


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def _label(config: RunConfig) -> str:
    return "-".join(word for word in (config.task, str(config.backend["name"]), config.job) if word)


def _record(config: RunConfig) -> Record:
    return Record(
        task=config.task,
        status="interrupted",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=describe_machine(),
        versions=own_versions(),
        config=dataclasses.asdict(config),
    )


def _versions(field: Field) -> dict[str, str]:
    """Versions of every engine in the run; clashes keep the backend's name in front."""
    found: dict[str, str] = {}
    for team in [*field.teams(), field.oracle]:
        if team.description:
            found |= {f"{team.spec.name}:{name}": version for name, version in team.description.versions.items()}
    return found


def _header(config: RunConfig, field: Field, machine: Mapping[str, object], covered: str) -> str:
    """First line: machine, backend and device, threads, coverage; then who could not take part."""
    device = field.chosen.description.device if field.chosen.description else "?"
    where = f"{machine['cpu']}, {machine['cores']} cores"
    line = f"{where} | backend {field.chosen.spec.name} on {device} | {config.threads} thread(s) | {covered}"
    dense = ", ".join(f"{team.spec.name} ({', '.join(k.name for k in team.kernels)})" for team in field.rivals) or "none"
    lines = [line, f"dense baselines: {dense}"]
    lines += [f"not here: {name}: {reason}" for name, reason in field.absent.items()]
    return "\n".join(lines)
