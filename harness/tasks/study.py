"""``task=study``: the pruning runs under ``results`` side by side, as a table, a CSV and a Pareto plot."""

from __future__ import annotations

import csv
import io
import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from harness.config import RunConfig
from harness.console import out
from harness.contract import InputError, Record
from harness.contract.record import RECORD_NAME, read_record
from harness.files import write_atomically
from harness.tasks import EXIT_OK

_COLUMNS = ("net", "pruner", "guide", "options", "seeds", "accuracy", "spread", "loss", "projected", "measured", "density")


Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Cell:
    """Runs that differ in their seed alone; ``accuracies`` are those of the last epoch, ``speedups`` measured (nan: not measured)."""

    net: str
    pruner: str
    guide: str
    options: str
    accuracies: tuple[float, ...]
    losses: tuple[float, ...]
    projected: tuple[float, ...]
    speedups: tuple[float, ...]
    density: float

    @property
    def spread(self) -> float:
        """Greatest minus least accuracy of the seeds."""
        return max(self.accuracies) - min(self.accuracies)


def run(config: RunConfig) -> int:
    """Print the table, write ``study.csv`` and, where matplotlib is installed, ``pareto.svg``."""
    folder = Path(config.results).expanduser()
    records = [read_record(file) for file in sorted(folder.glob(f"*-prune-*/{RECORD_NAME}"))]
    done = [r for r in records if r.status == "complete" and "accuracy_last" in r.extra.get("prune", {})]
    if not done:
        raise InputError(f"no finished pruning run in {str(folder)!r} ({len(records)} unfinished); allowed: results=FOLDER of a study")
    cells, console = collect(done), out()
    console.print(_table(cells))
    lines = [f"{len(done)} finished runs" + (f", {len(records) - len(done)} not finished" if len(records) > len(done) else "")]
    lines.append(str(_write_csv(cells, folder / "study.csv")))
    try:
        lines.append(str(plot_pareto(cells, folder / "pareto.svg")))
    except ImportError:
        lines.append("no plot: pip install 'breakeven[report]'")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)
    return EXIT_OK


def collect(records: Sequence[Record]) -> list[Cell]:
    """Put runs that differ in their seed alone together."""
    groups: dict[Key, list[Mapping[str, Any]]] = {}
    for record in records:
        block, net = record.extra["prune"], record.config["net"]
        options = {**_varied(block["options"]["pruner"]), **{f"guide.{k}": v for k, v in _varied(block["options"]["guide"]).items()}}
        text = " ".join(f"{name}={value}" for name, value in options.items())
        key: Key = (f"{net['name']} x{net.get('width', 1)} on {record.config['dataset']['name']}", block["pruner"], block["guide"], text)
        groups.setdefault(key, []).append(block)
    return [_cell(key, blocks) for key, blocks in sorted(groups.items())]


def _varied(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that say how strong: the others are in the record."""
    return {name: value for name, value in options.items() if name in ("density", "strength", "factor", "target", "floor")}


def _cell(key: Key, blocks: Sequence[Mapping[str, Any]]) -> Cell:
    def all_of(read: Any) -> tuple[float, ...]:
        return tuple(float(read(block)) for block in blocks)

    layers = [layer["density"] for block in blocks for layer in block["layers"] if layer.get("projected_speedup")]
    return Cell(
        net=key[0],
        pruner=key[1],
        guide=key[2],
        options=key[3],
        accuracies=all_of(lambda b: b["accuracy_last"]),
        losses=all_of(lambda b: b["accuracy_dense"] - b["accuracy_last"]),
        projected=all_of(lambda b: b["time"]["projected_speedup"]),
        speedups=all_of(lambda b: b["time"].get("measured_speedup", math.nan)),
        density=statistics.fmean(layers) if layers else 1.0,
    )


def at_equal_accuracy(cells: Sequence[Cell], other: Sequence[Cell]) -> list[float]:
    """Speed-ups of ``cells`` over that of ``other`` interpolated at the same accuracy (log speed-up); never extrapolated."""
    points = sorted((statistics.fmean(c.accuracies), math.log(statistics.fmean(c.speedups))) for c in other)
    ratios = []
    for cell in cells:
        accuracy, speedup = statistics.fmean(cell.accuracies), statistics.fmean(cell.speedups)
        for (a0, s0), (a1, s1) in itertools.pairwise(points):
            if a0 <= accuracy <= a1 and a1 > a0:
                ratios.append(speedup / math.exp(s0 + (s1 - s0) * (accuracy - a0) / (a1 - a0)))
                break
    return ratios


def _values(cell: Cell) -> list[str]:
    mean = statistics.fmean
    measured = "-" if math.isnan(mean(cell.speedups)) else f"{mean(cell.speedups):.2f}x"
    numbers = [f"{mean(cell.accuracies):.2%}", f"{cell.spread:.2%}", f"{mean(cell.losses):+.2%}", f"{mean(cell.projected):.2f}x", measured]
    return [cell.net, cell.pruner, cell.guide, cell.options, str(len(cell.accuracies)), *numbers, f"{cell.density:.3f}"]


def _table(cells: Sequence[Cell]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name in _COLUMNS[:4] else "right", overflow="fold")
    for cell in cells:
        table.add_row(*_values(cell))
    return table


def _write_csv(cells: Sequence[Cell], path: Path) -> Path:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(_values(cell) for cell in cells)
    write_atomically(path, text.getvalue())
    return path


def plot_pareto(cells: Sequence[Cell], path: Path) -> Path:
    """Accuracy against measured speed-up (projected where nothing was measured), a curve a pruner and guide, bars from seed to seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for pruner, guide in dict.fromkeys((cell.pruner, cell.guide) for cell in cells):
        chosen = [cell for cell in cells if (cell.pruner, cell.guide) == (pruner, guide)]
        x = [statistics.fmean(c.projected if math.isnan(statistics.fmean(c.speedups)) else c.speedups) for c in chosen]
        order = sorted(range(len(x)), key=x.__getitem__)
        means = [100 * statistics.fmean(chosen[i].accuracies) for i in order]
        low = [mean - 100 * min(chosen[i].accuracies) for i, mean in zip(order, means, strict=True)]
        high = [100 * max(chosen[i].accuracies) - mean for i, mean in zip(order, means, strict=True)]
        axes.errorbar([x[i] for i in order], means, yerr=[low, high], marker="o", capsize=3, label=f"{pruner}, {guide}")
    axes.set(xlabel="speed-up of all convolutions over the fastest dense kernels", ylabel="test accuracy, %", xscale="log")
    axes.legend()
    draft = io.StringIO()
    figure.savefig(draft, format="svg")
    write_atomically(path, draft.getvalue())
    return path
