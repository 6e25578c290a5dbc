"""No guide: every layer is pruned alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gsl.guides.base import BaseGuide
from gsl.outlook import LayerOutlook
from gsl.pruner import check_whole


@dataclass(frozen=True)
class Unguided:
    """Options of the guide ``none``: ``period`` only says how often densities are looked at."""

    period: int = 100

    def __post_init__(self) -> None:
        check_whole("period", self.period)

    def open(self, names: Sequence[str], outlooks: Mapping[str, LayerOutlook]) -> BaseGuide:
        """A guide that prunes all of ``names``."""
        return BaseGuide(names, outlooks, self)
