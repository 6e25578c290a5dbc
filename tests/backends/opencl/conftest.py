"""An OpenCL device for the tests, and a check of one plan against the definition in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.opencl.config import OpenclConfig
from backends.reference.backend import convolve
from harness.contract import BreakevenError, Problem


@pytest.fixture(scope="session")
def backend() -> Any:
    pytest.importorskip("pyopencl", reason="pyopencl is not installed")
    from backends.opencl.backend import OpenclBackend

    if not (support := OpenclBackend.available(OpenclConfig())).ok:
        pytest.skip(support.reason)
    try:
        return OpenclBackend(OpenclConfig())
    except BreakevenError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def check(backend: Any) -> Any:
    """Prepare, poison the output, run, compare with the reference; returns the plan."""

    def run(
        problem: Problem, kernel: str, density: float = 0.3, seed: int = 0, bias: bool = True, relu: bool = False, **options: Any
    ) -> Any:
        rng = np.random.default_rng(seed)
        weight = (rng.standard_normal(problem.weight_shape) * (rng.random(problem.weight_shape) < density)).astype(np.float32)
        x = rng.standard_normal(problem.input_shape).astype(np.float32)
        added = rng.standard_normal(problem.oc).astype(np.float32) if bias else None
        plan = backend.prepare(problem, weight, kernel, bias=added, relu=relu, **options)
        plan.poison()
        x.flags.writeable = seed % 2 == 0
        y = plan.run(x, np.full(problem.output_shape, np.nan, np.float32))
        exact, scale = convolve(problem, x, weight), convolve(problem, np.abs(x), np.abs(weight))
        if added is not None:
            exact, scale = exact + added[:, None, None], scale + np.abs(added)[:, None, None]
        exact = np.maximum(exact, 0) if relu else exact
        assert np.isfinite(y).all(), f"{problem}: pixels left unwritten"
        assert (np.abs(y - exact) <= 1e-5 * scale + 1e-30).all(), f"{problem} {options}: off by {np.abs(y - exact).max()}"
        return plan

    return run


@pytest.fixture(scope="session")
def widest(backend: Any) -> int:
    """Floats of the widest vector that this device's compiler takes."""
    session = backend._session
    return int(session.vector_width) if session.is_cpu else 16
