"""Runs that differ in their seed alone, put together and set against the dense control of the same budget."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from harness.prune.pictures import CONTROL
from harness.study.runs import Budget, Run

STRENGTHS = ("pruner.density", "pruner.strength", "guide.target")
ARITHMETIC = "train.amp"  # no curve of its own: a loss is counted against the control of the same arithmetic


@dataclass(frozen=True)
class Cell:
    """One setting, a run a seed. ``losses`` of test accuracy are against the control of the same seed; nan without one.

    ``curve`` names the options that cells of one curve share and that are not the usual ones, ``strength`` those that lead along it.
    """

    net: str
    pruner: str
    guide: str
    curve: str
    strength: str
    runs: tuple[Run, ...]
    losses: tuple[float, ...]
    validation_losses: tuple[float, ...]

    def mean(self, read: Callable[[Run], float]) -> float:
        """Mean over the seeds of what ``read`` finds; nan where a run does not have it."""
        return statistics.fmean(map(read, self.runs))

    @property
    def accuracies(self) -> tuple[float, ...]:
        """Test accuracy of the last epoch, a seed each."""
        return tuple(run.accuracy for run in self.runs)

    @property
    def spread(self) -> float:
        """Greatest minus least accuracy of the seeds."""
        return max(self.accuracies) - min(self.accuracies)

    @property
    def loss(self) -> float:
        """Mean loss of test accuracy."""
        return statistics.fmean(self.losses)

    @property
    def validation_loss(self) -> float:
        """Mean loss of validation accuracy: what a strength may be chosen by."""
        return statistics.fmean(self.validation_losses)

    def only(self, seeds: Collection[int]) -> Cell | None:
        """The cell of those runs whose seed is one of ``seeds``; None without any."""
        kept = [i for i, run in enumerate(self.runs) if run.seed in seeds]
        runs, losses = tuple(self.runs[i] for i in kept), tuple(self.losses[i] for i in kept)
        validation = tuple(self.validation_losses[i] for i in kept)
        return dataclasses.replace(self, runs=runs, losses=losses, validation_losses=validation) if kept else None

    def speedup(self, read: Callable[[Run], float]) -> float:
        """Geometric mean over the seeds."""
        values = [read(run) for run in self.runs]
        return math.exp(statistics.fmean(map(math.log, values))) if all(value > 0 for value in values) else math.nan


def collect(runs: Sequence[Run]) -> list[Cell]:
    """Put ``runs`` together by everything but their seed; of two with one seed the later counts."""
    controls = {run.budget: run for run in runs if run.pruner == CONTROL}
    groups: dict[tuple[str, str, str, str, str], dict[int, Run]] = {}
    varied = _varied(runs)
    for run in runs:
        usual = varied[run.net, run.pruner, run.guide]
        options = {name: run.options[name] for name in usual if name in run.options and str(run.options[name]) != usual[name]}
        strength = {name: run.options[name] for name in STRENGTHS if run.options.get(name) is not None and _counts(run, name)}
        curve = _text({name: value for name, value in options.items() if name not in strength})
        groups.setdefault((run.net, run.pruner, run.guide, curve, _text(strength)), {})[run.seed] = run
    return [_cell(key, tuple(found[seed] for seed in sorted(found)), controls) for key, found in sorted(groups.items())]


def _varied(runs: Sequence[Run]) -> dict[tuple[str, str, str], dict[str, str | None]]:
    """For each network, pruner and guide the options that differ from run to run, with the value that more than half of the runs have."""
    values: dict[tuple[str, str, str], dict[str, Counter[str]]] = {}
    for run in runs:
        seen = values.setdefault((run.net, run.pruner, run.guide), {})
        for name, value in run.options.items():
            if name != ARITHMETIC:
                seen.setdefault(name, Counter())[str(value)] += 1
    return {key: {name: _usual(found) for name, found in seen.items() if len(found) > 1} for key, seen in values.items()}


def _usual(values: Counter[str]) -> str | None:
    (value, times), *_ = values.most_common(1)
    return value if 2 * times > values.total() else None


def _counts(run: Run, name: str) -> bool:
    """A guide with a target of its own leaves the pruner's density without effect."""
    return name != "pruner.density" or run.options.get("guide.target") is None


def _text(options: Mapping[str, object]) -> str:
    return " ".join(f"{name.removeprefix('pruner.')}={value}" for name, value in options.items())


def _cell(key: tuple[str, str, str, str, str], runs: tuple[Run, ...], controls: Mapping[Budget, Run]) -> Cell:
    found = [controls.get(run.budget) for run in runs]
    losses = [control.accuracy - run.accuracy if control else math.nan for run, control in zip(runs, found, strict=True)]
    validation = [control.validation - run.validation if control else math.nan for run, control in zip(runs, found, strict=True)]
    return Cell(*key, runs, tuple(losses), tuple(validation))
