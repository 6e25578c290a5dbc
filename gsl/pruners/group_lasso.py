"""Structured sparsity by group lasso: Wen et al., "Learning structured sparsity", NIPS 2016, eq. 3 to 5."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gsl.pruner import Moment, PrunedLayer, Pruner, check_share

if TYPE_CHECKING:
    from torch import Tensor

# The dimensions of an OIHW weight over which one group runs.
_GROUPS = {"filter": (1, 2, 3), "channel": (0, 2, 3), "shape": (0,), "kernel": (2, 3)}


@dataclass(frozen=True)
class GroupLasso(Pruner):
    """Adds ``strength`` * w / ||group of w|| to the gradient and zeroes groups whose root mean square is at most ``threshold``.

    ``group``: a ``filter`` (output channel), an input ``channel``, a ``shape`` (one position of all filters), or a 2-D ``kernel``. Weights
    of linear layers count as 1 x 1 convolutions. Zeroed groups may come back.
    """

    strength: float = 1e-3
    threshold: float = 1e-3
    group: Literal["filter", "channel", "shape", "kernel"] = "shape"

    def __post_init__(self) -> None:
        check_share("strength", self.strength, 0.0, math.inf)
        check_share("threshold", self.threshold, 0.0, math.inf)

    def before(self, layer: PrunedLayer, moment: Moment) -> None:
        """Add the penalty's gradient; a group of zeros has none."""
        weight = layer.weight.detach()
        squares = layer.tensors.pop("squares") if "squares" in layer.tensors else self._squares(weight)
        layer.weight.grad.addcmul_(weight, squares.clamp_min(1e-24).rsqrt(), value=self.strength)

    def after(self, layer: PrunedLayer, moment: Moment) -> None:
        """Zero the small groups."""
        squares = self._squares(layer.weight.detach())
        size = layer.weight.numel() / squares.numel()
        layer.set_mask(layer.mask.clone().copy_(squares > self.threshold**2 * size))
        if not layer.least:  # the norms of the next step's penalty: a group that was zeroed has none, whatever stands here
            layer.tensors["squares"] = squares

    def stop(self, layer: PrunedLayer) -> None:
        """Nothing is needed any more."""
        layer.tensors.clear()

    def _squares(self, weight: Tensor) -> Tensor:
        """The squared norm of each group, of as many dimensions as the weight and in its memory order: several times cheaper to use."""
        whole = weight if weight.dim() == 4 else weight[:, :, None, None]
        order = sorted(range(4), key=whole.stride, reverse=True)
        place = [order.index(dimension) for dimension in range(4)]
        squares = whole.permute(order).square().sum([place[dimension] for dimension in _GROUPS[self.group]], keepdim=True).permute(place)
        return squares if weight.dim() == 4 else squares[:, :, 0, 0]
