"""A small network and a toy layer for the pruning tests; all of it needs torch."""

from __future__ import annotations

import pytest


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch", reason="guided pruning needs torch")
    torch.manual_seed(3)
    torch.set_num_threads(1)
    return torch


@pytest.fixture
def toy(torch):
    """A layer of chosen weights with its gradient, as a pruner sees it."""
    from gsl import PrunedLayer

    def make(weights, gradient=None, shape=None):
        values = torch.tensor(weights, dtype=torch.float32)
        parameter = torch.nn.Parameter(values.view(shape) if shape else values)
        if gradient is not None:
            parameter.grad = torch.tensor(gradient, dtype=torch.float32).view_as(parameter)
        return PrunedLayer("toy", parameter, torch.ones_like(parameter, dtype=torch.bool), parameter.detach().clone())

    return make


@pytest.fixture
def task(torch):
    """A network, its optimiser, and a function that trains it for some steps on a fixed toy problem and returns the losses."""
    from torch import nn

    def make(optimiser="SGD", **options):
        torch.manual_seed(5)
        layers = {"conv1": nn.Conv2d(1, 8, 3), "a": nn.ReLU(), "conv2": nn.Conv2d(8, 8, 3), "b": nn.ReLU(), "flat": nn.Flatten()}
        model = nn.Sequential()
        for name, module in {**layers, "fc": nn.Linear(8 * 36, 4)}.items():
            model.add_module(name, module)
        generator = torch.Generator().manual_seed(7)
        images = torch.randn(64, 1, 10, 10, generator=generator)
        labels = (images[:, 0, :5].sum((1, 2)) > 0).long() * 2 + (images[:, 0, 5:].sum((1, 2)) > 0).long()
        given = options or {"lr": 0.05, "momentum": 0.9}
        optimizer = getattr(torch.optim, optimiser)(model.parameters(), **given)

        def train(steps: int) -> list[float]:
            losses = []
            for _ in range(steps):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(images), labels)
                loss.backward()
                optimizer.step()
                losses.append(float(loss.detach()))
            return losses

        return model, optimizer, train

    return make
