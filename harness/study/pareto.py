"""Accuracy against measured speed-up: a panel a network and pruner, a curve a guide, bars from seed to seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.prune.pictures import CONTROL
from harness.report.figures import new_figure, save_figure
from harness.study.cells import Cell
from harness.study.runs import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 3


def plot_pareto(cells: Sequence[Cell], read: Callable[[Run], float], scope: str, path: Path) -> Path | None:
    """Draw ``path`` (SVG); None where no cell has the speed-up that ``read`` gives.

    Accuracies are counted from the dense control's of the same seed, since seeds differ in level by more than guides do.
    """
    pruned = [cell for cell in cells if cell.pruner != CONTROL and cell.speedup(read) > 0]
    panels = list(dict.fromkeys((cell.net, cell.pruner) for cell in pruned))
    if not panels:
        return None
    guides = list(dict.fromkeys((cell.guide, cell.curve) for cell in pruned))  # a colour each, in all panels
    columns = min(COLUMNS, len(panels))
    figure, axes = new_figure(-(-len(panels) // columns), columns, (4.6, 3.6))
    for axis, (net, pruner) in zip(axes.flat, panels, strict=False):
        _panel(axis, [c for c in pruned if (c.net, c.pruner) == (net, pruner)], read, guides)
        axis.set_title(f"{pruner}, {net}", fontsize="small")
        axis.set(xlabel=f"measured speed-up, {scope} convolutions", xscale="log")
        axis.xaxis.set_major_formatter("{x:g}x")
        axis.xaxis.set_minor_formatter("{x:g}x")
        axis.tick_params(axis="x", which="both", labelsize="x-small")
        axis.legend(fontsize="x-small")
    for axis in list(axes.flat)[len(panels) :]:
        axis.set_visible(False)
    return save_figure(figure, path)


def _panel(axis: Axes, cells: Sequence[Cell], read: Callable[[Run], float], guides: Sequence[tuple[str, str]]) -> None:
    controlled = not any(math.isnan(cell.loss) for cell in cells)
    axis.set_ylabel("points of test accuracy, from the control's" if controlled else "test accuracy, %", fontsize="small")
    if controlled:
        axis.axhline(0.0, color="grey", linestyle="--", linewidth=1, label="dense control")
    for guide, curve in dict.fromkeys((cell.guide, cell.curve) for cell in cells):
        mine = sorted((c for c in cells if (c.guide, c.curve) == (guide, curve)), key=lambda c: c.speedup(read))
        x, across = _bars([[read(run) for run in cell.runs] for cell in mine], [cell.speedup(read) for cell in mine])
        heights = [[-100 * loss for loss in cell.losses] if controlled else [100 * a for a in cell.accuracies] for cell in mine]
        y, up = _bars(heights, [statistics.fmean(of) for of in heights])
        lines: dict[str, Any] = {"marker": "o", "markersize": 4, "capsize": 2, "linewidth": 1.2, "elinewidth": 0.6}
        colour = f"C{guides.index((guide, curve))}"
        axis.errorbar(x, y, xerr=across, yerr=up, label=f"{guide} {curve}".strip(), color=colour, **lines)


def _bars(values: Sequence[Sequence[float]], middles: Sequence[float]) -> tuple[list[float], list[list[float]]]:
    """The middles, and how far the seeds reach below and above them; one seed reaches nowhere, whatever rounding says."""
    below = [max(0.0, middle - min(of)) for middle, of in zip(middles, values, strict=True)]
    above = [max(0.0, max(of) - middle) for middle, of in zip(middles, values, strict=True)]
    return list(middles), [below, above]
