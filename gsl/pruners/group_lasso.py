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
        layer.weight.grad.addcmul_(weight, self._norm(weight).clamp_min(1e-12).reciprocal(), value=self.strength)

    def after(self, layer: PrunedLayer, moment: Moment) -> None:
        """Zero the small groups."""
        norm = self._norm(layer.weight.detach())
        size = math.sqrt(layer.weight.numel() / norm.numel())
        layer.set_mask(layer.mask.clone().copy_(norm > self.threshold * size))

    def _norm(self, weight: Tensor) -> Tensor:
        """The norm of each group, of as many dimensions as the weight."""
        norm = (weight if weight.dim() == 4 else weight[:, :, None, None]).square().sum(_GROUPS[self.group], keepdim=True).sqrt()
        return norm if weight.dim() == 4 else norm[:, :, 0, 0]
