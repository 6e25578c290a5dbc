"""Guided pruning inside anybody's training loop: hooks on the optimiser do what the pruner and the guide say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gsl.guides.base import BaseGuide, Decision, Loss, State
from gsl.guides.none import Unguided
from gsl.layers import find_layers, plain_model
from gsl.outlook import LayerOutlook
from gsl.pruner import Moment, PrunedLayer, Pruner, count_of
from perfmodel import InputError

# Where the loss of pruning is estimated: dense enough at the low end, where layers end up.
_GRID = [round(0.005 * 1.06**i, 6) for i in range(91) if 0.005 * 1.06**i < 1.0]


class Pruning:
    """Prunes ``model`` while its optimiser trains it.

    ::

        pruning = gsl.Pruning(model, optimizer, gsl.GMP(density=0.1), gsl.GuideRules(), outlooks, prune_steps=1800)
        for images, labels in loader:
            optimizer.zero_grad()
            loss_of(model(images), labels).backward()
            optimizer.step()
        pruning.finish()

    After ``prune_steps`` optimiser steps the masks are frozen; further steps retrain what is left. Works behind
    DistributedDataParallel (every process comes to the same masks from the same weights and gradients) and with AMP's GradScaler
    (a step that it skips does not count). Weights are plain parameters with zeros at all times.

    ``outlooks``: the projections of the layers by name (see :func:`gsl.measured_outlook`); layers are Conv2d and, unless
    ``linear`` is False, Linear modules. ``guide``: the options of a guide; None prunes every layer.
    Raises :class:`InputError` for a model without such layers or an optimiser that does not train them.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        pruner: Pruner,
        guide: Any = None,
        outlooks: Mapping[str, LayerOutlook] | None = None,
        *,
        prune_steps: int,
        linear: bool = True,
        seed: int = 0,
    ) -> None:
        if isinstance(prune_steps, bool) or not isinstance(prune_steps, int) or prune_steps < 1:
            raise InputError(f"prune_steps is {prune_steps!r}; allowed: a whole number from 1")
        self.pruner, self.prune_steps, self.seed, self.step = pruner, prune_steps, seed, 0
        self._ended = False
        self._optimizer = optimizer
        modules = find_layers(plain_model(model), linear)
        self._groups = _groups_of(optimizer, {name: module.weight for name, module in modules.items()})
        self.layers = {
            name: PrunedLayer(name, m.weight, torch.ones_like(m.weight, dtype=torch.bool), m.weight.detach().clone())
            for name, m in modules.items()
        }
        self.guide: BaseGuide = (guide or Unguided()).open(list(self.layers), outlooks or {})
        if self.guide.replans:
            self.guide.replan(self.losses(), 0)
        active = [self.layers[name] for name in self.guide.pruning]
        for layer in active:
            layer.pressure = self.guide.pressure(layer.name)
        pruner.start(active, [self._target(layer) for layer in active])
        self._raise_floors()
        self._handles: tuple[Any, ...] = (
            optimizer.register_step_pre_hook(lambda *_: self._before()),
            optimizer.register_step_post_hook(lambda *_: self._after()),
        )

    @property
    def frozen(self) -> bool:
        """Whether the pruning phase is over: masks stay, what is left is retrained."""
        return self._ended

    @property
    def densities(self) -> dict[str, float]:
        """Share of weights kept, by layer."""
        return {name: layer.density for name, layer in self.layers.items()}

    @property
    def log(self) -> list[Decision]:
        """Every decision of the guide so far."""
        return self.guide.log

    def losses(self) -> dict[str, Loss]:
        """Estimated loss of pruning each layer: share of the squared weights that the smallest ones hold."""
        found = {}
        for name, layer in self.layers.items():
            values = layer.tensors.get("dense", layer.weight).detach().flatten().double().square().sort().values.cumsum(0)
            places = [max(0, values.numel() - count_of(x, values.numel()) - 1) for x in _GRID]
            found[name] = Loss(_GRID, [float(v) for v in (values[places] / values[-1].clamp_min(1e-30)).cpu()])
        return found

    def finish(self) -> dict[str, float]:
        """Take the hooks off the optimiser and return the densities; the model keeps plain weights with zeros.

        Called before ``prune_steps`` are over it freezes the masks as they are.
        """
        if not self.frozen:
            self._freeze()
        for handle in self._handles:
            handle.remove()
        self._handles = ()
        return self.densities

    def _before(self) -> None:
        """Before the optimiser's step: the pruner changes the gradients of the layers that it prunes, others are masked."""
        if getattr(self._optimizer, "grad_scale", None) is not None:
            raise InputError("this optimiser unscales AMP's gradients itself; allowed: call scaler.unscale_(optimizer) before scaler.step")
        for name, layer in self.layers.items():
            if layer.weight.grad is None:
                continue
            with torch.no_grad():
                if self._prunes(name):
                    self.pruner.before(layer, self._moment(layer))
                elif self.guide.states[name] is not State.DROPPED:
                    layer.cut(layer.weight.grad)

    def _after(self) -> None:
        """After the optimiser's step: new masks, the guide's check, the end of the phase."""
        if self.frozen:
            for layer in self._masked():
                layer.cut(layer.weight.data)
            return
        self.step += 1
        with torch.no_grad():
            for name, layer in self.layers.items():
                if layer.weight.grad is None:
                    continue
                if self._prunes(name):
                    before = layer.mask
                    self.pruner.after(layer, self._moment(layer))
                    if self.pruner.clears_momentum and layer.mask is not before:
                        self._mask_momentum(layer)
                elif self.guide.states[name] is State.STOPPED:
                    layer.cut(layer.weight.data)
            if self.guide.due(self.step):
                self._check()
            if self.step == self.prune_steps:
                self._freeze()

    def _check(self) -> None:
        densities = self.densities
        self._refuse_nothing(densities)
        if self.guide.replans:
            self.guide.replan(self.losses(), self.step)
        ramping = self.pruner.ramping(self._moment(next(iter(self.layers.values()))))
        for decision in self.guide.check(self.step, densities, ramping):
            layer = self.layers[decision.layer]
            if decision.state is State.RESTORED:
                self._restore(layer)
            elif decision.state is State.STOPPED and self._splices:
                layer.least = int(layer.mask.sum())
            elif decision.state is State.STOPPED:
                self._fit(layer)
                self.pruner.stop(layer)
                self._mask_momentum(layer)
        self._raise_floors()

    def _raise_floors(self) -> None:
        """Where masks splice, hold each above what the guide lets its layer come down to: surgery overshoots at first."""
        if self._splices:
            for layer in self._masked():
                held = layer.least if self.guide.states[layer.name] is State.STOPPED else 0
                layer.least = max(held, int(self.guide.target(layer.name, 0.0) * layer.mask.numel()))

    def _restore(self, layer: PrunedLayer) -> None:
        """Give a layer its dense weights back."""
        self.pruner.stop(layer)
        layer.mask = torch.ones_like(layer.mask)
        if self.guide.restore == "original":
            layer.weight.data.copy_(layer.original)
        if self.guide.zero_momentum:
            self._mask_momentum(layer, keep=False)

    def _fit(self, layer: PrunedLayer) -> None:
        """Bring a layer to the density that the guide planned: cut its smallest weights, or take the largest lost ones back."""
        final = self.guide.final(layer.name)
        if final is None:
            return
        count = count_of(final, layer.mask.numel())
        if int(layer.mask.sum()) > count:
            layer.set_mask(layer.keep_largest(layer.weight.detach().abs(), count))
            return
        earlier = layer.tensors.get("dense", layer.original)
        layer.weight.data.copy_(torch.where(layer.mask, layer.weight.detach(), earlier))
        layer.mask = layer.keep_largest(earlier.abs().masked_fill(layer.mask, float("inf")), count)
        layer.cut(layer.weight.data)

    def _freeze(self) -> None:
        """End the pruning phase: cut to the guide's final densities, forget what only pruning needed."""
        for layer in self._masked():
            self._fit(layer)
            self.pruner.stop(layer)
            layer.tensors.clear()
            layer.cut(layer.weight.data)
            self._mask_momentum(layer)
        self._ended = True
        self._refuse_nothing(self.densities)

    def _masked(self) -> Iterable[PrunedLayer]:
        return [layer for name, layer in self.layers.items() if self.guide.states[name] in (State.PRUNING, State.STOPPED)]

    def _prunes(self, name: str) -> bool:
        state = self.guide.states[name]
        return not self.frozen and (state is State.PRUNING or (state is State.STOPPED and self._splices))

    @property
    def _splices(self) -> bool:
        """Whether a stopped layer keeps only its count."""
        return self.guide.hold == "floor" or (self.guide.hold == "auto" and self.pruner.splices)

    def _target(self, layer: PrunedLayer) -> float:
        return self.guide.target(layer.name, float(getattr(self.pruner, "density", 1.0)))

    def _moment(self, layer: PrunedLayer) -> Moment:
        group = self._groups[layer.name]
        decoupled = isinstance(self._optimizer, torch.optim.AdamW) or group.get("decoupled_weight_decay", False)
        decay = 0.0 if decoupled else float(group.get("weight_decay", 0.0))
        return Moment(self.step, self.prune_steps, float(group["lr"]), decay, self.seed, self._target(layer))

    def _mask_momentum(self, layer: PrunedLayer, keep: bool = True) -> None:
        """Zero what the optimiser remembers of masked weights, or of all weights."""
        for value in self._optimizer.state.get(layer.weight, {}).values():
            if isinstance(value, Tensor) and value.shape == layer.weight.shape:
                if keep:
                    layer.cut(value)
                else:
                    value.zero_()

    def _refuse_nothing(self, densities: Mapping[str, float]) -> None:
        for name, density in densities.items():
            if density == 0.0:
                raise InputError(
                    f"layer {name!r} has no weight left at step {self.step} of {self.prune_steps}; "
                    "allowed: a weaker pruner (less strength, more density) or a guide that leaves the layer alone"
                )

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on after a kill, beside the model's and the optimiser's own state."""
        layers = {
            name: {"mask": x.mask, "original": x.original, "least": x.least, "tensors": dict(x.tensors)} for name, x in self.layers.items()
        }
        return {
            "step": self.step,
            "ended": self._ended,
            "prune_steps": self.prune_steps,
            "seed": self.seed,
            "layers": layers,
            "guide": self.guide.state_dict(),
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on from :meth:`state_dict`; raises :class:`InputError` where layers, steps or rules are others than those saved."""
        for name in ("prune_steps", "seed"):
            if saved[name] != getattr(self, name):
                raise InputError(f"{name} is {getattr(self, name)}; the checkpoint has {saved[name]}")
        self.guide.load_state_dict(saved["guide"])
        self.step, self._ended = saved["step"], saved["ended"]
        for name, layer in self.layers.items():
            kept = saved["layers"][name]
            layer.least, layer.mask = kept["least"], kept["mask"].to(layer.mask)
            layer.original.copy_(kept["original"])
            layer.tensors = {key: value.to(layer.weight.device) for key, value in kept["tensors"].items()}


def _groups_of(optimizer: torch.optim.Optimizer, weights: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    """The parameter group of each weight."""
    homes = {id(parameter): group for group in optimizer.param_groups for parameter in group["params"]}
    for name, weight in weights.items():
        if id(weight) not in homes:
            raise InputError(f"the optimiser does not train the weight of layer {name!r}; allowed: model.parameters()")
    return {name: homes[id(weight)] for name, weight in weights.items()}
