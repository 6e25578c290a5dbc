"""The public functions that need no configuration: open a backend, project, find the useful range."""

from __future__ import annotations

from typing import Any

from harness.contract import Backend, InputError, KernelSpec, Problem
from harness.plugins import host
from perfmodel.project import Projection, project_paper, useful_range_paper
from perfmodel.useful import UsefulRange


def open_backend(name: str, threads: int = 1, **options: Any) -> Backend:
    """Open the backend called ``name`` in this process with ``threads`` threads.

    ``options`` are the fields of the backend's configuration. Raises :class:`InputError` that lists
    what exists for an unknown name or option, and says what is missing when the engine is absent.
    """
    return host().open(name, threads, **options)


def project(problem: Problem, density: float, backend: Backend, kernel: str | None = None) -> Projection:
    """Project seconds and speed-up of ``kernel`` (default: the backend's first sparse one) at ``density``.

    Uses ``backend.hardware()`` and the kernel's declared alpha and beta. Raises :class:`InputError` for a
    density outside 0 to 1 or a kernel that is not sparse, :class:`MissingNumberError` naming a missing number.
    """
    spec = _sparse_kernel(backend, kernel)
    return project_paper(problem, density, backend.hardware(), spec.alpha, spec.beta)


def useful_range(problem: Problem, backend: Backend, kernel: str | None = None) -> UsefulRange:
    """The densities between which pruning ``problem`` pays on ``backend``, or none with the reason; errors as :func:`project`."""
    spec = _sparse_kernel(backend, kernel)
    return useful_range_paper(problem, backend.hardware(), spec.alpha, spec.beta)


def _sparse_kernel(backend: Backend, name: str | None) -> KernelSpec:
    sparse = [k for k in backend.kernels() if k.sparse and name in (None, k.name)]
    if not sparse:
        allowed = ", ".join(k.name for k in backend.kernels() if k.sparse) or "none of its kernels is"
        raise InputError(f"kernel {name or 'default'!r} of backend {backend.name!r} is not sparse; allowed: {allowed}")
    return sparse[0]
