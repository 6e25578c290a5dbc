"""What a pruner is, and what it sees of a layer and of the moment. Importing it needs no torch: tensors come in."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from perfmodel import InputError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter


@dataclass
class PrunedLayer:
    """A layer under a pruner: its weights, its mask, and what the pruner keeps of it.

    ``weight`` holds zeros wherever ``mask`` is False, before and after each optimiser step. ``original`` are the weights at the
    start. ``least`` is a count below which no mask may fall (under a pruner that splices, the end of the guide's range). ``pressure``
    is how much harder than others the guide wants the layer pruned, a factor for thresholds in units of its own weights (dns).
    ``tensors`` are the pruner's own, saved with the layer.
    """

    name: str
    weight: Parameter
    mask: Tensor
    original: Tensor
    least: int = 0
    pressure: float = 1.0
    tensors: dict[str, Tensor] = field(default_factory=dict)

    @property
    def density(self) -> float:
        """Share of weights that the mask keeps."""
        return int(self.mask.sum()) / self.mask.numel()

    def set_mask(self, mask: Tensor, values: Tensor | None = None) -> None:
        """Take ``mask``, and inside it ``values`` (default: the weights as they are), which also rank what ``least`` keeps on."""
        missing = self.least - int(mask.sum()) if self.least else 0
        if missing > 0:
            size = (self.weight.detach() if values is None else values).abs().masked_fill(mask, -1.0).flatten()
            mask = mask.flatten().index_fill(0, size.topk(missing).indices, True).view_as(mask)
        self.mask = mask
        if values is None:
            self.cut(self.weight.data)
        else:
            self.take(values)

    def cut(self, values: Tensor) -> None:
        """Zero ``values``, of the weight's shape, outside the mask."""
        values.mul_(self.mask.byte())  # a product with booleans takes four times as long

    def take(self, values: Tensor) -> None:
        """Make the weights ``values`` inside the mask, zero outside."""
        import torch

        torch.mul(values, self.mask.byte(), out=self.weight.data)

    def swap_dense(self) -> None:
        """Exchange the weights and the dense copy in ``tensors``, without copying: round an optimiser's step it is the copy that moves."""
        self.weight.data, self.tensors["dense"] = self.tensors["dense"], self.weight.data

    def keep_largest(self, scores: Tensor, count: int) -> Tensor:
        """A mask of the ``count`` largest ``scores``, in the memory order of the present one; equal inputs give equal masks everywhere."""
        flat = self.mask.new_zeros(scores.numel())
        if count > 0:
            flat[scores.flatten().topk(count, sorted=False).indices] = True
        return self.mask.clone().copy_(flat.view_as(scores))


@dataclass(frozen=True, slots=True)
class Moment:
    """Where the pruning phase stands.

    ``step``: optimiser steps done, the present one included once it is done. ``total``: steps of the phase. ``lr`` and
    ``weight_decay`` (0 where decoupled) of the layer's parameter group. ``target``: where a schedule may bring the layer: the
    pruner's ``density`` as limited by the guide.
    """

    step: int
    total: int
    lr: float
    weight_decay: float
    seed: int = 0
    target: float = 1.0

    def due(self, every: int, begin: float, end: float) -> bool:
        """Whether an update falls on this step: each ``every`` steps from the share ``begin`` of the phase to ``end``, and there."""
        first, last = round(begin * self.total), round(end * self.total)
        return first < self.step <= last and ((self.step - first) % every == 0 or self.step == last)

    def share(self, begin: float, end: float) -> float:
        """How far the phase is between the shares ``begin`` and ``end``, 0 to 1."""
        first, last = round(begin * self.total), round(end * self.total)
        return min(1.0, max(0.0, (self.step - first) / max(1, last - first)))


class Pruner(ABC):
    """How weights go. Instances hold options only; what belongs to a layer is in its ``tensors``.

    Per optimiser step of the pruning phase :meth:`before` and :meth:`after` are called for every layer that the guide
    has not stopped; a frozen layer is masked by the caller. Use only the weights, gradients and ``moment.seed``, so that all
    processes of a distributed run come to the same masks.
    """

    clears_momentum: ClassVar[bool] = False  # whether the optimiser's momentum outside a new mask is zeroed
    splices: ClassVar[bool] = False  # whether weights come back while it prunes, so that a stopped layer should go on doing so

    def start(self, layers: Sequence[PrunedLayer], targets: Sequence[float]) -> None:  # noqa: B027
        """Set up every layer that will be pruned, before the first step; ``targets`` as in :class:`Moment`."""

    @abstractmethod
    def before(self, layer: PrunedLayer, moment: Moment) -> None:
        """Change ``layer.weight.grad`` (or swap the weights) before the optimiser's step."""

    @abstractmethod
    def after(self, layer: PrunedLayer, moment: Moment) -> None:
        """Make the new mask after the optimiser's step; must leave zeros outside the mask."""

    def ramping(self, moment: Moment) -> bool:
        """Whether a schedule still drives the densities, so that none can be called stabilised."""
        return False

    def stop(self, layer: PrunedLayer) -> None:  # noqa: B027
        """Called when a layer leaves the pruning phase; drop what is kept of it."""


class MaskPruner(Pruner):
    """A pruner that gives the mask at certain steps and lets nothing grow in between."""

    clears_momentum = True

    def before(self, layer: PrunedLayer, moment: Moment) -> None:
        """Masked weights get no gradient."""
        layer.cut(layer.weight.grad)

    def after(self, layer: PrunedLayer, moment: Moment) -> None:
        """Take a new mask where one is due."""
        mask = self.new_mask(layer, moment)
        if mask is not None:
            layer.set_mask(mask)
        else:
            layer.cut(layer.weight.data)

    @abstractmethod
    def new_mask(self, layer: PrunedLayer, moment: Moment) -> Tensor | None:
        """The mask from now on, or None to keep the present one."""


def count_of(density: float, numel: int) -> int:
    """Weights that ``density`` leaves of ``numel``: rounded, at least one unless the density is 0."""
    return max(1, round(density * numel)) if density > 0 else 0


def check_share(name: str, value: Any, least: float = 0.0, most: float = 1.0) -> None:
    """Raise :class:`InputError` unless ``value`` is a number from ``least`` to ``most``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most or math.isnan(value):
        allowed = f"{least:g} to {most:g}" if most < math.inf else f"at least {least:g}"
        raise InputError(f"{name} is {value!r}; allowed: {allowed}")


def check_density(value: Any) -> None:
    """Raise :class:`InputError` unless ``value`` is a density that leaves something."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise InputError(f"density is {value!r}; allowed: more than 0, at most 1 (share of non-zeros)")


def check_whole(name: str, value: Any, least: int = 1) -> None:
    """Raise :class:`InputError` unless ``value`` is a whole number from ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name} is {value!r}; allowed: a whole number from {least}")


def check_span(begin: Any, end: Any) -> None:
    """Raise :class:`InputError` unless ``begin`` and ``end`` are shares of the phase in order."""
    check_share("begin", begin)
    check_share("end", end)
    if begin >= end:
        raise InputError(f"begin is {begin!r} and end {end!r}; allowed: begin before end (shares of the pruning phase)")
