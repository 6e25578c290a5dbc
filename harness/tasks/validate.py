"""``task=validate``: predicted against measured on layers that calibration never saw."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
from collections.abc import Callable, Mapping, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.bench.cases import Case, batches, case_at, choose_layers
from harness.bench.contenders import Team
from harness.bench.entry import Entry
from harness.bench.race import race
from harness.bench.rows import make_rows
from harness.bench.table import microseconds
from harness.config import RunConfig, as_list
from harness.contract import InputError, KernelSpec
from harness.export import print_csv
from harness.modelling.calibrated import calibrated
from harness.modelling.comparison import Comparison
from harness.modelling.patience import doubt, patient, watch
from harness.modelling.store import ModelledKernel
from harness.report.figures import check_plots
from harness.report.validation import draw
from harness.runs import RunFolder
from harness.tasks import EXIT_OK, EXIT_ROW_FAILED
from harness.tasks.session import Session, run_session
from harness.weights import open_source

DENSITIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
TIE_BAND = 1.1


def run(config: RunConfig) -> int:
    """Measure the held-out cases, compare, and keep the comparison in the record's ``validation`` block."""
    check_plots(config.report)
    layers = choose_layers(config)
    source = open_source(config.weights)
    if not source.takes_density:
        raise InputError("task=validate varies the density; allowed: weights=random")
    densities = [float(d) for d in as_list(config.density)] or list(DENSITIES)
    cases = [
        case_at(layer, batch, density, source, config) for layer in layers for batch in batches(layer, config) for density in densities
    ]
    covered = f"{len(cases)} cases: {len(layers)} convolutions at {len(densities)} densities"
    return run_session(config, covered, len(cases), lambda session: _measure(cases, session), _conclude)


def _measure(cases: Sequence[Case], session: Session) -> None:
    config, field = session.config, session.field
    timeout_s = config.measure.timeout_s
    known = {kernel.name: kernel for team in field.teams() for kernel in calibrated(team, timeout_s).values()}
    contenders = [(team, kernel) for team, kernel in field.contenders() if _projected(team, kernel, known)]
    if not any(team is field.chosen for team, _ in contenders):
        raise InputError(
            f"no kernel of {field.chosen.spec.name!r} is calibrated on this device; "
            f"run task=calibrate +backend={field.chosen.spec.name} first"
        )
    hardware, measure = session.hardware(), patient(config.measure)
    watch(field.chosen, measure)
    again: list[tuple[Case, bool]] = []
    for case, last in itertools.chain([(case, False) for case in cases], again):
        session.describe(f"{case.layer.name} {case.density:.2g}")
        if not session.folder.has(case.key):
            entries = race(case, contenders, field.oracle, measure, lambda: None)
            comparisons = [c for entry in entries if (c := _compare(case, entry, known))]
            if not last and any(c.doubt for c in comparisons):
                again.append((case, True))  # at the end, when the machine may be calmer
                continue
            session.folder.note("validation", case.key, [dataclasses.asdict(c) for c in comparisons])
            session.folder.append(case.key, make_rows(case, entries, config, hardware))
        session.tick()


def _projected(team: Team, kernel: KernelSpec, known: dict[str, ModelledKernel]) -> bool:
    """Whether ``kernel`` is calibrated, and the run says what stands in the place of its density where something does."""
    found = known.get(f"{team.spec.name} {kernel.name}")
    return found is not None and (not found.setting or found.setting in team.kernel_options)


def _compare(case: Case, entry: Entry, known: dict[str, ModelledKernel]) -> Comparison | None:
    """Projection and measurement of one entry, or None where it was not measured."""
    m, name = entry.measurement, f"{entry.team.spec.name} {entry.kernel.name}"
    if m is None or entry.status != "passed" or not m.peak_gflops or case.density is None:
        return None
    kernel = known[name]
    level = float(entry.options[kernel.setting]) if kernel.setting else case.density
    at_peak = kernel.seconds(case.problem, level).seconds * float(kernel.hardware.peak_flops) / (m.peak_gflops * 1e9)
    low, high = kernel.parameters.band or (1.0, 1.0)
    seconds = (m.median_s, at_peak, at_peak * low, at_peak * high)
    return Comparison(case.layer.name, case.problem.mb, case.density, name, entry.kernel.sparse, *seconds, doubt(m), entry.kernel.exact)


