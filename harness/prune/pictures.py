"""A run drawn: what the guide decided and when, and how densities and accuracy went, beside the dense control's."""

from __future__ import annotations

import csv
import itertools
import textwrap
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.contract import InputError, Record
from harness.contract.record import RECORD_NAME, read_record
from harness.prune.export import EPOCHS_NAME
from harness.report.figures import new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONTROL = "dense"  # the pruner that prunes nothing
RECIPE = ("prune_epochs", "retrain_epochs", "batch", "prune_lr", "momentum", "prune_decay", "augment", "amp")
COLOURS = {"pruning": "tab:blue", "stopped": "tab:green", "dropped": "lightgrey", "restored": "tab:orange"}
_WIDTH, _LINE = 150, 0.17  # characters of a line of reasons; inches of its height

Epochs = Sequence[Mapping[str, float]]


def draw_run(folder: Path, record: Record, notice: Callable[[str], None]) -> None:
    """Draw ``decisions.svg`` and ``trajectory.svg`` into a run's folder, beside the control of equal budget where its results hold one.

    Without matplotlib ``notice`` hears of it.
    """
    block, epochs = {**record.extra["prune"], "steps": steps_of(record)}, read_epochs(folder)
    try:
        plot_decisions(block, folder / "decisions.svg")
        if epochs:
            plot_trajectory(block, epochs, _control(folder, record), folder / "trajectory.svg")
    except ImportError:
        notice("no pictures of the run: pip install 'breakeven[report]'")


def steps_of(record: Record) -> dict[str, int]:
    """Steps an epoch, of the pruning phase and in all; worked out where the record is older than the block ``steps``."""
    if found := record.extra["prune"].get("steps"):
        return dict(found)
    train = record.config["train"]
    an_epoch = int(record.config["dataset"].get("train", 0)) // train["batch"]
    return {
        "an_epoch": an_epoch,
        "prune": an_epoch * train["prune_epochs"],
        "total": an_epoch * (train["prune_epochs"] + train["retrain_epochs"]),
    }


def _control(folder: Path, record: Record) -> Epochs:
    """The epochs of the newest finished run beside ``folder`` without pruning: same network, data, training and seed."""
    keys = ("net", "dataset", "seed")
    recipe = [record.config["train"].get(name) for name in RECIPE]
    for file in sorted(folder.parent.glob(f"*-prune-*/{RECORD_NAME}"), reverse=True):
        with suppress(InputError):
            other = read_record(file)
            pruner = (other.config.get("pruner") or {}).get("name")
            same = [other.config.get(key) == record.config.get(key) for key in keys]
            if pruner == CONTROL and other.status == "complete" and all(same) and [other.config["train"].get(n) for n in RECIPE] == recipe:
                return read_epochs(file.parent)
    return []


def read_epochs(folder: Path) -> list[dict[str, float]]:
    """The lines of a run's ``epochs.csv``; empty where there is none."""
    try:
        lines = list(csv.DictReader((folder / EPOCHS_NAME).read_text(encoding="utf-8").splitlines()))
    except OSError:
        return []
    return [{name: float(value) for name, value in line.items() if value} for line in lines]


def plot_decisions(block: Mapping[str, Any], path: Path) -> Path:
    """A bar a layer, its colour the layer's state over the pruning phase; under it each decision: step, density, projection, reason.

    ``block`` is the record's ``prune``. Raises ImportError without matplotlib.
    """
    steps = block["steps"]["prune"]
    told = {layer["name"]: [_words(d) for d in block["decisions"] if d["layer"] == layer["name"]] for layer in block["layers"]}
    heights = [0.32 + _LINE * (1 + sum(text.count("\n") + 1 for text in texts)) for texts in told.values()]
    figure, axes = new_figure(1, 1, (11, sum(heights) + 1.2))
    axis, top = axes[0][0], 0.0
    for (name, texts), height in zip(told.items(), heights, strict=True):
        for begin, end, state in _spans([d for d in block["decisions"] if d["layer"] == name], steps):
            axis.barh(top + 0.13, end - begin, 0.26, begin, color=COLOURS[state])
        axis.text(-0.01 * steps, top + 0.13, name, ha="right", va="center")
        axis.text(0, top + 0.32, "\n".join(texts) or "pruned to the end of the phase", va="top", fontsize="x-small")
        top += height
    axis.set(xlim=(0, steps), ylim=(top, -0.1), xlabel="step of the pruning phase", yticks=[])
    axis.set_title(f"{block['pruner']}, guide {block['guide']}", loc="left")
    for state, colour in COLOURS.items():
        axis.barh(0, 0, color=colour, label=state)
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(COLOURS), fontsize="small", frameon=False)
    return save_figure(figure, path)


def _spans(decisions: Sequence[Mapping[str, Any]], total: int) -> list[tuple[int, int, str]]:
    """From step, to step, state: a layer is pruned until the guide decides otherwise."""
    marks = [(0, "pruning"), *((d["iteration"], d["state"]) for d in decisions), (total, "")]
    return [(begin, end, state) for (begin, state), (end, _) in itertools.pairwise(marks) if end > begin]


def _words(decision: Mapping[str, Any]) -> str:
    speedup = f", projected {decision['speedup']:.2f}x" if decision["speedup"] else ""
    text = f"step {decision['iteration']}: {decision['state']} at density {decision['density']:.3f}{speedup}: {decision['reason']}"
    return "\n".join(textwrap.wrap(text, _WIDTH))


def plot_trajectory(block: Mapping[str, Any], epochs: Epochs, control: Epochs, path: Path) -> Path:
    """Density of each layer, validation accuracy and training loss over the steps; the dense ``control``'s dashed beside them.

    Raises ImportError without matplotlib.
    """
    figure, axes = new_figure(3, 1, (8, 2.6))
    density, accuracy, loss = (row[0] for row in axes)
    a_step = block["steps"]["an_epoch"]
    at = [a_step * line["epoch"] for line in epochs]
    for name in epochs[0]:
        if name.startswith("density/"):
            values = [line[name] for line in epochs]
            density.plot([0, *at], [1.0, *values], marker="o", markersize=3, linewidth=1.2, label=name.removeprefix("density/"))
    density.set(ylabel="density", ylim=(0, 1.05))
    density.legend(fontsize="x-small", ncols=4)
    _beside(accuracy, "accuracy", 100.0, (epochs, control), a_step, block.get("validation_dense"))
    accuracy.set(ylabel="validation accuracy, %")
    _beside(loss, "loss", 1.0, (epochs, control), a_step, None)
    loss.set(ylabel="training loss", xlabel="step")
    for axis in (density, accuracy, loss):
        axis.set_xlim(0, block["steps"]["total"])
        axis.axvline(block["steps"]["prune"], color="black", linewidth=0.8, linestyle="--")
    density.set_title(f"{block['pruner']}, guide {block['guide']}; masks fixed from the dashed line on")
    return save_figure(figure, path)


def _beside(axis: Axes, name: str, scale: float, curves: tuple[Epochs, Epochs], a_step: int, start: float | None) -> None:
    for lines, label, style in zip(curves, ("pruned", "dense control"), ("-", "--"), strict=True):
        if lines:
            first = [] if start is None else [(0.0, scale * start)]
            points = [*first, *((a_step * line["epoch"], scale * line[name]) for line in lines)]
            axis.plot(*zip(*points, strict=True), style, marker="o", markersize=3, linewidth=1.2, label=label)
    axis.legend(fontsize="x-small")
