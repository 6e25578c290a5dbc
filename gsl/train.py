"""Train, prune, retrain: steps that can stop anywhere and go on with the same bits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gsl.checkpoint import load_checkpoint, save_checkpoint
from gsl.data.split import Data, Split, batches
from gsl.pruning import Pruning
from perfmodel import InputError


@dataclass(frozen=True)
class Recipe:
    """How to train: ``epochs`` at ``lr``, of which the last ``fall`` with a cosine to 0, the first ``warmup`` steps rising from 0."""

    epochs: int
    lr: float
    fall: int
    batch: int = 64
    warmup: int = 0
    momentum: float = 0.9
    decay: float = 5e-4
    augment: bool = True
    amp: bool = False
    seed: int = 0

    def rate(self, step: int, steps_an_epoch: int) -> float:
        """Learning rate of a step (from 0)."""
        first = (self.epochs - self.fall) * steps_an_epoch
        warm = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        share = max(0.0, (step - max(first, self.warmup)) / max(1, self.epochs * steps_an_epoch - max(first, self.warmup)))
        return self.lr * warm * (0.5 * (1 + math.cos(math.pi * share)))


@dataclass
class Trainer:
    """One training run. ``history`` has a line an epoch; ``best`` the weights of the epoch with the best validation accuracy.

    ``checkpoint`` is written every ``every`` steps and at each epoch's end; a run that finds one goes on from it. With a
    ``pruning`` only epochs with frozen masks count for the best. ``on_step`` is called after each step, ``on_epoch`` with each new line.
    """

    model: nn.Module
    data: Data
    recipe: Recipe
    pruning: Pruning | None = None
    optimizer: torch.optim.Optimizer | None = None
    checkpoint: Path | None = None
    every: int = 200
    on_step: Callable[[], None] = lambda: None
    on_epoch: Callable[[Mapping[str, Any]], None] = lambda line: None
    notice: Callable[[str], None] = lambda text: None
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Tensor] | None = None
    best_accuracy: float = -1.0
    losses: list[float] = field(default_factory=list)
    step: int = 0

    @property
    def steps_an_epoch(self) -> int:
        """Full batches in the training split."""
        return len(self.data.train) // self.recipe.batch

    def run(self) -> None:
        """Train to the end; raises :class:`InputError` where the loss is not finite, leaving the last checkpoint as it is."""
        if not self.steps_an_epoch:
            raise InputError(f"batch is {self.recipe.batch}; allowed: at most the {len(self.data.train)} training images")
        self.optimizer = self.optimizer or sgd(self.model, self.recipe)
        if self.checkpoint is not None and self.checkpoint.exists():
            self._resume(self.checkpoint)
        for epoch in range(self.step // self.steps_an_epoch, self.recipe.epochs):
            self._epoch(epoch)

    def _epoch(self, epoch: int) -> None:
        recipe, begun = self.recipe, time.perf_counter()
        self.model.train()
        start = self.step - epoch * self.steps_an_epoch
        for images, labels in batches(self.data.train, recipe.batch, recipe.seed, epoch, recipe.augment, self.data.flips, start):
            self.losses.append(self._step(torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(labels)))
            self.on_step()
            if self.step % self.every == 0 and self.step % self.steps_an_epoch:
                self._save()
        accuracy = evaluate(self.model, self.data.validation, amp=recipe.amp)
        line = {
            "epoch": epoch + 1,
            "loss": math.fsum(self.losses) / len(self.losses),
            "accuracy": accuracy,
            "lr": self._lr,
            "seconds": time.perf_counter() - begun,
        }
        if self.pruning is not None:
            line |= {f"density/{name}": density for name, density in self.pruning.densities.items()}
        self.history.append(line)
        self.losses = []
        if accuracy > self.best_accuracy and (self.pruning is None or self.pruning.frozen):
            self.best_accuracy, self.best = accuracy, {name: value.clone() for name, value in self.model.state_dict().items()}
        self._save()
        self.on_epoch(line)

    def _step(self, images: Tensor, labels: Tensor) -> float:
        assert self.optimizer is not None
        self._lr = self.recipe.rate(self.step, self.steps_an_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = self._lr
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.amp):
            loss = nn.functional.cross_entropy(self.model(images.contiguous(memory_format=torch.channels_last)).float(), labels)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise InputError(
                f"the loss is {value} at step {self.step}; allowed: a finite one (a smaller learning rate, less strength){self._kept()}"
            )
        loss.backward()
        try:
            self.optimizer.step()
        except InputError as error:
            raise InputError(f"{error}{self._kept()}") from None
        self.step += 1
        return value

    _lr = 0.0

    def _kept(self) -> str:
        """Where to go on from after an error."""
        return f"; the last good checkpoint is {str(self.checkpoint)!r}" if self.checkpoint and self.checkpoint.exists() else ""

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        assert self.optimizer is not None
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "pruning": self.pruning.state_dict() if self.pruning else None,
            "history": self.history,
            "losses": self.losses,
            "best": (self.best_accuracy, self.best),
            "random": torch.get_rng_state(),
        }
        save_checkpoint(self.checkpoint, state)

    def _resume(self, path: Path) -> None:
        """Go on from ``path``; raises :class:`InputError` where it is that of another network or training."""
        saved = load_checkpoint(path, self.notice)
        try:
            self._load(saved)
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"checkpoint {str(path)!r} does not fit this network and training: {error}; allowed: its own") from None

    def _load(self, saved: Mapping[str, Any]) -> None:
        assert self.optimizer is not None
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.pruning is not None:
            self.pruning.load_state_dict(saved["pruning"])
        torch.set_rng_state(saved["random"])
        self.step, self.history, self.losses = saved["step"], saved["history"], saved["losses"]
        self.best_accuracy, self.best = saved["best"]


def sgd(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Stochastic gradient descent with Nesterov momentum."""
    nesterov = recipe.momentum > 0
    return torch.optim.SGD(model.parameters(), recipe.lr, recipe.momentum, weight_decay=recipe.decay, nesterov=nesterov)


def evaluate(model: nn.Module, split: Split, batch: int = 100, amp: bool = False) -> float:
    """Share of ``split`` that ``model`` labels rightly; ``amp``: in the arithmetic of a mixed training, half the time."""
    training, right = model.training, 0
    model.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=amp):
        for first in range(0, len(split), batch):
            images, labels = split.take(np.arange(first, min(first + batch, len(split))))
            inputs = torch.from_numpy(images).contiguous(memory_format=torch.channels_last)
            right += int((model(inputs).argmax(1) == torch.from_numpy(labels)).sum())
    model.train(training)
    return right / len(split)
