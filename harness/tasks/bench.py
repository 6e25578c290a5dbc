"""``task=bench``: the main job."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from harness.bench.cases import Case, build_cases, coverage
from harness.bench.race import race
from harness.bench.rows import make_rows, skipped_row
from harness.bench.table import print_table
from harness.config import RunConfig
from harness.export import print_csv
from harness.runs import RunFolder
from harness.tasks import EXIT_OK, EXIT_ROW_FAILED
from harness.tasks.session import Session, run_session


def run(config: RunConfig) -> int:
    """Measure, journal, print the table and the record's path; returns the exit code."""
    cases = build_cases(config)
    total = sum(_rounds(case, config) for case in cases)
    return run_session(
        config,
        coverage(cases),
        total,
        lambda session: _measure_all(cases, session),
        lambda folder, console: _conclude(config, folder, console),
    )


def _conclude(config: RunConfig, folder: RunFolder, console: Console) -> int:
    """Print the table and export; a failed row is a failed run."""
    rows = folder.record.rows
    print_table(console, rows, str(config.backend["name"]))
    print_csv(config.report, folder, console)
    return EXIT_ROW_FAILED if any(row.status == "failed" for row in rows) else EXIT_OK


def _measure_all(cases: Sequence[Case], session: Session) -> None:
    """Measure what the folder does not have yet, case by case."""
    config, field, folder = session.config, session.field, session.folder
    hardware = session.hardware()
    for case in cases:
        session.describe(case.layer.name)
        before = session.done
        if not folder.has(case.key) and case.skipped:
            folder.append(case.key, [skipped_row(case, config)])
        elif not folder.has(case.key):
            entries = race(case, field.contenders(), field.oracle, config.measure, session.tick)
            folder.append(case.key, make_rows(case, entries, config, hardware))
        session.complete(before + _rounds(case, config))


def _rounds(case: Case, config: RunConfig) -> int:
    return 1 if case.skipped else config.measure.repetitions
