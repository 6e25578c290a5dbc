"""No pruning: the control that spends the same training budget."""

from __future__ import annotations

from dataclasses import dataclass

from gsl.pruner import Moment, PrunedLayer, Pruner


@dataclass(frozen=True)
class Dense(Pruner):
    """Leaves every weight alone. A pruned net is to be compared with this one, not only with the net that it started from."""

    def before(self, layer: PrunedLayer, moment: Moment) -> None:
        """Nothing."""

    def after(self, layer: PrunedLayer, moment: Moment) -> None:
        """Nothing."""
