"""The guide of Guided Sparsity Learning: which layers go on being pruned. A state machine, no training.

Park et al., ICLR 2017, sec. 2.3: layers without projected speed-up are left out from the start; a layer whose sparsity
reaches the upper bound of its useful range stops and keeps its zeros; a layer whose sparsity stabilises below
the lower bound stops and gets its dense weights back, so that the others have more room.
In densities: the upper bound of sparsity is ``useful.low``, the lower bound is ``useful.high``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gsl.outlook import LayerOutlook
from gsl.rules import GuideRules
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

    ``seconds`` and ``speedup`` are projected for the sparse kernel at ``density``, the layer's density at that moment.
    """

    iteration: int
    layer: str
    state: State
    density: float
    seconds: float
    speedup: float
    reason: str


@dataclass
class _Track:
    """What the guide remembers of one layer between checks."""

    state: State
    previous: float = 1.0
    armed: bool = False
    at_bound: int = 0
    stable: int = 0


class Guide:
    """Decides, check by check, which layers are pruned. Same calls in the same order give the same decisions."""

    def __init__(self, layers: Sequence[LayerOutlook], rules: GuideRules | None = None, iteration: int = 0) -> None:
        """Take the layers and drop at once those without enough to gain; raises :class:`InputError` for no or equal names."""
        self.rules = rules or GuideRules()
        self.layers = {layer.name: layer for layer in layers}
        if not layers or len(self.layers) != len(layers):
            raise InputError(f"layers are {[layer.name for layer in layers]}; allowed: one or more, each name once")
        self.log: list[Decision] = []
        self._tracks = {name: _Track(State.PRUNING) for name in self.layers}
        self._last = iteration
        for layer in layers:
            if reason := self._no_gain(layer):
                self._decide(iteration, layer, State.DROPPED, 1.0, reason)

    @property
    def states(self) -> dict[str, State]:
        """The state of every layer."""
        return {name: track.state for name, track in self._tracks.items()}

    @property
    def pruning(self) -> tuple[str, ...]:
        """The layers that are being pruned now: the paper's set S."""
        return tuple(name for name, track in self._tracks.items() if track.state is State.PRUNING)

    @property
    def ceiling(self) -> float:
        """Largest projected speed-up of all layers together: those not given up at the low end of their range, the rest unpruned."""
        lows = {name: layer.useful.low if layer.useful.low is not None else 1.0 for name, layer in self.layers.items()}
        return sum(layer.dense_s for layer in self.layers.values()) / self.seconds(lows)

    def seconds(self, densities: Mapping[str, float]) -> float:
        """Projected seconds of all layers at ``densities``; dropped and restored layers run unpruned."""
        zeros = (State.PRUNING, State.STOPPED)
        return sum(
            layer.best_s(_density(name, densities)) if self._tracks[name].state in zeros else layer.dense_s
            for name, layer in self.layers.items()
        )

    def target(self, layer: str, wanted: float) -> float:
        """The density that a schedule may aim at: ``wanted``, but not below the low end, and 1 for layers that are not pruned."""
        if self._tracks[layer].state in (State.DROPPED, State.RESTORED):
            return 1.0
        return max(wanted, self.layers[layer].useful.low or 0.0)

    def due(self, iteration: int) -> bool:
        """Whether a check is due: every ``period`` iterations, not at the start."""
        return iteration > self._last and iteration % self.rules.period == 0

    def check(self, iteration: int, densities: Mapping[str, float], ramping: bool = False) -> list[Decision]:
        """Look at the densities and decide; returns the new decisions, which are also in ``log``.

        ``ramping``: a schedule still drives the densities (gmp), so that none can be called stabilised.
        Raises :class:`InputError` for a missing layer, a density outside 0 to 1, or an iteration that does not go on.
        """
        if iteration <= self._last:
            raise InputError(f"iteration is {iteration}; allowed: later than the last check at {self._last}")
        current = {name: _density(name, densities) for name in self.pruning}
        self._last, before = iteration, len(self.log)
        for name, density in current.items():
            self._check_layer(iteration, self.layers[name], density, ramping)
        return self.log[before:]

    def _check_layer(self, iteration: int, layer: LayerOutlook, density: float, ramping: bool) -> None:
        rules, track, low, high = self.rules, self._tracks[layer.name], layer.useful.low or 0.0, layer.useful.high or 0.0
        track.armed |= density < rules.armed_below
        change = abs(density - track.previous) / track.previous if track.previous else 0.0
        steady = track.armed and not ramping and change < rules.stable_change
        track.stable = track.stable + 1 if steady else 0
        track.at_bound = track.at_bound + 1 if density <= low else 0
        track.previous = density
        if track.at_bound >= rules.bound_checks:
            reason = f"at or below the low end {low:.3g} in {track.at_bound} checks: more zeros save little"
            self._decide(iteration, layer, State.STOPPED, density, reason)
        elif track.stable >= rules.stable_checks and density >= high:
            reason = f"changed less than {rules.stable_change:.3g} in {track.stable} checks, above break-even {high:.3g}: zeros do not pay"
            self._decide(iteration, layer, State.RESTORED, density, reason)

    def _no_gain(self, layer: LayerOutlook) -> str:
        """Why a layer is not worth pruning at all, or an empty text."""
        if not layer.useful.exists:
            return f"no useful range: {layer.useful.reason}"
        share = layer.saving_s / sum(other.dense_s for other in self.layers.values())
        if share <= 0.0:
            return "no density is faster than the unpruned kernel"
        if share < self.rules.floor:
            return f"saves at most {share:.2%} of the time of all layers; the floor is {self.rules.floor:.2%}"
        return ""

    def _decide(self, iteration: int, layer: LayerOutlook, state: State, density: float, reason: str) -> None:
        seconds = layer.seconds(density)
        self._tracks[layer.name].state = state
        self.log.append(Decision(iteration, layer.name, state, density, seconds, layer.dense_s / seconds, reason))

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on after a kill, as plain values that JSON holds exactly."""
        return {
            "rules": dataclasses.asdict(self.rules),
            "last": self._last,
            "tracks": {name: dataclasses.asdict(track) for name, track in self._tracks.items()},
            "log": [dataclasses.asdict(decision) for decision in self.log],
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on from :meth:`state_dict`; raises :class:`InputError` where rules or layers are others than those saved."""
        if saved["rules"] != dataclasses.asdict(self.rules):
            raise InputError(f"rules of the guide are {dataclasses.asdict(self.rules)}; the checkpoint has {saved['rules']}")
        _same_names(saved["tracks"], self.layers)
        self._last = saved["last"]
        self._tracks = {name: _Track(**{**track, "state": State(track["state"])}) for name, track in saved["tracks"].items()}
        self.log = [Decision(**{**decision, "state": State(decision["state"])}) for decision in saved["log"]]


def _same_names(saved: Iterable[str], wanted: Iterable[str]) -> None:
    if list(saved) != list(wanted):
        raise InputError(f"layers of the guide are {', '.join(wanted)}; the checkpoint has {', '.join(saved)}")


def _density(name: str, densities: Mapping[str, float]) -> float:
    if name not in densities:
        raise InputError(f"densities lack layer {name!r}; found: {', '.join(densities) or 'none'}")
    if not 0.0 <= densities[name] <= 1.0:
        raise InputError(f"density of layer {name!r} is {densities[name]!r}; allowed: 0 to 1")
    return float(densities[name])
