"""``task=study``: the pruning runs under ``results`` side by side: measured if asked, as tables, CSV files and Pareto plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.config import RunConfig, as_list, check_study
from harness.console import out
from harness.contract import InputError
from harness.contract.record import read_record
from harness.prune.pictures import draw_run
from harness.study.cells import Cell, collect
from harness.study.choice import choose
from harness.study.comparisons import SCOPES, best, gains, ratios
from harness.study.measuring import measure_runs
from harness.study.pareto import plot_pareto
from harness.study.runs import Run, find_runs
from harness.study.tables import Sheet, best_sheet, cell_sheet, choice_sheet, gain_sheet, ratio_sheet, run_sheet
from harness.tasks import EXIT_OK

_NEVER_MEASURED = "no run is measured: study.measure=true measures the exported weights, and the comparisons follow"
_NO_CONTROL = "no dense control of equal budget (pruner=dense, same epochs and seed): losses are unknown and nothing is compared"


def run(config: RunConfig) -> int:
    """Print the tables, write them as ``study*.csv`` and, where matplotlib is installed, the plots."""
    check_study(config.study)
    folder, console = Path(config.results).expanduser(), out()
    runs, unfinished = _counted(folder, as_list(config.study.seeds))
    lines = [f"{len(runs)} finished runs" + (f", {unfinished} not finished" if unfinished else "")]
    if config.study.measure:
        lines += measure_runs(config, [run.folder for run in runs])
        runs, _ = _counted(folder, as_list(config.study.seeds))
    if config.study.draw:
        for found in runs:
            draw_run(found.folder, read_record(found.folder), lines.append)
    cells = collect(runs)
    for sheet in _sheets(cells, config):
        for table in sheet.tables():
            console.print(table)
        sheet.write(folder)
    run_sheet(cells).write(folder)
    lines += _missing(cells)
    for line in (*lines, f"tables: {folder}/study*.csv", *_plots(cells, folder)):
        console.print(line, soft_wrap=True, markup=False)
    return EXIT_OK


def _counted(folder: Path, seeds: Sequence[int]) -> tuple[list[Run], int]:
    """The finished runs of ``seeds`` (none given: of all), and how many of any are unfinished; raises :class:`InputError` without one."""
    runs, unfinished = find_runs(folder)
    kept = [run for run in runs if not seeds or run.seed in seeds]
    if not kept:
        raise InputError(f"study.seeds is {list(seeds)}; allowed here: {', '.join(map(str, sorted({run.seed for run in runs})))}")
    return kept, unfinished


def _sheets(cells: Sequence[Cell], config: RunConfig) -> list[Sheet]:
    """The tables that have rows."""
    window = (float(config.study.loss[0]), float(config.study.loss[1]))
    most = config.study.most_loss
    found = [cell_sheet(cells), ratio_sheet(ratios(cells, window), window), gain_sheet(gains(cells)), best_sheet(best(cells, most), most)]
    found += [choice_sheet(choose(cells, as_list(config.study.choose)))] if config.study.choose else []
    return [sheet for sheet in found if sheet.rows]


def _missing(cells: Sequence[Cell]) -> list[str]:
    """Why there is no comparison."""
    measured = any(cell.speedup(SCOPES["all"]) > 0 for cell in cells)
    known = any(cell.loss == cell.loss for cell in cells)
    return [*([] if measured else [_NEVER_MEASURED]), *([] if known else [_NO_CONTROL])]


def _plots(cells: Sequence[Cell], folder: Path) -> list[str]:
    names = dict(zip(SCOPES, ("pareto.svg", "pareto-but-first.svg"), strict=True))
    try:
        made = [plot_pareto(cells, read, scope, folder / names[scope]) for scope, read in SCOPES.items()]
    except ImportError:
        return ["no plot: pip install 'breakeven[report]'"]
    return [str(path) for path in made if path]
