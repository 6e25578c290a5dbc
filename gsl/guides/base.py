"""What every guide does: holds the state of each layer, logs each decision, totals the projections, saves and loads."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from gsl.outlook import LayerOutlook
from perfmodel import InputError


class State(StrEnum):
    """Where a layer stands. Only ``pruning`` layers are in the paper's set S."""

    DROPPED = "dropped"
    PRUNING = "pruning"
    STOPPED = "stopped"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Decision:
    """One step of a layer to a new state, with what it rested on.

    ``seconds`` and ``speedup`` are projected for the sparse kernel at ``density``, the layer's density at that moment; None for a layer
    without a projection.
    """

    iteration: int
    layer: str
    state: State
    density: float
    seconds: float | None
    speedup: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Loss:
    """What pruning a layer to a density is estimated to cost: ``curve[i]`` at ``densities[i]``, rising from the right to the left."""

    densities: Sequence[float]
    curve: Sequence[float]


class BaseGuide:
    """Prunes every layer all the way: the guide ``none``, and the base of the others.

    Same calls in the same order give the same decisions. ``layers`` holds the outlook of those that have one;
    ``names`` are all prunable layers in the network's order. Sub-classes override :meth:`_begin`, :meth:`_check_layer`, :meth:`target`.
    """

    hold: ClassVar[str] = "auto"
    restore: ClassVar[str] = "original"
    zero_momentum: ClassVar[bool] = True
    replans: ClassVar[bool] = False  # whether :meth:`replan` wants the layers' losses before each check

    def __init__(self, names: Sequence[str], layers: Mapping[str, LayerOutlook], rules: Any, iteration: int = 0) -> None:
        """Decide what is left out from the start; raises :class:`InputError` for no, equal or unknown names."""
        if not names or len(set(names)) != len(names):
            raise InputError(f"layers are {list(names)}; allowed: one or more, each name once")
        if unknown := [name for name in layers if name not in names]:
            raise InputError(f"there is a projection for {unknown[0]!r}, which is no prunable layer; allowed: {', '.join(names)}")
        self.names, self.layers, self.rules = tuple(names), dict(layers), rules
        self.log: list[Decision] = []
        self.states = dict.fromkeys(names, State.PRUNING)
        self._last = iteration
        self._begin(iteration)

    @property
    def period(self) -> int:
        """Iterations between checks."""
        return int(self.rules.period)

    @property
    def pruning(self) -> tuple[str, ...]:
        """The layers that are being pruned now: the paper's set S."""
        return tuple(name for name, state in self.states.items() if state is State.PRUNING)

    @property
    def ceiling(self) -> float | None:
        """Largest projected speed-up of all layers with a projection; those given up run unpruned. None without projections."""
        if not self.layers:
            return None
        lows = {name: layer.useful.low if layer.useful.low is not None else 1.0 for name, layer in self.layers.items()}
        return self.dense_s / self.seconds(lows)

    @property
    def dense_s(self) -> float:
        """Seconds of all layers with a projection, unpruned."""
        return sum(layer.dense_s for layer in self.layers.values())

    def seconds(self, densities: Mapping[str, float]) -> float:
        """Projected seconds of all layers at ``densities``; dropped and restored layers run unpruned."""
        zeros = (State.PRUNING, State.STOPPED)
        return sum(
            layer.best_s(check_density(name, densities)) if self.states[name] in zeros else layer.dense_s
            for name, layer in self.layers.items()
        )

    def target(self, layer: str, wanted: float) -> float:
        """The density that a schedule may aim at: ``wanted``, and 1 for layers that are not pruned."""
        return 1.0 if self.states[layer] in (State.DROPPED, State.RESTORED) else wanted

    def pressure(self, layer: str) -> float:
        """How much harder than others the layer is to be pruned: a factor for thresholds in units of its own weights."""
        return 1.0

    def final(self, layer: str) -> float | None:
        """The density that ``layer`` must have at the end of the pruning phase, or None."""
        return None

    def due(self, iteration: int) -> bool:
        """Whether a check is due: every ``period`` iterations, not at the start."""
        return iteration > self._last and iteration % self.period == 0

    def replan(self, losses: Mapping[str, Loss], iteration: int) -> None:
        """Make a new plan from what pruning each layer would cost; only where ``replans``."""

    def check(self, iteration: int, densities: Mapping[str, float], ramping: bool = False) -> list[Decision]:
        """Look at the densities and decide; returns the new decisions, which are also in ``log``.

        ``ramping``: a schedule still drives the densities (gmp), so that none can be called stabilised.
        Raises :class:`InputError` for a missing layer, a density outside 0 to 1, or an iteration that does not go on.
        """
        if iteration <= self._last:
            raise InputError(f"iteration is {iteration}; allowed: later than the last check at {self._last}")
        current = {name: check_density(name, densities) for name in self.pruning}
        self._last, before = iteration, len(self.log)
        for name, density in current.items():
            self._check_layer(iteration, name, density, ramping)
        return self.log[before:]

    def _begin(self, iteration: int) -> None:
        """Leave out layers before the first step."""

    def _check_layer(self, iteration: int, name: str, density: float, ramping: bool) -> None:
        """Look at one layer that is being pruned."""

    def _decide(self, iteration: int, name: str, state: State, density: float, reason: str) -> None:
        self.states[name] = state
        outlook = self.layers.get(name)
        seconds = outlook.seconds(density) if outlook else None
        speedup = outlook.dense_s / seconds if outlook and seconds else None
        self.log.append(Decision(iteration, name, state, density, seconds, speedup, reason))

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on after a kill, as plain values that JSON holds exactly."""
        return {
            "rules": dataclasses.asdict(self.rules),
            "last": self._last,
            "states": {name: str(state) for name, state in self.states.items()},
            "log": [{**dataclasses.asdict(decision), "state": str(decision.state)} for decision in self.log],
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on from :meth:`state_dict`; raises :class:`InputError` where rules or layers are others than those saved."""
        if saved["rules"] != dataclasses.asdict(self.rules):
            raise InputError(f"rules of the guide are {dataclasses.asdict(self.rules)}; the checkpoint has {saved['rules']}")
        _same_names(saved["states"], self.states)
        self._last = saved["last"]
        self.states = {name: State(state) for name, state in saved["states"].items()}
        self.log = [Decision(**{**decision, "state": State(decision["state"])}) for decision in saved["log"]]


def _same_names(saved: Iterable[str], wanted: Iterable[str]) -> None:
    if list(saved) != list(wanted):
        raise InputError(f"layers of the guide are {', '.join(wanted)}; the checkpoint has {', '.join(saved)}")


def check_density(name: str, densities: Mapping[str, float]) -> float:
    """The density of ``name``; raises :class:`InputError` where it is missing or outside 0 to 1."""
    if name not in densities:
        raise InputError(f"densities lack layer {name!r}; found: {', '.join(densities) or 'none'}")
    if not 0.0 <= densities[name] <= 1.0:
        raise InputError(f"density of layer {name!r} is {densities[name]!r}; allowed: 0 to 1")
    return float(densities[name])
