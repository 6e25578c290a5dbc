"""What the networks are built of."""

from __future__ import annotations

import math

from torch import nn

from perfmodel import InputError


def wide(channels: int, width: float) -> int:
    """``channels`` scaled by ``width``, at least 1; raises :class:`InputError` for a width that is none."""
    if not 0.0 < width < math.inf:
        raise InputError(f"net.width is {width!r}; allowed: a number above 0")
    return max(1, round(channels * width))


def conv_relu(ic: int, oc: int, kernel: int, stride: int = 1, padding: int = 0, groups: int = 1) -> nn.Sequential:
    """Convolution with bias, then ReLU."""
    return nn.Sequential(nn.Conv2d(ic, oc, kernel, stride, padding, groups=groups), nn.ReLU())


def conv_norm(ic: int, oc: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution that keeps the size (but for the stride), then batch normalisation."""
    return nn.Sequential(nn.Conv2d(ic, oc, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(oc))


def kaiming(model: nn.Module) -> nn.Module:
    """Start weights of He et al. 2015 for ReLU, biases 0. The default start costs these nets several points by seed."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model
