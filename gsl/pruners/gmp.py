"""Gradual magnitude pruning: Zhu and Gupta, "To prune, or not to prune", 2017 (arXiv 1710.01878), eq. 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gsl.pruner import MaskPruner, Moment, PrunedLayer, check_density, check_span, check_whole, count_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class GMP(MaskPruner):
    """Raises the sparsity of each layer along a cubic: s(t) = s_f + (s_i - s_f) (1 - (t - t0) / (n dt))^3, with s_i = 0.

    ``begin`` and ``end`` are the shares of the pruning phase at which t0 and t0 + n dt lie; dt is ``every`` steps.
    """

    density: float = 0.1
    begin: float = 0.0
    end: float = 0.85
    every: int = 20

    def __post_init__(self) -> None:
        check_density(self.density)
        check_span(self.begin, self.end)
        check_whole("every", self.every)

    def new_mask(self, layer: PrunedLayer, moment: Moment) -> Tensor | None:
        """The largest weights, as many as the cubic leaves now."""
        if not moment.due(self.every, self.begin, self.end):
            return None
        final = 1.0 - moment.target
        sparsity = final - final * (1.0 - moment.share(self.begin, self.end)) ** 3
        count = min(count_of(1.0 - sparsity, layer.mask.numel()), int(layer.mask.sum()))
        return layer.keep_largest(layer.weight.detach().abs(), count)

    def ramping(self, moment: Moment) -> bool:
        """Until the cubic has reached its end."""
        return moment.share(self.begin, self.end) < 1.0
