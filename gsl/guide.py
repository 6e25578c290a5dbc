"""The guide of Guided Sparsity Learning: which layers go on being pruned. A state machine, no training.

Park et al., ICLR 2017, sec. 2.3: layers without projected speed-up are left out from the start; a layer whose sparsity
reaches the upper bound of its useful range stops and keeps its zeros; a layer whose sparsity stabilises below
the lower bound stops and gets its dense weights back, so that the others have more room.
In densities: the upper bound of sparsity is ``useful.low``, the lower bound is ``useful.high``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gsl.guides.base import BaseGuide, State
from gsl.outlook import LayerOutlook, narrowed
from gsl.rules import GuideRules
from perfmodel import InputError


@dataclass
class _Track:
    """What the guide remembers of one layer between checks."""

    previous: float = 1.0
    armed: bool = False
    at_bound: int = 0
    stable: int = 0


class Guide(BaseGuide):
    """Decides, check by check, which layers are pruned. Same calls in the same order give the same decisions."""

    rules: GuideRules

    def __init__(
        self, layers: Sequence[LayerOutlook], rules: GuideRules | None = None, iteration: int = 0, names: Sequence[str] | None = None
    ) -> None:
        """Take the layers and drop at once those without enough to gain; raises :class:`InputError` for no or equal names.

        ``names``: all prunable layers in order; those without an outlook have nothing to gain either.
        """
        given = [layer.name for layer in layers]
        if len(set(given)) != len(given):
            raise InputError(f"layers are {given}; allowed: one or more, each name once")
        self._tracks = {name: _Track() for name in given}
        super().__init__(given if names is None else names, {layer.name: layer for layer in layers}, rules or GuideRules(), iteration)

    @property
    def hold(self) -> str:  # type: ignore[override]
        """What a stopped layer keeps."""
        return self.rules.hold

    @property
    def restore(self) -> str:  # type: ignore[override]
        """What a restored layer gets."""
        return self.rules.restore

    @property
    def zero_momentum(self) -> bool:  # type: ignore[override]
        """Whether a restored layer's momentum starts from zero."""
        return self.rules.zero_momentum

    def _begin(self, iteration: int) -> None:
        for name in self.names:
            if reason := self._no_gain(self.layers.get(name)):
                self._decide(iteration, name, State.DROPPED, 1.0, reason)
        least_s = self.seconds({name: layer.useful.low or 1.0 for name, layer in self.layers.items()})
        self.layers |= {name: narrowed(self.layers[name], self.rules.spare * least_s) for name in self.pruning}

    def target(self, layer: str, wanted: float) -> float:
        """The density that a schedule may aim at: ``wanted``, but not below the low end, and 1 for layers that are not pruned."""
        if self.states[layer] in (State.DROPPED, State.RESTORED):
            return 1.0
        return max(wanted, self.layers[layer].useful.low or 0.0)

    def pressure(self, layer: str) -> float:
        """What the layer can save over the saving-weighted mean of all that are pruned, to the power ``rules.pressure``."""
        savings = {name: self.layers[name].saving_s for name in self.pruning}
        if layer not in savings:
            return 1.0
        mean = math.fsum(s * s for s in savings.values()) / math.fsum(savings.values())
        return float((savings[layer] / mean) ** self.rules.pressure)

    def _check_layer(self, iteration: int, name: str, density: float, ramping: bool) -> None:
        rules, track, useful = self.rules, self._tracks[name], self.layers[name].useful
        low, high = useful.low or 0.0, useful.high or 0.0
        track.armed |= density < rules.armed_below
        change = abs(density - track.previous) / track.previous if track.previous else 0.0
        steady = track.armed and not ramping and change < rules.stable_change
        track.stable = track.stable + 1 if steady else 0
        track.at_bound = track.at_bound + 1 if density <= low else 0
        track.previous = density
        if track.at_bound >= rules.bound_checks:
            reason = f"at or below the low end {low:.3g} in {track.at_bound} checks: more zeros save little"
            self._decide(iteration, name, State.STOPPED, density, reason)
        elif track.stable >= rules.stable_checks and density >= high:
            reason = f"changed less than {rules.stable_change:.3g} in {track.stable} checks, above break-even {high:.3g}: zeros do not pay"
            self._decide(iteration, name, State.RESTORED, density, reason)

    def _no_gain(self, layer: LayerOutlook | None) -> str:
        """Why a layer is not worth pruning at all, or an empty text."""
        if layer is None:
            return "no projection for it: its time does not count"
        if not layer.useful.exists:
            return f"no useful range: {layer.useful.reason}"
        share = layer.saving_s / sum(other.dense_s for other in self.layers.values())
        if share <= 0.0:
            return "no density is faster than the unpruned kernel"
        if share < self.rules.floor:
            return f"saves at most {share:.2%} of the time of all layers; the floor is {self.rules.floor:.2%}"
        return ""

    def state_dict(self) -> dict[str, Any]:
        """As of every guide, with what is remembered between checks."""
        return {**super().state_dict(), "tracks": {name: dataclasses.asdict(track) for name, track in self._tracks.items()}}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """As of every guide."""
        super().load_state_dict(saved)
        self._tracks = {name: _Track(**track) for name, track in saved["tracks"].items()}
