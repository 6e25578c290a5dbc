"""Movement pruning: Sanh, Wolf and Rush, NeurIPS 2020 (arXiv 2005.07683), sec. 4, hard version."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gsl.pruner import Moment, PrunedLayer, Pruner, check_density, check_share, check_span, check_whole, count_of


@dataclass(frozen=True)
class Movement(Pruner):
    """Keeps the weights that move away from zero: scores S fall by ``rate`` * dL/dW' * W each step, the largest S stay.

    W' = W * mask is what the network computes with; the mask passes the gradient straight through to S, while W gets it only
    where the mask is 1. The share that stays follows the cubic of gradual pruning from ``begin`` to ``end`` of the phase;
    masks are renewed every ``every`` steps, and a weight may return with its old value.
    """

    density: float = 0.1
    rate: float = 1.0
    begin: float = 0.05
    end: float = 0.85
    every: int = 4

    def __post_init__(self) -> None:
        check_density(self.density)
        check_share("rate", self.rate, 0.0, math.inf)
        check_span(self.begin, self.end)
        check_whole("every", self.every)

    def start(self, layers: Sequence[PrunedLayer], targets: Sequence[float]) -> None:
        """Scores begin at zero, all weights kept."""
        for layer in layers:
            weight = layer.weight.detach()
            layer.tensors |= {"dense": weight.clone(), "scores": weight.clone().zero_()}

    def before(self, layer: PrunedLayer, moment: Moment) -> None:
        """Move the scores, then let the optimiser step from the dense copy with the masked gradient."""
        layer.tensors["scores"].addcmul_(layer.weight.grad, layer.tensors["dense"], value=-self.rate)
        layer.cut(layer.weight.grad)
        layer.swap_dense()

    def after(self, layer: PrunedLayer, moment: Moment) -> None:
        """Let the dense copy go again; where a mask is due, take the largest scores."""
        layer.swap_dense()
        dense = layer.tensors["dense"]
        if moment.due(self.every, self.begin, 1.0):
            final = 1.0 - moment.target
            sparsity = final - final * (1.0 - moment.share(self.begin, self.end)) ** 3
            layer.set_mask(layer.keep_largest(layer.tensors["scores"], count_of(1.0 - sparsity, layer.mask.numel())), dense)
        else:
            layer.take(dense)

    def ramping(self, moment: Moment) -> bool:
        """Until the cubic has reached its end."""
        return moment.share(self.begin, self.end) < 1.0

    def stop(self, layer: PrunedLayer) -> None:
        """Scores and dense copy are not needed any more."""
        layer.tensors.clear()
