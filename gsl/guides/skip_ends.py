"""All layers but the first and the last: common practice without any model, and so the baseline that a guide has to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gsl.guides.base import BaseGuide, State
from gsl.outlook import LayerOutlook
from gsl.pruner import check_whole
from perfmodel import InputError


@dataclass(frozen=True)
class SkipEnds:
    """Options of the guide ``skip_ends``: how many layers to leave alone at either end."""

    first: int = 1
    last: int = 1
    period: int = 100

    def __post_init__(self) -> None:
        check_whole("first", self.first, 0)
        check_whole("last", self.last, 0)
        check_whole("period", self.period)

    def open(self, names: Sequence[str], outlooks: Mapping[str, LayerOutlook]) -> BaseGuide:
        """A guide that prunes ``names`` but those at the ends; raises :class:`InputError` where none is left."""
        if self.first + self.last >= len(names):
            raise InputError(f"skip_ends leaves {self.first} + {self.last} of {len(names)} layers alone; allowed: fewer than all")
        return _SkipEndsGuide(names, outlooks, self)


class _SkipEndsGuide(BaseGuide):
    def _begin(self, iteration: int) -> None:
        count = len(self.names)
        for place, name in enumerate(self.names):
            if place < self.rules.first or place >= count - self.rules.last:
                end = "first" if place < self.rules.first else "last"
                self._decide(iteration, name, State.DROPPED, 1.0, f"among the {end} layers, which are left alone")
