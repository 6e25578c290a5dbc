"""Which problems to time for a calibration: a small set that tells the terms of a method apart."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from perfmodel.errors import InputError
from perfmodel.hardware import Hardware
from perfmodel.kernel import KernelParameters
from perfmodel.methods.base import MethodModel
from perfmodel.problem import Problem

# Image sizes that the usual networks do not have, so that no layer of theirs is a probe by accident.
_SIZES = (5, 6, 8, 10, 12, 15, 18, 20, 24, 30, 36, 50, 60)
_CHANNELS = (3, 16, 24, 32, 48, 64, 96, 128, 160, 192, 256, 320, 384, 512)
_KERNELS = (1, 1, 3, 3, 3, 5, 7)
_CANDIDATES = 1500


class Probe(NamedTuple):
    """A problem to time at a density."""

    problem: Problem
    density: float


def probe_design(
    model: MethodModel,
    kernel: KernelParameters,
    hardware: Hardware,
    count: int = 72,
    *,
    densities: tuple[float, float] = (0.02, 0.5),
    batches: tuple[int, ...] = (1, 1, 4, 16),
    least_s: float = 20e-6,
    most_s: float = 0.02,
    exclude: Iterable[Problem] = (),
    supports: Callable[[Problem], bool] = lambda problem: True,
    seed: int = 0,
) -> tuple[Probe, ...]:
    """Choose ``count`` probes: three quarters at random, the rest by greedy D-optimality on top of those.

    The random ones keep the fit honest where the model's form is wrong; the others tell the terms apart: each
    next one adds most to the determinant of the information matrix, whose rows are the terms' shares of a probe's time by first
    principles (the fit is on relative errors). Each call is expected to take ``least_s`` to ``most_s`` seconds, no probe equals
    a problem of ``exclude`` at any batch, all satisfy ``supports``. Same arguments, same probes.
    Raises :class:`InputError` when too few candidates remain.
    """
    held_out = {dataclasses.replace(problem, mb=1, name="") for problem in exclude}
    found, rows = [], []
    for probe in _candidates(random.Random(seed), densities, batches):
        if probe.problem.with_batch(1) in held_out or not supports(probe.problem):
            continue
        try:
            timing = model.seconds(probe.problem, probe.density, hardware, kernel)
        except InputError:
            continue
        if least_s <= timing.seconds <= most_s:
            found.append(probe)
            rows.append([timing.shares[name] for name in model.kinds])
    if len(found) < count:
        wanted = f"{count} probes of {model.method} of {least_s:g} to {most_s:g} s"
        raise InputError(f"only {len(found)} candidates for {wanted}; allowed: fewer probes or other times")
    return tuple(found[i] for i in _greedy(np.array(rows), count))


def _candidates(draw: random.Random, densities: tuple[float, float], batches: tuple[int, ...]) -> Iterator[Probe]:
    """Random problems over the grid, densities spread evenly in the logarithm."""
    low, high = densities
    for _ in range(_CANDIDATES):
        size, k, g = draw.choice(_SIZES), draw.choice(_KERNELS), draw.choice((1, 1, 1, 2))
        ic, oc = draw.choice(_CHANNELS), draw.choice(_CHANNELS)
        stride = draw.choice((1, 1, 1, 2))
        density = round(low * (high / low) ** draw.random(), 4)
        if ic % g or oc % g:
            g = 1
        text = f"g{g}mb{draw.choice(batches)}ic{ic}ih{size}oc{oc}kh{k}sh{stride}ph{k // 2}"
        yield Probe(Problem.parse(text), density)


def _greedy(rows: np.ndarray, count: int) -> list[int]:
    """The first three quarters of ``count`` rows as they come, then those that maximise the determinant one by one.

    Each term is scaled to its largest share first, so that small terms count too.
    """
    scaled = rows / np.maximum(rows.max(axis=0), 1e-12)
    chosen = list(range(count * 3 // 4))
    information = 1e-3 * np.eye(rows.shape[1]) + scaled[chosen].T @ scaled[chosen]
    while len(chosen) < count:
        gains = np.einsum("ij,jk,ik->i", scaled, np.linalg.inv(information), scaled)
        gains[chosen] = -1.0
        best = int(np.argmax(gains))
        chosen.append(best)
        information += np.outer(scaled[best], scaled[best])
    return sorted(chosen)
