"""The guide's settings: what the paper leaves open, each with the reason for its default."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from perfmodel import InputError

if TYPE_CHECKING:
    from gsl.guide import Guide
    from gsl.outlook import LayerOutlook


@dataclass(frozen=True)
class GuideRules:
    """Settings of the guide; raises :class:`InputError` for a value out of range.

    The paper (sec. 2.3) names the rules but not the period, the test for "stabilised" or what becomes of a stopped layer.

    ``period``: iterations between checks. Keep the first check after the first zeros have come.
    ``floor``: a layer must be able to save this share of the unpruned time of all layers, or it is dropped at the start.
    ``spare``: a layer is pruned only as far as more of it could save this share of the time that all layers take at the low ends of
    their ranges. A layer's own range knows nothing of the others: the last zeros of a small one cost accuracy for nothing.
    ``pressure``: thresholds in units of a layer's own weights (dns) are multiplied by what the layer can save over the mean of all, to
    this power: half removes the least squared weight for a second saved (see docs/pruning.md), 0 treats all alike as the paper does.
    ``bound_checks``: checks in a row at or below the low end before a layer stops. Surgery (dns) overshoots
    downwards at first and then splices back; one check would freeze every layer there.
    ``stable_checks``, ``stable_change``, ``armed_below``: a density has stabilised after this many checks in a row with a
    relative change (up or down) below ``stable_change``, counted only once the density has been below ``armed_below``.
    ``hold``: what a stopped layer keeps: its ``mask``, or only its density as a ``floor`` so that splicing goes on; ``auto``:
    the floor under pruners that splice (dns, rigl), the mask under the others.
    ``restore``: a restored layer takes its ``original`` weights back, or ``keep`` what it has and is only unmasked.
    ``zero_momentum``: whether the optimiser's momentum of a restored layer starts again from zero.
    """

    period: int = 100
    floor: float = 0.02
    spare: float = 0.07
    pressure: float = 0.5
    bound_checks: int = 3
    stable_checks: int = 3
    stable_change: float = 0.03
    armed_below: float = 0.97
    hold: Literal["auto", "mask", "floor"] = "auto"
    restore: Literal["original", "keep"] = "original"
    zero_momentum: bool = True

    def __post_init__(self) -> None:
        for name in ("period", "bound_checks", "stable_checks"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name} is {value!r}; allowed: a whole number from 1")
        for name, least in (("floor", 0.0), ("spare", 0.0), ("pressure", 0.0), ("stable_change", 0.0), ("armed_below", 0.0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= 1 or math.isnan(value):
                raise InputError(f"{name} is {value!r}; allowed: 0 to 1")
        for name, allowed in (("hold", ("auto", "mask", "floor")), ("restore", ("original", "keep"))):
            if getattr(self, name) not in allowed:
                raise InputError(f"{name} is {getattr(self, name)!r}; allowed: {', '.join(allowed)}")

    def open(self, names: Sequence[str], outlooks: Mapping[str, LayerOutlook]) -> Guide:
        """The paper's guide over all prunable ``names``; those without an outlook are left alone. Errors as :class:`gsl.Guide`."""
        from gsl.guide import Guide

        if not outlooks:
            raise InputError("guide 'gsl' needs projections, and no layer has one; allowed: measure or project at least one convolution")
        return Guide([outlooks[name] for name in names if name in outlooks], self, names=names)
