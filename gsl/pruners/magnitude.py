"""Magnitude pruning: Han et al., "Learning both weights and connections", NIPS 2015."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gsl.pruner import MaskPruner, Moment, PrunedLayer, check_density, check_share, check_span, check_whole, count_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Magnitude(MaskPruner):
    """Keeps the largest weights of each layer; in ``rounds`` steps with training between them, or at once.

    Round k of n leaves the density d^(k/n), so that each removes the same share of what is left. The rounds are spread
    evenly from the share ``begin`` of the phase to ``end``; one round happens at ``begin``.
    """

    density: float = 0.1
    rounds: int = 1
    begin: float = 0.0
    end: float = 0.85

    def __post_init__(self) -> None:
        check_density(self.density)
        check_whole("rounds", self.rounds)
        check_share("begin", self.begin)
        if self.rounds > 1:
            check_span(self.begin, self.end)

    def new_mask(self, layer: PrunedLayer, moment: Moment) -> Tensor | None:
        """The largest weights, on the steps that begin a round."""
        steps = self.steps(moment.total)
        if moment.step not in steps:
            return None
        density = moment.target ** ((steps.index(moment.step) + 1) / self.rounds)
        return layer.keep_largest(layer.weight.detach().abs(), min(count_of(density, layer.mask.numel()), int(layer.mask.sum())))

    def steps(self, total: int) -> list[int]:
        """The steps at which a round begins; the earliest is step 1."""
        span = (self.end - self.begin) / max(1, self.rounds - 1)
        return [max(1, round((self.begin + k * span) * total)) for k in range(self.rounds)]

    def ramping(self, moment: Moment) -> bool:
        """Until the last round."""
        return moment.step < self.steps(moment.total)[-1]
