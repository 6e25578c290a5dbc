"""Find a kernel's costs from a few timed probes, with an error band and the range that was probed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perfmodel.errors import InputError
from perfmodel.hardware import Hardware
from perfmodel.kernel import KernelParameters
from perfmodel.methods.base import MethodModel
from perfmodel.problem import Problem
from perfmodel.quantities import probed_ranges
from perfmodel.regression import Vector, huber_fit

_FOLDS = 8
_LEAST_BAND = 0.03
_LEAST_SAMPLES = 8
# AVX2 (the default), AVX-512 alone and with shorter vectors for narrow rows, four lanes (SSE, NEON).
_USUAL_SHAPES: tuple[dict[str, Any], ...] = (
    {},
    {"narrower": (4,)},
    {"lanes": 16, "tile": 28},
    {"lanes": 16, "tile": 28, "narrower": (8,)},
    {"lanes": 4, "tile": 28},
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed probe: median seconds of a call for the whole batch, and the FMA peak (FLOP/s) of that moment."""

    problem: Problem
    density: float
    seconds: float
    peak_flops: float

    def __post_init__(self) -> None:
        for name in ("seconds", "peak_flops"):
            if not 0.0 < getattr(self, name) < float("inf"):
                raise InputError(f"{name} of sample {self.problem} is {getattr(self, name)!r}; allowed: a positive number")

    @property
    def work(self) -> float:
        """Seconds times peak: what stays the same while the clock drifts."""
        return self.seconds * self.peak_flops


def calibrate(model: MethodModel, samples: Sequence[Sample], kernel: KernelParameters, hardware: Hardware) -> KernelParameters:
    """``kernel`` with costs, band, probed range, probes and their residuals from ``samples``.

    The costs minimise Huber's loss of the relative errors, none below 0, drawn slightly towards first principles on
    ``hardware`` so that a term which the probes do not show keeps a sensible cost. The band holds 80 % of the ratios measured / predicted
    in a cross-validation that leaves whole problems out. A kernel whose shape nobody declared (that of a bare
    :class:`KernelParameters`) gets the usual shape that cross-validates best. Raises :class:`InputError` for fewer than 8 samples,
    and :class:`MissingNumberError` for what ``hardware`` lacks.
    """
    if len(samples) < _LEAST_SAMPLES:
        raise InputError(f"{len(samples)} samples for {model.method}; allowed: {_LEAST_SAMPLES} or more")
    declared = kernel.shape != KernelParameters().shape
    shapes = [kernel] if declared else [dataclasses.replace(kernel, **shape) for shape in _USUAL_SHAPES]
    return min((_fit(model, samples, shape, hardware) for shape in shapes), key=lambda fit: fit[1])[0]


def _fit(model: MethodModel, samples: Sequence[Sample], kernel: KernelParameters, hardware: Hardware) -> tuple[KernelParameters, float]:
    """The calibrated kernel, and the mean size of its cross-validated errors (each counted up to a factor of 2)."""
    names, first = list(model.kinds), model.first_costs(hardware, kernel)
    prior = np.array([first[name] for name in names])
    rows = [model.terms(s.problem, s.density, kernel) for s in samples]
    matrix = np.array([[row[name] for name in names] for row in rows])
    work = np.array([s.work for s in samples])
    costs = huber_fit(matrix, work, prior).costs
    ratios = _held_out_ratios(matrix, work, prior, samples)
    low, high = np.quantile(ratios, [0.1, 0.9])
    fitted = dataclasses.replace(
        kernel,
        costs={name: float(cost) for name, cost in zip(names, costs, strict=True)},
        band=(min(float(low), 1 - _LEAST_BAND), max(float(high), 1 + _LEAST_BAND)),
        probed=probed_ranges([(s.problem, s.density) for s in samples]),
        probes=tuple(f"{s.problem} density {s.density:.4g}" for s in samples),
        residuals=tuple(round(float(ratio), 4) for ratio in ratios),
    )
    return fitted, float(np.mean(np.minimum(np.abs(np.log(ratios)), np.log(2))))


def _held_out_ratios(matrix: Vector, work: Vector, prior: Vector, samples: Sequence[Sample]) -> Vector:
    """Measured over predicted for each sample, predicted from the folds that do not hold its problem."""
    shapes = sorted({str(s.problem) for s in samples})
    fold = np.array([shapes.index(str(s.problem)) % _FOLDS for s in samples])
    ratios = np.ones(len(samples))
    for k in range(min(_FOLDS, len(shapes))):
        left_out = fold == k
        if left_out.all():
            continue
        costs = huber_fit(matrix[~left_out], work[~left_out], prior).costs
        ratios[left_out] = work[left_out] / np.maximum(matrix[left_out] @ costs, 1e-12)
    return ratios
