"""RigL: Evci et al., "Rigging the lottery", ICML 2020 (arXiv 1911.11134), sec. 3."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gsl.pruner import Moment, PrunedLayer, Pruner, check_density, check_share, check_whole, count_of


@dataclass(frozen=True)
class RigL(Pruner):
    """Sparse from the first step with a fixed count a layer: drops the smallest weights, grows the largest gradients.

    Every ``every`` steps t up to the share ``end`` of the phase (T_end), the share ``drop`` / 2 * (1 + cos(pi t / T_end)) of a
    layer's weights moves; grown weights begin at zero. The first mask keeps the largest weights. ``spread``: every layer the
    same density, or ``erk``: in proportion to (sum of dimensions) / (product of dimensions), dense where that exceeds 1,
    with the same total.
    """

    density: float = 0.1
    spread: Literal["uniform", "erk"] = "uniform"
    drop: float = 0.3
    every: int = 100
    end: float = 0.75

    clears_momentum = True
    splices = True

    def __post_init__(self) -> None:
        check_density(self.density)
        check_share("drop", self.drop)
        check_share("end", self.end)
        check_whole("every", self.every)

    def start(self, layers: Sequence[PrunedLayer], targets: Sequence[float]) -> None:
        """Give each layer its count and its first mask."""
        shares = targets if self.spread == "uniform" else erk([tuple(layer.weight.shape) for layer in layers], self.density)
        for layer, share in zip(layers, shares, strict=True):
            count = count_of(share, layer.mask.numel())
            layer.set_mask(layer.keep_largest(layer.weight.detach().abs(), count))

    def before(self, layer: PrunedLayer, moment: Moment) -> None:
        """Keep the dense gradient where an update follows; masked weights do not learn."""
        if self._due(moment.step + 1, moment.total):
            layer.tensors["gradient"] = layer.weight.grad.abs()
        layer.cut(layer.weight.grad)

    def after(self, layer: PrunedLayer, moment: Moment) -> None:
        """Drop and grow, where due."""
        gradient = layer.tensors.pop("gradient", None)
        if gradient is None:
            layer.cut(layer.weight.data)
            return
        kept = int(layer.mask.sum())
        moved = min(int(self.fraction(moment.step, moment.total) * kept), layer.mask.numel() - kept)
        size = layer.weight.detach().abs().masked_fill(~layer.mask, -1.0)
        stay = layer.keep_largest(size, kept - moved)
        grown = layer.keep_largest(gradient.masked_fill(stay, -1.0), moved)
        layer.weight.data.mul_(stay)  # also where a weight was dropped and grown again: it begins at zero
        layer.set_mask(stay | grown)

    def fraction(self, step: int, total: int) -> float:
        """The share of a layer's weights that moves at ``step`` of ``total``."""
        return self.drop / 2 * (1 + math.cos(math.pi * step / max(1.0, self.end * total)))

    def ramping(self, moment: Moment) -> bool:
        """The count is fixed: no density tells of stability."""
        return True

    def _due(self, step: int, total: int) -> bool:
        return step % self.every == 0 and step < self.end * total


def erk(shapes: Sequence[Sequence[int]], density: float) -> list[float]:
    """Densities by Erdos-Renyi-kernel for weights of ``shapes``, such that all together have ``density``."""
    sizes = [math.prod(shape) for shape in shapes]
    raw = [sum(shape) / size for shape, size in zip(shapes, sizes, strict=True)]
    full: set[int] = set()
    while len(full) < len(shapes):
        rest = [i for i in range(len(shapes)) if i not in full]
        room = density * sum(sizes) - sum(sizes[i] for i in full)
        scale = room / sum(raw[i] * sizes[i] for i in rest)
        over = {i for i in rest if scale * raw[i] > 1}
        if not over:
            return [1.0 if i in full else scale * raw[i] for i in range(len(shapes))]
        full |= over
    return [1.0] * len(shapes)
