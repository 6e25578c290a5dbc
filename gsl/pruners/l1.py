"""Element-wise L1 with a hard threshold: Park et al., ICLR 2017, sec. 3.1, and the solver that came with it (SkimCaffe)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from gsl.pruner import Moment, PrunedLayer, Pruner, check_share


@dataclass(frozen=True)
class L1(Pruner):
    """Adds ``strength`` * sign(w) to the gradient in place of the L2 decay, and after each step zeroes |w| <= threshold.

    ``factor`` 1: the threshold is constant. ``factor`` k from 2: th(g) = 1 / (|g| / threshold + 1 / (k threshold)), which is
    k * threshold for weights that the loss does not care about and falls as |g| grows. g is the optimiser's ``update`` as in
    the published code, or the ``gradient`` as its documentation says. Zeroed weights may come back.
    """

    strength: float = 4e-4
    threshold: float = 1e-3
    factor: float = 1.0
    scaled_by: Literal["update", "gradient"] = "update"

    def __post_init__(self) -> None:
        check_share("strength", self.strength, 0.0, math.inf)
        check_share("threshold", self.threshold, 0.0, math.inf)
        check_share("factor", self.factor, 1.0, math.inf)

    def before(self, layer: PrunedLayer, moment: Moment) -> None:
        """Add the penalty's gradient; it replaces the coupled weight decay that the optimiser is about to add."""
        weight = layer.weight.detach()
        if self.factor > 1:
            layer.tensors["before"] = (weight if self.scaled_by == "update" else layer.weight.grad).clone()
        layer.weight.grad.add_(weight.sign(), alpha=self.strength)
        if moment.weight_decay:
            layer.weight.grad.add_(weight, alpha=-moment.weight_decay)

    def after(self, layer: PrunedLayer, moment: Moment) -> None:
        """Zero what lies within the threshold."""
        weight = layer.weight.detach()
        if self.factor > 1:
            kept = layer.tensors.pop("before")
            slope = (weight - kept if self.scaled_by == "update" else kept).abs()
            threshold = 1.0 / (slope / self.threshold + 1.0 / (self.factor * self.threshold))
            layer.set_mask(weight.abs() > threshold)
        else:
            layer.set_mask(weight.abs() > self.threshold)
