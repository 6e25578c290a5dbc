"""The networks against the shapes that the benchmark's network files give, and on small images."""

from __future__ import annotations

import dataclasses
import importlib

import pytest
import yaml

from harness.networks import load_layers
from perfmodel import InputError

SMALL = ("chains:lenet5", "chains:alexnet_small", "googlenet:googlenet_small", "resnet:resnet_small")
REAL = {"chains:alexnet": ("alexnet", 227), "googlenet:googlenet": ("googlenet", 224), "resnet:resnet50": ("resnet50", 224)}


def build(path: str, **options):
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(f"gsl.networks.{module}"), name)(**options)


@pytest.mark.parametrize("path", SMALL)
@pytest.mark.parametrize(("size", "channels", "width"), [(28, 1, 1.0), (32, 3, 0.5)])
def test_small_networks_take_small_images(torch, path, size, channels, width):
    model = build(path, channels=channels, classes=7, size=size, width=width)
    assert model(torch.zeros(2, channels, size, size)).shape == (2, 7)


def test_the_net_of_the_study_has_the_known_size(torch):
    assert sum(p.numel() for p in build("chains:alexnet_small").parameters()) == 396170


@pytest.mark.parametrize("path", REAL)
def test_real_networks_have_the_shapes_of_the_benchmark(torch, repository, path):
    from gsl import trace_problems

    name, size = REAL[path]
    with torch.device("meta"):
        model = build(path)
    model = model.to_empty(device="cpu")
    found = sorted(str(dataclasses.replace(p, name="")) for p in trace_problems(model, (3, size, size)).values())
    layers = load_layers(repository / "conf" / "network" / f"{name}.yaml")
    assert found == sorted(str(dataclasses.replace(layer.problem, name="")) for layer in layers)


@pytest.mark.parametrize("width", [0, -1.0, float("nan")])
def test_a_width_that_is_none(torch, width):
    with pytest.raises(InputError, match=r"net\.width is .*; allowed: a number above 0"):
        build("chains:lenet5", width=width)


def test_every_configured_network_and_data_set_can_be_imported(torch, repository):
    for file in [*(repository / "conf" / "net").glob("*.yaml"), *(repository / "conf" / "dataset").glob("*.yaml")]:
        given = yaml.safe_load(file.read_text())
        assert given["name"] == file.stem
        if file.stem != "custom":
            module, _, name = given["factory"].partition(":")
            assert callable(getattr(importlib.import_module(module), name))
