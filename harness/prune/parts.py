"""Network, data, pruner and guide of a pruning run, made from their configuration."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.config import RunConfig, TrainConfig
from harness.contract import InputError, Problem
from harness.plugins import host
from harness.suggest import did_you_mean

if TYPE_CHECKING:
    from gsl.data.split import Data
    from gsl.train import Recipe


@dataclass(frozen=True)
class Parts:
    """Everything a run is made of; ``build`` makes the network anew with its start weights."""

    data: Data
    build: Callable[[], Any]
    problems: dict[str, Problem]
    pruner: Any
    guide: Any


def make_parts(config: RunConfig) -> Parts:
    """Load the data, build the network once, make pruner and guide; raises :class:`InputError` for whatever does not fit."""
    for key in ("net", "dataset", "pruner", "guide"):
        if not isinstance(getattr(config, key), Mapping):
            raise InputError(f"{key} is {getattr(config, key)!r}; allowed: one of those that --help lists ({key}=NAME)")
    try:
        import torch
    except ImportError:
        raise InputError("task=prune needs PyTorch: pip install 'breakeven[torch]'") from None
    from gsl.data.own import own_data
    from gsl.trace import trace_problems

    torch.set_num_threads(config.threads)
    pruner, guide = host().part("pruner", config.pruner), host().part("guide", config.guide)
    data = own_data(str(config.dataset.get("name")), _call("dataset", config.dataset))
    channels, height, _ = data.shape
    options = {"channels": channels, "classes": data.classes, "size": height} | {k: v for k, v in config.net.items() if v is not None}

    def build() -> Any:
        torch.manual_seed(config.seed)
        if not isinstance(model := _call("net", options), torch.nn.Module):
            raise InputError(f"net.factory {config.net['factory']!r} gave a {type(model).__name__}; allowed: a torch.nn.Module")
        return model.to(memory_format=torch.channels_last)

    try:
        problems = trace_problems(build(), data.shape, config.batch)
    except RuntimeError as error:
        raise InputError(f"network {config.net.get('name')!r} does not take images of shape {data.shape}: {error}") from None
    return Parts(data, build, problems, pruner, guide)


def dense_recipe(config: RunConfig) -> Recipe:
    """How the dense network is trained."""
    from gsl.train import Recipe

    t: TrainConfig = config.train
    shared = {"batch": t.batch, "momentum": t.momentum, "augment": t.augment, "amp": t.amp}
    return Recipe(t.dense_epochs, t.lr, t.dense_epochs, warmup=t.warmup, decay=t.decay, seed=config.seed, **shared)  # type: ignore[arg-type]


def prune_recipe(config: RunConfig) -> Recipe:
    """How it is pruned and retrained; other batches than those of the dense training."""
    from gsl.train import Recipe

    t: TrainConfig = config.train
    shared = {"batch": t.batch, "momentum": t.momentum, "augment": t.augment, "amp": t.amp}
    epochs = t.prune_epochs + t.retrain_epochs
    return Recipe(epochs, t.prune_lr, t.retrain_epochs, decay=t.prune_decay, seed=config.seed + 1, **shared)  # type: ignore[arg-type]


def _call(kind: str, options: Mapping[str, Any]) -> Any:
    """Import ``options["factory"]`` and call it with the others."""
    given = {key: value for key, value in options.items() if key not in ("name", "factory")}
    path = str(options.get("factory", ""))
    module, colon, attribute = path.partition(":")
    if not colon:
        raise InputError(f"{kind}.factory is {path!r}; allowed: 'package.module:function'")
    try:
        factory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(f"{kind}.factory {path!r} cannot be imported: {error}") from None
    try:
        known = inspect.signature(factory).parameters
    except (TypeError, ValueError) as error:
        raise InputError(f"{kind}.factory {path!r} cannot be called: {error}; allowed: a function or class in Python") from None
    if not any(p.kind is p.VAR_KEYWORD for p in known.values()):
        for name in given:
            if name not in known:
                raise InputError(f"{kind} {path!r} has no option {name!r}; allowed: {', '.join(known)}.{did_you_mean(name, known)}")
    try:
        return factory(**given)
    except InputError:
        raise
    except (TypeError, ValueError, OSError) as error:
        raise InputError(f"{kind} {path!r} cannot be made from {given}: {error}") from None
