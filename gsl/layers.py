"""Which layers of a model can be pruned, and the state that torch.nn.utils.prune leaves or wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import prune

from perfmodel import InputError


def plain_model(model: nn.Module) -> nn.Module:
    """The model itself from behind DistributedDataParallel, DataParallel or torch.compile."""
    while isinstance(model, nn.parallel.DistributedDataParallel | nn.DataParallel) or hasattr(model, "_orig_mod"):
        model = model._orig_mod if hasattr(model, "_orig_mod") else model.module
    return model


def find_layers(model: nn.Module, linear: bool = True) -> dict[str, Any]:
    """Conv2d and Linear modules by name, in the model's order, each shared weight once.

    Raises :class:`InputError` where there is none, or where masks of torch.nn.utils.prune are still in place.
    """
    kinds = (nn.Conv2d, nn.Linear) if linear else (nn.Conv2d,)
    found: dict[str, Any] = {}
    seen: set[int] = set()
    for name, module in model.named_modules():
        if isinstance(module, kinds):
            if hasattr(module, "weight_orig"):
                raise InputError(f"layer {name!r} is masked by torch.nn.utils.prune; allowed: gsl.layers.import_torch_prune(model) first")
            if module.weight.requires_grad and id(module.weight) not in seen:
                seen.add(id(module.weight))
                found[name] = module
    if not found:
        raise InputError(f"{type(model).__name__} has no {' or '.join(k.__name__ for k in kinds)} layer with trainable weights")
    return found


def import_torch_prune(model: nn.Module) -> dict[str, Tensor]:
    """Make masks of torch.nn.utils.prune permanent: weights become plain parameters with zeros; returns the masks by layer."""
    masks = {}
    for name, module in plain_model(model).named_modules():
        if hasattr(module, "weight_orig"):
            masks[name] = module.weight_mask.detach().bool().clone()
            prune.remove(module, "weight")
    return masks


def export_torch_prune(model: nn.Module, masks: Mapping[str, Tensor] | None = None) -> None:
    """Put the zeros of the weights (or ``masks``) as torch.nn.utils.prune does: ``weight_orig`` and ``weight_mask``."""
    for name, module in find_layers(plain_model(model)).items():
        mask = module.weight.detach() != 0 if masks is None else masks.get(name)
        if mask is not None and not bool(mask.all()):
            prune.custom_from_mask(module, "weight", mask)
