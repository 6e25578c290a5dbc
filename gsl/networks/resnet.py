"""ResNet-50 (He et al. 2016, stride in the first 1 x 1 as published), and a small one of basic blocks."""

from __future__ import annotations

from torch import Tensor, nn

from gsl.networks.blocks import conv_norm, kaiming, wide


class Residual(nn.Module):
    """A body beside a shortcut, which is a 1 x 1 convolution where shapes differ."""

    def __init__(self, body: nn.Module, ic: int, oc: int, stride: int) -> None:
        super().__init__()
        self.body = body
        self.shortcut = nn.Identity() if ic == oc and stride == 1 else conv_norm(ic, oc, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(n, ic, h, w) to (n, oc, h / stride, w / stride)."""
        return (self.body(x) + self.shortcut(x)).relu()


def basic(ic: int, oc: int, stride: int) -> nn.Module:
    """Two 3 x 3 convolutions."""
    return Residual(nn.Sequential(conv_norm(ic, oc, 3, stride), nn.ReLU(), conv_norm(oc, oc, 3)), ic, oc, stride)


def bottleneck(ic: int, oc: int, stride: int) -> nn.Module:
    """1 x 1, 3 x 3 with a quarter of the channels, 1 x 1."""
    mid = oc // 4
    parts = (conv_norm(ic, mid, 1, stride), nn.ReLU(), conv_norm(mid, mid, 3), nn.ReLU(), conv_norm(mid, oc, 1))
    return Residual(nn.Sequential(*parts), ic, oc, stride)


def resnet_small(channels: int = 1, classes: int = 10, size: int = 28, width: float = 1.0, blocks: int = 1) -> nn.Module:
    """ResNet-like for small images: three stages of ``blocks`` basic blocks with 16, 32 and 64 channels times ``width``."""
    c = [wide(n, width) for n in (16, 32, 64)]
    layers: list[nn.Module] = [conv_norm(channels, c[0], 3), nn.ReLU()]
    ic = c[0]
    for stage, oc in enumerate(c):
        for block in range(blocks):
            layers.append(basic(ic, oc, 2 if stage and not block else 1))
            ic = oc
    return kaiming(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(ic, classes)))


def resnet50(channels: int = 3, classes: int = 1000, size: int = 224, width: float = 1.0) -> nn.Module:
    """ResNet-50 for 224 x 224 images (``size`` may be any from 32)."""
    ic = wide(64, width)
    layers: list[nn.Module] = [
        nn.Sequential(nn.Conv2d(channels, ic, 7, 2, 3, bias=False), nn.BatchNorm2d(ic)),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]
    for stage, (count, oc) in enumerate(((3, 256), (4, 512), (6, 1024), (3, 2048))):
        for block in range(count):
            layers.append(bottleneck(ic, 4 * wide(oc // 4, width), 2 if stage and not block else 1))
            ic = 4 * wide(oc // 4, width)
    return kaiming(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(ic, classes)))
