"""Where the non-zeros stand: anywhere with equal chance, or as unevenly as in really pruned weights.

The calibration of :func:`imbalanced` is the CaffeNet model that L1 weight decay 9e-5 pruned (IntelLabs/SkimCaffe,
``experiments/sparsity/matrixmarket/alexnet/0.56256_l1_9.0e-5``), conv2 to conv5. At their shapes and densities:

=====================================  ==========================  ==========================
statistic (conv2, conv3, conv4, conv5)  real weights                this pattern
=====================================  ==========================  ==========================
variation of non-zeros per row          0.52  0.60  0.55  0.28      0.50  0.58  0.56  0.52
fullest row over the mean               2.5   3.2   3.4   1.8       2.8   3.4   3.2   2.9
empty rows, %                           5.1   5.2   1.0   0.0       2.3   2.6   2.6   2.3
2-D kernels all zero, %                 37.6  75.9  71.4  64.8      39.8  74.1  70.1  61.9
variation per input channel             0.25  0.61  0.45  0.54      0.38  0.45  0.43  0.41
centre tap over the mean                2.6   2.1   1.9   1.9       2.7   2.0   2.0   1.9
=====================================  ==========================  ==========================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Shape = tuple[int, int, int, int]
Pattern = Callable[[Shape, int, np.random.Generator], Mask]

ROW_VARIATION = 0.6  # standard deviation over mean of the chance to survive, per output channel
CHANNEL_VARIATION = 0.5  # per input channel
KERNEL_VARIATION = 1.4  # per 2-D kernel: this is what leaves whole kernels without a weight
EMPTY_ROWS = 0.025  # share of output channels that die
CENTRE_FALL = 1.2  # chance of a tap at distance d from the middle: 1 / (1 + CENTRE_FALL d^2)


def uniform(shape: Shape, count: int, generator: np.random.Generator) -> Mask:
    """``count`` of the places of an OIHW ``shape``, each with the same chance."""
    mask = np.zeros(int(np.prod(shape)), bool)
    mask[generator.permutation(mask.size)[:count]] = True
    return mask.reshape(shape)


def imbalanced(shape: Shape, count: int, generator: np.random.Generator) -> Mask:
    """``count`` places of an OIHW ``shape``, spread over rows, channels, kernels and taps as in real pruned weights.

    Draws without replacement with unequal chances: each place gets an exponential arrival time at a rate
    that is a product of random factors, and the ``count`` earliest stay (Efraimidis and Spirakis 2006).
    """
    oc, ic, kh, kw = shape
    rate = _factors(generator, ROW_VARIATION, (oc, 1)) * _factors(generator, CHANNEL_VARIATION, (1, ic))
    rate = rate * _factors(generator, KERNEL_VARIATION, (oc, ic))
    taps = 1 / (1 + CENTRE_FALL * (_squared_distance(kh)[:, None] + _squared_distance(kw)))
    arrival = generator.exponential(size=shape) / (rate[..., None, None] * taps)
    dead = min(round(EMPTY_ROWS * oc), (arrival.size - count) // (ic * kh * kw))
    arrival[generator.permutation(oc)[:dead]] = np.inf
    mask = np.zeros(arrival.size, bool)
    if count:
        mask[np.argpartition(arrival.ravel(), count - 1)[:count]] = True
    return mask.reshape(shape)


PATTERNS: dict[str, Pattern] = {"uniform": uniform, "imbalanced": imbalanced}


def _factors(generator: np.random.Generator, variation: float, size: tuple[int, int]) -> NDArray[Any]:
    """Positive factors of mean 1 with the given coefficient of variation (gamma distributed)."""
    form = variation**-2
    return np.maximum(generator.gamma(form, 1 / form, size), 1e-6)


def _squared_distance(kernel: int) -> NDArray[Any]:
    """Squared distance of each tap from the middle, in taps; kernels above 5 are scaled to the extent of a 5."""
    half = (kernel - 1) / 2
    return ((np.arange(kernel) - half) / max(1.0, half / 2)) ** 2
