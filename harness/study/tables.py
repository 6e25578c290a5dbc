"""The study's tables, on the terminal and as CSV."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table

from harness.files import write_atomically
from harness.study.cells import Cell
from harness.study.choice import Choice
from harness.study.comparisons import SCOPES, Best, Comparison
from harness.study.runs import Run

Value = str | int | float


@dataclass
class Sheet:
    """A table: ``columns`` with the way each is printed (None: as text), ``rows`` of plain values, as the CSV has them."""

    name: str
    title: str
    columns: dict[str, Callable[[float], str] | None]
    rows: list[Sequence[Value]] = field(default_factory=list)

    def tables(self) -> list[Table]:
        """For the terminal: a table for each value of the first column, without columns that say nothing."""
        return [self._table(first) for first in dict.fromkeys(row[0] for row in self.rows)]

    def _table(self, first: Value) -> Table:
        rows = [row for row in self.rows if row[0] == first]
        told = [i for i in range(1, len(self.columns)) if any(_plain(row[i]) for row in rows)]
        forms = list(self.columns.values())
        table = Table(title=f"{first}: {self.title}", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for i in told:
            table.add_column(list(self.columns)[i], justify="right" if forms[i] else "left", overflow="fold")
        for row in rows:
            table.add_row(*(escape(_shown(row[i], forms[i])) for i in told))
        return table

    def write(self, folder: Path) -> Path:
        """As ``<name>.csv``: shares and ratios as plain numbers, empty where unknown."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([_plain(value) for value in row] for row in self.rows)
        path = folder / f"{self.name}.csv"
        write_atomically(path, text.getvalue())
        return path


def _shown(value: Value, form: Callable[[float], str] | None) -> str:
    if form is None or isinstance(value, str):
        return str(value)
    return "-" if math.isnan(value) else form(value)


def _plain(value: Value) -> str:
    return "" if isinstance(value, float) and math.isnan(value) else f"{value:.6g}" if isinstance(value, float) else str(value)


def _times(value: float) -> str:
    return f"{value:.2f}x"


def _share(value: float) -> str:
    return f"{value:.2%}"


def _points(value: float) -> str:
    return f"{100 * value:+.2f}"


def _number(value: float) -> str:
    return f"{value:.3f}"


def _count(value: float) -> str:
    return str(int(value))


def cell_sheet(cells: Sequence[Cell]) -> Sheet:
    """A row a cell: means over the seeds."""
    sheet = Sheet(
        "study",
        "means over the seeds; loss in points against the dense control of equal budget; speed-ups over the fastest dense kernel a layer",
        {
            **dict.fromkeys(("net", "pruner", "guide", "strength", "options")),
            **{"seeds": _count, "accuracy": _share, "spread": _share, "loss": _points, "validation loss": _points, "density": _number},
            **dict.fromkeys(("projected", "measured", "least", "greatest", "measured but first"), _times),
        },
    )
    for c in cells:
        accuracy, measured = statistics.fmean(c.accuracies), [run.measured for run in c.runs]
        losses = (c.loss, c.validation_loss, c.mean(lambda r: r.density))
        speedups = (c.speedup(lambda r: r.projected), c.speedup(lambda r: r.measured), min(measured), max(measured))
        names = (c.net, c.pruner, c.guide, c.strength, c.curve)
        sheet.rows.append((*names, len(c.runs), accuracy, c.spread, *losses, *speedups, c.speedup(lambda r: r.measured_rest)))
    return sheet


def run_sheet(cells: Sequence[Cell]) -> Sheet:
    """A row a run, for the CSV."""
    names = ("net", "pruner", "guide", "strength", "options", "seed", "accuracy", "loss", "validation loss", "dense accuracy")
    sheet = Sheet("study-runs", "", dict.fromkeys((*names, "projected", "measured", "measured but first", "density", "folder")))
    for c in cells:
        for run, loss, validation in zip(c.runs, c.losses, c.validation_losses, strict=True):
            sheet.rows.append((c.net, c.pruner, c.guide, c.strength, c.curve, *_of_run(run, loss, validation)))
    return sheet


