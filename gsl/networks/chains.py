"""Networks without branches: LeNet-5, AlexNet, and an AlexNet-like net for small images."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from gsl.networks.blocks import kaiming, wide


def _chain(layers: list[tuple[str, nn.Module]]) -> nn.Module:
    return kaiming(nn.Sequential(OrderedDict(layers)))


def lenet5(channels: int = 1, classes: int = 10, size: int = 28, width: float = 1.0) -> nn.Module:
    """LeNet as shipped with Caffe: two 5 x 5 convolutions without padding (20 and 50 channels), 500 hidden units."""
    a, b, hidden = wide(20, width), wide(50, width), wide(500, width)
    left = ((size - 4) // 2 - 4) // 2
    return _chain(
        [
            ("conv1", nn.Conv2d(channels, a, 5)),
            ("pool1", nn.MaxPool2d(2)),
            ("conv2", nn.Conv2d(a, b, 5)),
            ("pool2", nn.MaxPool2d(2)),
            ("flat", nn.Flatten()),
            ("fc1", nn.Linear(b * left * left, hidden)),
            ("relu", nn.ReLU()),
            ("fc2", nn.Linear(hidden, classes)),
        ]
    )


def alexnet_small(channels: int = 1, classes: int = 10, size: int = 28, width: float = 1.0) -> nn.Module:
    """AlexNet-like for small images: convolutions of 32, 64, 96, 96, 64 channels, 256 hidden units, all times ``width``; three poolings."""
    c = [channels, *(wide(n, width) for n in (32, 64, 96, 96, 64))]
    layers: list[tuple[str, nn.Module]] = []
    for i, (kernel, pool) in enumerate(((5, True), (5, True), (3, False), (3, False), (3, True)), 1):
        layers.append((f"conv{i}", nn.Conv2d(c[i - 1], c[i], kernel, padding=kernel // 2)))
        layers += [(f"pool{i}", nn.MaxPool2d(2))] if pool else []
        layers.append((f"relu{i}", nn.ReLU()))  # the same after pooling, of a quarter of the values
    left, hidden = size // 8, wide(256, width)
    layers += [("flat", nn.Flatten()), ("fc1", nn.Linear(c[5] * left * left, hidden)), ("relu6", nn.ReLU())]
    layers += [("fc2", nn.Linear(hidden, classes))]
    return _chain(layers)


def alexnet(channels: int = 3, classes: int = 1000, size: int = 227, width: float = 1.0) -> nn.Module:
    """AlexNet as in Caffe's reference model: two groups in conv2, 4 and 5, local response normalisation, 227 x 227 images."""
    c = [channels, *(wide(n, width) for n in (96, 256, 384, 384, 256))]
    shapes = ((11, 4, 0, 1), (5, 1, 2, 2), (3, 1, 1, 1), (3, 1, 1, 2), (3, 1, 1, 2))
    layers: list[tuple[str, nn.Module]] = []
    for i, (kernel, stride, padding, groups) in enumerate(shapes, 1):
        layers += [(f"conv{i}", nn.Conv2d(c[i - 1], c[i], kernel, stride, padding, groups=groups)), (f"relu{i}", nn.ReLU())]
        layers += [(f"pool{i}", nn.MaxPool2d(3, 2))] if i in (1, 2, 5) else []
        layers += [(f"norm{i}", nn.LocalResponseNorm(5, 1e-4, 0.75))] if i in (1, 2) else []
    left = ((((size - 11) // 4 + 1 - 3) // 2 + 1 - 3) // 2 + 1 - 3) // 2 + 1
    hidden = wide(4096, width)
    layers += [("flat", nn.Flatten()), ("fc6", nn.Linear(c[5] * left * left, hidden)), ("relu6", nn.ReLU()), ("drop6", nn.Dropout())]
    layers += [("fc7", nn.Linear(hidden, hidden)), ("relu7", nn.ReLU()), ("drop7", nn.Dropout()), ("fc8", nn.Linear(hidden, classes))]
    return _chain(layers)
