"""Time of every installed kernel on every layer of a suite, end to end, caches hot."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from harness.conformance.oracle import Expected, expected
from harness.contract import Problem
from harness.contract.plan import Array
from harness.data import check_input, timing_input
from harness.networks import Layer
from harness.verify import compare
from harness.weights import open_source
from tests.benchmarks.conftest import Run

SEED = 2017


@functools.cache
def _weight(layer: Layer, density: float) -> Array:
    found = open_source({"kind": "random", "pattern": "imbalanced"}).weights_for(layer, density, SEED)
    assert found is not None
    return found.array


@functools.lru_cache(maxsize=1)
def _checked(problem: Problem, layer: Layer, density: float) -> tuple[Array, Expected]:
    x = check_input(problem, SEED)
    return x, expected(problem, x, _weight(layer, density))


def test_layer(benchmark: Any, run: Run) -> None:
    backend, spec, problem = run.subject.backend, run.subject.spec, run.layer.problem
    support = backend.supports(spec.name, problem)
    if not support.ok:
        pytest.skip(f"{run.subject} does not support {problem}: {support.reason}")
    plan = run.subject.prepare(problem, _weight(run.layer, run.density))
    x, (exact, scale) = _checked(problem, run.layer, run.density)
    verdict = compare(plan.run(x), exact, scale, spec.rtol)
    assert verdict.status == "passed", verdict.reason

    x, out = timing_input(problem, SEED), np.empty(problem.output_shape, np.float32)
    peaks = [backend.fma_peak()]
    benchmark.group = f"{run.layer.name}, density {run.density:g}"
    benchmark(plan.run, x, out)
    peaks.append(backend.fma_peak())
    benchmark.extra_info.update(_facts(run, plan.density, peaks))
    if benchmark.stats is not None:
        median = benchmark.stats.stats.median
        benchmark.extra_info["effective_gflops"] = problem.flops / median / 1e9
        benchmark.extra_info["useful_gflops"] = problem.flops * plan.density / median / 1e9


def _facts(run: Run, density: float, peaks: list[float | None]) -> dict[str, Any]:
    """What a saved time means: stored beside it."""
    known = [peak for peak in peaks if peak]
    return {
        "layer": run.layer.name,
        "problem": str(run.layer.problem),
        "density": density,
        "batch": run.layer.problem.mb,
        "backend": run.subject.backend_name,
        "kernel": run.subject.kernel_name,
        "method": run.subject.spec.method,
        "threads": run.subject.threads,
        "device": run.subject.backend.device(),
        "peak_gflops": float(np.median(known)) / 1e9 if known else None,
    }
