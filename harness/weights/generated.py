"""Random weights: a seeded pattern at an exact density, with values like those of a pruned layer."""

from __future__ import annotations

import zlib

import numpy as np

from harness.contract.plan import Array
from harness.networks import Layer, check_density
from harness.suggest import did_you_mean
from harness.weights.patterns import PATTERNS, Mask
from harness.weights.source import LayerWeights
from perfmodel.errors import InputError

SMALLEST, DEVIATION = 1e-4, 0.05  # the threshold that pruned CaffeNet, and about the deviation of what it left


class RandomWeights:
    """Weights drawn from a generator that depends on the seed and the layer's name alone, so runs agree."""

    takes_density = True

    def __init__(self, pattern: str = "uniform") -> None:
        if pattern not in PATTERNS:
            hint = did_you_mean(str(pattern), PATTERNS)
            raise InputError(f"weights.pattern is {pattern!r}; allowed: {', '.join(PATTERNS)}.{hint}")
        self._pattern = pattern

    @property
    def description(self) -> str:
        """The source in words."""
        return f"random weights, {self._pattern} pattern"

    def weights_for(self, layer: Layer, density: float | None, seed: int) -> LayerWeights:
        """Weights at ``density``, or at the layer's published one; their number of non-zeros is exact.

        Raises :class:`InputError` when neither is given, or the density is not from 0 to 1.
        """
        wanted = layer.density if density is None else check_density(density, "density")
        if wanted is None:
            raise InputError(f"layer {layer.name!r} has no published density; allowed: density=X, a number from 0 to 1")
        shape = layer.problem.weight_shape
        generator = np.random.default_rng([seed, zlib.crc32(layer.name.encode())])
        mask = PATTERNS[self._pattern](shape, round(wanted * layer.problem.weight_count), generator)
        array = _values(mask, generator)
        array.flags.writeable = False
        return LayerWeights(array, float(mask.sum()) / mask.size, self._pattern, f"{self.description}, seed {seed}")


def _values(mask: Mask, generator: np.random.Generator) -> Array:
    """Normal values of both signs where ``mask`` holds, each at least SMALLEST in size; zeros elsewhere."""
    drawn = generator.standard_normal(mask.shape, np.float32) * np.float32(DEVIATION)
    return np.where(mask, drawn + np.copysign(np.float32(SMALLEST), drawn), np.float32(0))
