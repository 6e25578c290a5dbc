"""Turn a case's entries into rows of the record: rates, baselines, speed-ups, the line that repeats it."""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Sequence
from typing import Any

from harness.bench.cases import Case
from harness.bench.contenders import BASELINE_METHODS
from harness.bench.entry import Entry
from harness.cli.argv import quote
from harness.config import RunConfig
from harness.contract import Baseline, Hardware, InputError, MissingNumberError, Row
from harness.modelling.outlook import fastest_dense, find_kernel, project
from harness.modelling.store import rivals


def make_rows(case: Case, entries: Sequence[Entry], config: RunConfig, hardware: Hardware | None) -> list[Row]:
    """One row a kernel, chosen backend first."""
    best = _fastest([e for e in entries if e.team.spec.role == "engine" and e.kernel.exact and e.kernel.method in BASELINE_METHODS])
    paper = _fastest([e for e in entries if e.kernel.paper_baseline])
    return [_without_nan(_row(case, entry, config, best, paper, hardware)) for entry in entries]


def skipped_row(case: Case, config: RunConfig) -> Row:
    """The row of a case that is not measured, with the reason."""
    return Row(
        layer=case.layer.name,
        problem=str(case.problem),
        backend=str(config.backend["name"]),
        kernel="",
        method="",
        density=case.density,
        batch=case.problem.mb,
        threads=config.threads,
        status="skipped",
        reason=case.skipped,
    )


def _fastest(entries: Sequence[Entry]) -> Baseline | None:
    """The fastest trusted kernel among ``entries``."""
    timed = [(e.measurement.median_s, e) for e in entries if e.status == "passed" and e.measurement and e.measurement.status == "passed"]
    if not timed:
        return None
    seconds, entry = min(timed, key=lambda pair: pair[0])
    return Baseline(entry.team.spec.name, entry.kernel.name, seconds)


def _row(case: Case, entry: Entry, config: RunConfig, best: Baseline | None, paper: Baseline | None, hardware: Hardware | None) -> Row:
    m, weights = entry.measurement, case.weights
    assert weights is not None
    timed = m is not None and entry.status in ("passed", "mistrusted")
    mistrusted = timed and m is not None and m.status == "mistrusted"
    seconds = m.median_s if timed and m else None
    return Row(
        layer=case.layer.name,
        problem=str(case.problem),
        backend=entry.team.spec.name,
        kernel=entry.kernel.name,
        method=entry.kernel.method,
        density=case.density,
        batch=case.problem.mb,
        threads=config.threads,
        status="mistrusted" if mistrusted else entry.status or "failed",
        reason=m.reason if mistrusted and m else entry.reason,
        prepare_s=entry.prepared.prepare_s if entry.prepared else None,
        kernel_s=m.clocks.kernel_s if timed and m else None,
        end_to_end_s=seconds,
        device_s=m.clocks.device_s if timed and m else None,
        cold_s=m.cold_s if timed and m else None,
        spread=m.spread if timed and m else None,
        repetitions=m.repetitions if timed and m else 0,
        useful_gflops=case.problem.flops * (case.density or 0.0) / seconds / 1e9 if seconds else None,
        effective_gflops=case.problem.flops / seconds / 1e9 if seconds else None,
        peak_gflops=m.peak_gflops if timed and m else None,
        baseline=best,
        speedup=_speedup(best, entry, seconds),
        paper_baseline=paper,
        paper_speedup=_speedup(paper, entry, seconds),
        projected_speedup=_projected(case, entry, hardware),
        approximation_error=entry.approximation,
        max_error=entry.verdict.max_error if entry.verdict else None,
        tolerance=entry.verdict.tolerance if entry.verdict else None,
        pattern=weights.pattern,
        weights=weights.source,
        explain=entry.prepared.explain if entry.prepared else "",
        repro=repro(case, entry, config),
    )


def _speedup(baseline: Baseline | None, entry: Entry, seconds: float | None) -> float | None:
    """Baseline over kernel; for an inexact kernel only where it states its error."""
    comparable = entry.kernel.exact or entry.approximation is not None
    return baseline.end_to_end_s / seconds if baseline and seconds and comparable else None


def _without_nan(row: Row) -> Row:
    """``row`` without numbers that JSON does not have; its status and reason tell of them."""
    values = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    empty: dict[str, Any] = {name: None for name, value in values.items() if isinstance(value, float) and not math.isfinite(value)}
    return dataclasses.replace(row, **empty)


def _projected(case: Case, entry: Entry, hardware: Hardware | None) -> float | None:
    """The projected speed-up of a sparse kernel, where the numbers for it are known."""
    if hardware is None or not entry.kernel.sparse or not case.density:
        return None
    try:
        backend, threads = entry.team.spec.name, entry.team.threads
        kernel = find_kernel(backend, entry.kernel, threads, hardware)
        dense = fastest_dense(case.problem, rivals(threads, backend, hardware), hardware)
        return project(case.problem, case.density, entry.kernel, kernel, hardware, dense).speedup
    except (MissingNumberError, InputError):
        return None


def _plain(value: object) -> str:
    """``value`` as the command line reads it back."""
    return quote(value) if isinstance(value, str) and not value.isidentifier() else str(value)


def repro(case: Case, entry: Entry, config: RunConfig) -> str:
    """The command line that measures this row again."""
    source = dict(config.weights)
    words = [f"+backend={entry.team.spec.name}", f"kernels=[{entry.kernel.name}]", f"problem={case.problem}", f"batch={case.problem.mb}"]
    if entry.team.spec.name == config.backend["name"]:
        words += [f"backend.{key}={_plain(v)}" for key, v in dict(config.backend).items() if key != "name" and v not in ("", None)]
        words += [f"options.{key}={_plain(value)}" for key, value in entry.options.items()]
    if case.weights is not None and source.get("kind") == "files":
        words += ["weights=files", *([f"weights.path={source['path']}"] if source.get("path") else [])]
        words += [f"weights.layers.{name}={_plain(file)}" for name, file in (source.get("layers") or {}).items()]
    else:
        words += [f"density={case.density:.12g}", f"weights.pattern={case.weights.pattern if case.weights else 'uniform'}"]
    words += [f"threads={config.threads}", f"seed={config.seed}"]
    return "python -m harness " + " ".join(shlex.quote(word) for word in words)
