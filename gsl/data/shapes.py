"""The built-in data set: ten kinds of shapes drawn with noise, the same for everybody, nothing to download."""

from __future__ import annotations

import math

import numpy as np

from gsl.data.split import ArraySplit, Data, Images, check_counts
from perfmodel import InputError

KINDS = ("disc", "ring", "square", "frame", "diamond", "cross", "saltire", "bar", "stripes", "checks")


def shapes(train: int = 4000, validation: int = 1000, test: int = 2000, size: int = 28, noise: float = 0.25, seed: int = 7) -> Data:
    """Grey images of ``size`` x ``size`` pixels, one shape each at random place, scale, turn, brightness and with ``noise``.

    Raises :class:`InputError` for a count or size below 1, or noise below 0.
    """
    check_counts(train=train, validation=validation, test=test, size=size)
    if not 0.0 <= noise < math.inf:
        raise InputError(f"dataset.noise is {noise!r}; allowed: a number from 0")

    def draw(count: int, part: int) -> ArraySplit:
        return _draw(count, size, noise, np.random.default_rng([seed, part]))

    return Data("shapes", len(KINDS), (1, size, size), draw(train, 0), draw(validation, 1), draw(test, 2)).check()


def _draw(count: int, size: int, noise: float, generator: np.random.Generator) -> ArraySplit:
    labels = generator.integers(0, len(KINDS), count)
    radius = generator.uniform(0.22, 0.42, (count, 1, 1)) * size
    y, x = np.mgrid[:size, :size].astype(np.float64)
    centre = size / 2 + generator.uniform(-0.12, 0.12, (2, count, 1, 1)) * size
    angle = generator.uniform(-0.35, 0.35, (count, 1, 1))
    dy, dx = (y - centre[0]) / radius, (x - centre[1]) / radius
    u, v = np.cos(angle) * dx + np.sin(angle) * dy, np.cos(angle) * dy - np.sin(angle) * dx
    shown = np.select([labels[:, None, None] == kind for kind in range(len(KINDS))], _masks(u, v), False)
    back, front = generator.uniform(0.0, 0.35, (count, 1, 1)), generator.uniform(0.55, 1.0, (count, 1, 1))
    grey = np.where(shown, front, back) + noise * generator.standard_normal((count, size, size))
    images: Images = (grey.clip(0, 1) * 255).astype(np.uint8)[:, None]
    return ArraySplit(images, labels.astype(np.int64))


def _masks(u: np.ndarray, v: np.ndarray) -> list[np.ndarray]:
    """Whether a pixel at (u, v), in radii from the centre, belongs to each kind."""
    round_, box, au, av = np.hypot(u, v), np.maximum(np.abs(u), np.abs(v)), np.abs(u), np.abs(v)
    inside = box < 1
    return [
        round_ < 1,
        (round_ < 1) & (round_ > 0.6),
        box < 0.85,
        (box < 0.9) & (box > 0.55),
        au + av < 1.05,
        inside & (np.minimum(au, av) < 0.25),
        inside & (np.abs(au - av) < 0.3),
        (au < 1) & (av < 0.3),
        inside & (np.floor(v * 2.5 + 10) % 2 == 0),
        inside & ((np.floor(u * 2 + 10) + np.floor(v * 2 + 10)) % 2 == 0),
    ]
