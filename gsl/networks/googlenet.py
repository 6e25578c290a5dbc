"""GoogLeNet (Szegedy et al. 2015), and a small one with three inception modules."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gsl.networks.blocks import conv_relu, kaiming, wide

# 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection: table 1 of the paper.
_MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class Inception(nn.Module):
    """Four branches whose channels are put together."""

    def __init__(self, ic: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        one, reduce3, three, reduce5, five, project = widths
        self.oc = one + three + five + project
        self.b1 = conv_relu(ic, one, 1)
        self.b3 = nn.Sequential(conv_relu(ic, reduce3, 1), conv_relu(reduce3, three, 3, padding=1))
        self.b5 = nn.Sequential(conv_relu(ic, reduce5, 1), conv_relu(reduce5, five, 5, padding=2))
        self.bp = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv_relu(ic, project, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(n, ic, h, w) to (n, oc, h, w)."""
        return torch.cat([self.b1(x), self.b3(x), self.b5(x), self.bp(x)], 1)


class _GoogLeNet(nn.Module):
    def __init__(self, stem: nn.Module, stem_oc: int, modules: dict[str, tuple[int, ...]], pools: set[str], classes: int) -> None:
        super().__init__()
        self.stem, oc = stem, stem_oc
        self.body = nn.Sequential()
        for name, widths in modules.items():
            module = Inception(oc, widths)
            oc = module.oc
            self.body.add_module(f"inception{name}", module)
            if name in pools:
                self.body.add_module(f"pool{name}", nn.MaxPool2d(3, 2, ceil_mode=True))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.4), nn.Linear(oc, classes))
        kaiming(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits."""
        return self.head(self.body(self.stem(x)))


def googlenet(channels: int = 3, classes: int = 1000, size: int = 224, width: float = 1.0) -> nn.Module:
    """GoogLeNet without its auxiliary classifiers, for 224 x 224 images (``size`` may be any from 32)."""
    a, b = wide(64, width), wide(192, width)
    stem = nn.Sequential(
        conv_relu(channels, a, 7, 2, 3),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.LocalResponseNorm(5, 1e-4, 0.75),
        conv_relu(a, a, 1),
        conv_relu(a, b, 3, padding=1),
        nn.LocalResponseNorm(5, 1e-4, 0.75),
        nn.MaxPool2d(3, 2, ceil_mode=True),
    )
    modules = {name: tuple(wide(n, width) for n in widths) for name, widths in _MODULES.items()}
    return _GoogLeNet(stem, b, modules, {"3b", "4e"}, classes)


def googlenet_small(channels: int = 1, classes: int = 10, size: int = 28, width: float = 1.0) -> nn.Module:
    """GoogLeNet-like for small images: a 3 x 3 stem and three inception modules."""
    stem_oc = wide(32, width)
    stem = nn.Sequential(conv_relu(channels, stem_oc, 3, padding=1), nn.MaxPool2d(3, 2, ceil_mode=True))
    small = {"3a": (16, 24, 32, 4, 8, 8), "3b": (32, 32, 48, 8, 24, 16), "4a": (48, 24, 52, 4, 12, 16)}
    modules = {name: tuple(wide(n, width) for n in widths) for name, widths in small.items()}
    return _GoogLeNet(stem, stem_oc, modules, {"3b"}, classes)
