"""Projections for one problem: which kernel, how fast, against which dense one, and how sure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from harness.contract import Hardware, InputError, KernelSpec, Problem
from harness.modelling import store
from harness.modelling.store import ModelledKernel
from perfmodel import project as model
from perfmodel.project import Choice, Projection
from perfmodel.useful import UsefulRange


@dataclass(frozen=True)
class Dense:
    """The dense time that speed-ups refer to, and whose it is."""

    seconds: float
    name: str


def fastest_dense(problem: Problem, kernels: Sequence[ModelledKernel], hardware: Hardware) -> Dense:
    """The fastest calibrated dense kernel on ``problem``; without any, the paper's C / F (sec. 2.2)."""
    found = []
    for kernel in kernels:
        if kernel.dense:
            try:
                found.append(Dense(kernel.seconds(problem, 1.0).seconds, kernel.name))
            except InputError:
                continue
    return min(found, key=lambda dense: dense.seconds) if found else Dense(problem.flops / float(hardware.peak_flops), "C / F (paper)")


def find_kernel(backend: str, spec: KernelSpec, threads: int, hardware: Hardware) -> ModelledKernel | None:
    """The kernel as calibrated on this device or as declared; None where only the paper's model can answer."""
    stored = store.find(backend, spec, threads, hardware)
    if stored is not None:
        return stored
    return ModelledKernel.declared(backend, spec, threads, hardware) if spec.parameters else None


def project(
    problem: Problem, density: float, spec: KernelSpec, kernel: ModelledKernel | None, hardware: Hardware, dense: Dense
) -> Projection:
    """Project one kernel; errors as in :mod:`perfmodel.project`."""
    if kernel is None:
        return model.project_paper(problem, density, hardware, spec.alpha, spec.beta)
    return model.project(problem, density, kernel.hardware, kernel.contender, dense.seconds)


def choose(
    problem: Problem,
    density: float,
    spec: KernelSpec,
    kernel: ModelledKernel | None,
    others: Sequence[ModelledKernel],
    hardware: Hardware,
    dense: Dense,
    approximations: Sequence[Projection] = (),
) -> Choice:
    """The fastest of this kernel, ``others``, the dense time and ``approximations``; each by its own device's peak. Errors as above."""
    mine = dataclasses.replace(project(problem, density, spec, kernel, hardware, dense), name=kernel.name if kernel else spec.name)
    found = [mine, *approximations]
    for other in others:
        if other.exact and other.name != mine.name:
            with suppress(InputError):
                found.append(model.project(problem, density, other.hardware, other.contender, dense.seconds))
    if not any(projection.name == dense.name for projection in found):
        t = dense.seconds
        found.append(Projection(t, t, t, "compute", 1.0, "dense", t, density, name=dense.name))
    best, *slower = sorted(found, key=lambda projection: projection.median_s)
    return Choice(best, slower[0].median_s / best.median_s, tuple(slower))


def useful_range(problem: Problem, spec: KernelSpec, kernel: ModelledKernel | None, hardware: Hardware, dense: Dense) -> UsefulRange:
    """Useful range of one kernel; errors as in :mod:`perfmodel.project`."""
    if kernel is None:
        return model.useful_range_paper(problem, hardware, spec.alpha, spec.beta)
    return model.useful_range(problem, kernel.hardware, kernel.contender, dense.seconds)
