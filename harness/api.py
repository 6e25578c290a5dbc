"""The public functions that need no configuration: open a backend, project, find the useful range."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

from harness.contract import Backend, InputError, KernelSpec, Problem
from harness.contract.checks import check_kind
from harness.plugins import host

if TYPE_CHECKING:
    from perfmodel.project import Projection
    from perfmodel.useful import UsefulRange


def open_backend(name: str, threads: int = 1, **options: Any) -> Backend:
    """Open the backend called ``name`` in this process with ``threads`` threads.

    ``options`` are the fields of the backend's configuration. Raises :class:`InputError` that lists
    what exists for an unknown name or option, and says what is missing when the engine is absent.
    """
    return host().open(name, threads, **options)


def project(problem: Problem, density: float, backend: Backend, kernel: str | None = None) -> Projection:
    """Project seconds and speed-up of ``kernel`` (default: the backend's first sparse one) at ``density``.

    A kernel calibrated on this device (``task=calibrate``) is projected by its method's model against the
    fastest calibrated dense kernel; others by first principles or the paper's model, with a wide band. Raises :class:`InputError`
    for arguments of another kind, a density outside 0 to 1 or an unknown kernel, :class:`MissingNumberError` naming a missing number.
    """
    from harness.modelling import outlook, store

    spec = _kernel(problem, backend, kernel)
    check_kind("density", density, Real, "a number from 0 to 1")
    hardware = backend.hardware()
    dense = outlook.fastest_dense(problem, store.rivals(backend.threads, backend.name, hardware), hardware)
    return outlook.project(problem, density, spec, outlook.find_kernel(backend.name, spec, backend.threads, hardware), hardware, dense)


def useful_range(problem: Problem, backend: Backend, kernel: str | None = None) -> UsefulRange:
    """The densities between which pruning ``problem`` pays on ``backend``, or none with the reason; errors as :func:`project`."""
    from harness.modelling import outlook, store

    spec = _kernel(problem, backend, kernel)
    hardware = backend.hardware()
    dense = outlook.fastest_dense(problem, store.rivals(backend.threads, backend.name, hardware), hardware)
    return outlook.useful_range(problem, spec, outlook.find_kernel(backend.name, spec, backend.threads, hardware), hardware, dense)


def _kernel(problem: Problem, backend: Backend, name: str | None) -> KernelSpec:
    """The kernel to project, of arguments that are what they should be."""
    check_kind("problem", problem, Problem, "a Problem, such as Problem.parse gives")
    check_kind("backend", backend, Backend, "a Backend, as open_backend gives")
    if name is not None:
        return backend.kernel(name)
    sparse = [kernel for kernel in backend.kernels() if kernel.sparse]
    if not sparse:
        raise InputError(
            f"backend {backend.name!r} has no sparse kernel; allowed: kernel= one of {', '.join(k.name for k in backend.kernels())}"
        )
    return sparse[0]