def _of_run(run: Run, loss: float, validation: float) -> tuple[Value, ...]:
    speedups = (run.projected, run.measured, run.measured_rest)
    return (run.seed, run.accuracy, loss, validation, run.dense, *speedups, run.density, run.folder.name)


def ratio_sheet(found: Sequence[Comparison], window: tuple[float, float]) -> Sheet:
    """A row a comparison at equal accuracy."""
    sheet = Sheet(
        "study-ratios",
        f"measured speed-up at equal accuracy, {100 * window[0]:.2g} to {100 * window[1]:.2g} points below the control: guide over other",
        {
            **dict.fromkeys(("net", "pruner", "guide", "over", "convolutions")),
            **{"ratio": _times, "from loss": _points, "to loss": _points, "seeds": _count},
            **dict.fromkeys(("least", "greatest", "95 % low", "95 % high"), _times),
        },
    )
    sheet.rows += [_comparison(c) for c in found]
    return sheet


def gain_sheet(found: Sequence[Comparison]) -> Sheet:
    """A row a comparison at equal speed."""
    sheet = Sheet(
        "study-gains",
        "accuracy gained at equal measured speed-up of all convolutions, in points: guide over other",
        {
            **dict.fromkeys(("net", "pruner", "guide", "over", "convolutions")),
            **{"gain": _points, "from speed-up": _times, "to speed-up": _times, "seeds": _count},
            **dict.fromkeys(("least", "greatest", "95 % low", "95 % high"), _points),
        },
    )
    sheet.rows += [(*row[:6], math.exp(float(row[6])), math.exp(float(row[7])), *row[8:]) for row in map(_comparison, found)]
    return sheet


def _comparison(c: Comparison) -> tuple[Value, ...]:
    e = c.estimate
    ends = (min(e.seeds), max(e.seeds)) if e.seeds else (math.nan, math.nan)
    return (c.net, c.pruner, c.guide, c.other, c.scope, e.value, *e.window, len(e.seeds), *ends, e.low, e.high)


def best_sheet(found: Sequence[Best], most: float) -> Sheet:
    """A row a curve: the best speed-up for a small loss."""
    sheet = Sheet(
        "study-best",
        f"most measured speed-up for at most {100 * most:.2g} points: strength chosen on the validation split; test curve read there",
        {
            **dict.fromkeys(("net", "pruner", "guide", "options", "strength")),
            **{"validation loss": _points, "test loss": _points, "seeds": _count},
            **dict.fromkeys([f"{scope}, {how}" for how in ("chosen", "curve") for scope in SCOPES], _times),
        },
    )
    for b in found:
        cell: tuple[Value, ...] = ("none", *[math.nan] * (3 + len(SCOPES)))
        if b.cell:
            speedups = [b.cell.speedup(read) for read in SCOPES.values()]
            cell = (b.cell.strength, b.cell.validation_loss, b.cell.loss, len(b.cell.runs), *speedups)
        sheet.rows.append((b.net, b.pruner, b.guide, b.curve, *cell, *b.at_most.values()))
    return sheet


def choice_sheet(found: Sequence[Choice]) -> Sheet:
    """A row a strength that was chosen."""
    sheet = Sheet(
        "study-choice",
        "strengths chosen by their losses on the validation split alone: run these with fresh seeds to compare guides",
        {
            **dict.fromkeys(("net", "pruner", "guide", "options", "strength")),
            **{"aim": _points, "validation loss": _points, "seeds": _count},
        },
    )
    for choice in found:
        cell = choice.cell
        row = (cell.net, cell.pruner, cell.guide, cell.curve, cell.strength, choice.aim, cell.validation_loss, len(cell.runs))
        sheet.rows.append(row)
    return sheet