def _conclude(folder: RunFolder, console: Console) -> int:
    block = folder.record.extra.get("validation", {})
    everything = [Comparison(**entry) for entries in block.values() for entry in entries]
    found = [c for c in everything if not c.doubt]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("kernel", "cases", "median error", "90 % below", "worst", "its case", "measured us", "projected us"):
        table.add_column(name, justify="left" if name in ("kernel", "its case") else "right")
    for kernel in dict.fromkeys(c.kernel for c in found):
        mine = sorted((c for c in found if c.kernel == kernel), key=lambda c: c.error)
        worst = mine[-1]
        case = f"{worst.layer} mb{worst.batch} density {worst.density:.2g}"
        errors = [f"{statistics.median(c.error for c in mine):.1%}", f"{mine[int(0.9 * (len(mine) - 1))].error:.1%}", f"{worst.error:.0%}"]
        table.add_row(kernel, str(len(mine)), *errors, escape(case), microseconds(worst.measured_s), microseconds(worst.projected_s))
    console.print(table)
    if doubts := [c.doubt for c in everything if c.doubt]:
        console.print(
            f"{len(doubts)} of {len(everything)} comparisons left out after two attempts, the first since {doubts[0]}", markup=False
        )
    _print_decisions(console, found)
    print_csv(folder.record.config.get("report"), folder, console)
    if found and "plots" in as_list(folder.record.config.get("report")):
        for path in draw(folder.folder, found, folder.record):
            console.print(str(path), soft_wrap=True, markup=False)
    return EXIT_ROW_FAILED if any(row.status == "failed" for row in folder.record.rows) else EXIT_OK


def _print_decisions(console: Console, found: Sequence[Comparison]) -> None:
    """Prune or leave dense, and which kernel: how often the model decides as the measurement does."""
    cases: dict[tuple[str, int, float], list[Comparison]] = {}
    for c in (c for c in found if c.exact):  # an approximation is no way to compute the same
        cases.setdefault((c.layer, c.batch, round(c.density, 2)), []).append(c)
    mixed = {key: group for key, group in cases.items() if len({c.sparse for c in group}) == 2}
    _print_agreement(console, "decisions sparse or dense", mixed, lambda a, b: a.sparse == b.sparse)
    several = {key: group for key, group in cases.items() if len(group) > 1}
    _print_agreement(console, "choices of the fastest kernel", several, lambda a, b: a.kernel == b.kernel)


def _print_agreement(
    console: Console,
    title: str,
    cases: Mapping[tuple[str, int, float], Sequence[Comparison]],
    same: Callable[[Comparison, Comparison], bool],
) -> None:
    """How often what the model takes for the fastest is, by ``same``, what was; taking another that is as fast within the band is a tie."""
    agreed, ties, wrong = 0, 0, []
    for (layer, batch, density), group in cases.items():
        by_measure, by_model = min(group, key=lambda c: c.measured_s), min(group, key=lambda c: c.projected_s)
        if same(by_measure, by_model):
            agreed += 1
        elif by_model.measured_s <= TIE_BAND * by_measure.measured_s:
            ties += 1
        else:
            wrong.append(f"{layer} mb{batch} density {density}: model {by_model.kernel}, measured {by_measure.kernel}")
    total = agreed + len(wrong)
    if total:
        console.print(f"{title}: {agreed} of {total} agree ({agreed / total:.0%}), {ties} within the {TIE_BAND - 1:.0%} tie band")
    for line in wrong:
        console.print(f"[yellow]differs[/] {escape(line)}")
