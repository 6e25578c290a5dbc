"""A latency target: densities that meet it at the least estimated cost, planned anew while training. Beyond the paper."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gsl.guides.base import BaseGuide, Loss, State
from gsl.outlook import LayerOutlook
from gsl.pruner import check_share, check_whole
from perfmodel import InputError

Option = tuple[float, float, float]  # density, seconds, loss
Options = tuple[Option, ...]  # densities rising, the last one unpruned


@dataclass(frozen=True)
class Budget:
    """Options of the guide ``budget``.

    ``target``: seconds of all convolutions as a share of their unpruned seconds. ``period``: iterations between checks;
    every ``replan``-th check makes a new plan for the layers that are still being pruned. ``least``: no density below it.
    """

    target: float = 0.33
    period: int = 20
    replan: int = 10
    least: float = 0.01

    def __post_init__(self) -> None:
        check_share("target", self.target, 1e-6)
        check_share("least", self.least, 1e-6)
        check_whole("period", self.period)
        check_whole("replan", self.replan)

    def open(self, names: Sequence[str], outlooks: Mapping[str, LayerOutlook]) -> BudgetGuide:
        """The guide over all prunable ``names``; raises :class:`InputError` without projections or where no densities meet the target."""
        if not outlooks:
            raise InputError("guide 'budget' needs projections, and no layer has one; allowed: measure or project at least one convolution")
        return BudgetGuide(names, outlooks, self)


class BudgetGuide(BaseGuide):
    """Plans a density a layer, lets each layer go down to it, and plans again as the weights change."""

    rules: Budget
    replans = True

    @property
    def target_s(self) -> float:
        """The seconds to be met."""
        return self.rules.target * self.dense_s

    def _begin(self, iteration: int) -> None:
        self.plan: dict[str, float] = {}
        self._checks = 0
        best = sum(min(layer.best_s(self.rules.least), layer.dense_s) for layer in self.layers.values())
        if best > self.target_s:
            raise InputError(
                f"target is {self.rules.target:g} of the unpruned time; allowed: at least {best / self.dense_s:.3f}, "
                f"which density {self.rules.least:g} in every layer reaches"
            )
        for name in self.names:
            if name not in self.layers:
                self._decide(iteration, name, State.DROPPED, 1.0, "no projection for it: its time does not count")

    def replan(self, losses: Mapping[str, Loss], iteration: int) -> None:
        """Solve for the densities that meet the target at the least sum of ``losses``; layers that have stopped keep theirs."""
        self._checks += 1
        if self.plan and self._checks % self.rules.replan:
            return
        free = [name for name in self.pruning if name in losses]
        fixed_s = sum(layer.best_s(self.plan.get(name, 1.0)) for name, layer in self.layers.items() if name not in free)
        if not free:
            return
        choices = {name: self._options(self.layers[name], losses[name]) for name in free}
        self.plan |= solve(choices, {name: self.layers[name].best_s for name in free}, self.target_s - fixed_s)
        for name in free:
            if self.plan[name] >= 1.0 and iteration == 0:
                self._decide(iteration, name, State.DROPPED, 1.0, "the plan meets the target without it")

    def target(self, layer: str, wanted: float) -> float:
        """The planned density; ``wanted`` is not used."""
        return self.plan.get(layer, 1.0) if self.states[layer] in (State.PRUNING, State.STOPPED) else 1.0

    def final(self, layer: str) -> float | None:
        """The planned density."""
        return self.plan.get(layer) if self.states[layer] in (State.PRUNING, State.STOPPED) else None

    def _check_layer(self, iteration: int, name: str, density: float, ramping: bool) -> None:
        planned = self.plan.get(name, 1.0)
        if density <= planned < 1.0 and not ramping:
            self._decide(iteration, name, State.STOPPED, density, f"reached the planned density {planned:.3g}")

    def _options(self, layer: LayerOutlook, loss: Loss) -> Options:
        pairs = zip(loss.densities, loss.curve, strict=True)
        pruned = [(x, layer.best_s(x), cost) for x, cost in pairs if x >= self.rules.least and layer.best_s(x) < layer.dense_s]
        return (*pruned, (1.0, layer.dense_s, 0.0))

    def state_dict(self) -> dict[str, Any]:
        """As of every guide, with the plan."""
        return {**super().state_dict(), "plan": dict(self.plan), "checks": self._checks}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """As of every guide."""
        super().load_state_dict(saved)
        self.plan, self._checks = dict(saved["plan"]), saved["checks"]


def solve(choices: Mapping[str, Options], seconds: Mapping[str, Any], target_s: float) -> dict[str, float]:
    """Densities with the least sum of losses among those whose seconds sum to at most ``target_s``.

    Lagrangian relaxation: each layer takes the option with the least loss + price * seconds; the price is bisected. What the grid
    leaves of the target is given back to the layers in turn, by raising densities between two grid points.
    Where even the sparsest options are too slow these are returned.
    """

    def at(price: float) -> dict[str, Option]:
        return {name: min(options, key=lambda o: (o[2] + price * o[1], o[1])) for name, options in choices.items()}

    def total(chosen: Mapping[str, Option]) -> float:
        return math.fsum(option[1] for option in chosen.values())

    if total(at(0.0)) <= target_s:
        return {name: option[0] for name, option in at(0.0).items()}
    low, high = 0.0, 1.0 / max(target_s, 1e-12)
    for _ in range(80):
        if total(at(high)) <= target_s:
            break
        high *= 2
    else:
        return {name: min(options, key=lambda o: o[1])[0] for name, options in choices.items()}
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if total(at(middle)) <= target_s else (middle, high)
    return _spend(at(high), choices, seconds, target_s)


def _spend(chosen: dict[str, Option], choices: Mapping[str, Options], seconds: Mapping[str, Any], target_s: float) -> dict[str, float]:
    """Spend what the price left of the target: step by step where a second saves most loss, the rest between two grid points."""
    while True:
        spare = target_s - math.fsum(option[1] for option in chosen.values())
        steps = [
            ((option[2] - other[2]) / max(other[1] - option[1], 1e-15), name, other)
            for name, option in chosen.items()
            for other in choices[name]
            if option[0] < other[0] and other[1] - option[1] <= spare
        ]
        if not steps:
            break
        _, name, option = max(steps, key=lambda step: step[0])
        chosen[name] = option
    densities = {name: option[0] for name, option in chosen.items()}
    for name, option in sorted(chosen.items(), key=lambda item: -item[1][2]):
        spare -= _raise(densities, name, option, choices[name], seconds[name], spare)
    return densities


def _raise(densities: dict[str, float], name: str, option: Option, options: Options, best_s: Any, spare: float) -> float:
    """Raise the density of ``name`` towards its next option as far as ``spare`` seconds allow; returns the seconds spent."""
    later = [other for other in options if option[0] < other[0] < 1.0]
    if not later or spare <= 0:
        return 0.0
    low, high = option[0], later[0][0]
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if best_s(middle) - option[1] <= spare else (low, middle)
    densities[name] = low
    return float(best_s(low)) - option[1]
