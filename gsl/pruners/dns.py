"""Dynamic network surgery: Guo, Yao and Chen, NIPS 2016 (arXiv 1608.04493), eq. 2 to 4."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gsl.pruner import Moment, PrunedLayer, Pruner, check_share, check_whole, count_of
from perfmodel import InputError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class DNS(Pruner):
    """Prunes below one threshold and splices back above a higher one; a dense copy goes on learning behind the mask.

    Per layer, from its dense |w| at the start: a = ``low`` * (mean + ``strength`` * std), b = ``high`` * (the same), both times what
    the guide makes of the layer (``PrunedLayer.pressure``; the paper has a strength a layer, set by hand). A weight of
    the dense copy is pruned where a > |w|, spliced where b < |w|, and stays as it is in between. The copy takes the gradient of the masked
    network. Masks are looked at every ``every`` steps, with probability (1 + ``gamma`` * step)^-``power``. Where a guide plans a
    density (budget), a is what that share of the copy's |w| lie above at each look, b = a * ``high`` / ``low``, and ``strength`` is unused.
    """

    strength: float = 1.0
    low: float = 0.9
    high: float = 1.1
    every: int = 4
    gamma: float = 1e-4
    power: float = 1.0

    splices = True

    def __post_init__(self) -> None:
        for name, least in (("low", 1e-6), ("high", 1e-6), ("gamma", 0.0), ("power", 0.0)):
            check_share(name, getattr(self, name), least, math.inf)
        check_share("strength", self.strength, -10.0, math.inf)
        check_whole("every", self.every)
        if self.low > self.high:
            raise InputError(f"low is {self.low!r} and high {self.high!r}; allowed: low at most high")

    def start(self, layers: Sequence[PrunedLayer], targets: Sequence[float]) -> None:
        """Fix the thresholds and begin the dense copies."""
        for layer in layers:
            size = layer.weight.detach().abs()
            middle = layer.pressure * (size.mean() + self.strength * size.std(correction=0))
            layer.tensors |= {"dense": layer.weight.detach().clone(), "low": self.low * middle, "high": self.high * middle}

    def before(self, layer: PrunedLayer, moment: Moment) -> None:
        """Let the optimiser step from the dense copy."""
        layer.swap_dense()

    def after(self, layer: PrunedLayer, moment: Moment) -> None:
        """Let the dense copy go again, update the mask, leave the masked weights."""
        layer.swap_dense()
        dense = layer.tensors["dense"]
        if moment.step % self.every == 0 and self._happens(moment):
            size = dense.abs()
            if moment.target < 1:
                self._aim(layer, size, moment.target)
            layer.set_mask((layer.mask & (size >= layer.tensors["low"])) | (size > layer.tensors["high"]), dense)
        else:
            layer.take(dense)

    def stop(self, layer: PrunedLayer) -> None:
        """The dense copy is not needed any more."""
        layer.tensors.clear()

    def _aim(self, layer: PrunedLayer, size: Tensor, density: float) -> None:
        """Move the thresholds to where ``density`` of the dense copy lies above the lower one."""
        pruned = size.numel() - count_of(density, size.numel())
        lowest = size.flatten().kthvalue(pruned + 1).values
        layer.tensors |= {"low": lowest, "high": lowest * (self.high / self.low)}

    def _happens(self, moment: Moment) -> bool:
        """Drawn from seed and step alone: the same on every process and after a restart."""
        probability = (1.0 + self.gamma * moment.step) ** -self.power
        return random.Random(f"{moment.seed} {moment.step}").random() < probability
