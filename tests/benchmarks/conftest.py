"""Options of the benchmark suite, and what it runs: installed backends x kernels x layers x densities.

    pytest tests/benchmarks --benchmark-only --bench-backend cpu --suite my-layers.txt --benchmark-autosave

One backend a process gives the cleanest times: engines in one process share or fight over an OpenMP runtime.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.conformance import Subject, subjects
from harness.contract import InputError
from harness.machine import describe_machine
from harness.networks import Layer, layers_from_file, load_layers
from harness.plugins import host
from tests.architecture.sources import ROOT

DEFAULT_SUITE = ROOT / "conf" / "network" / "alexnet.yaml"
DEFAULT_DENSITY = 0.1


@dataclass(frozen=True)
class Run:
    """One benchmark: a kernel on a layer at a density."""

    subject: Subject
    layer: Layer
    density: float

    def __str__(self) -> str:
        return f"{self.layer.name}-{self.density:g}-{self.subject}"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("breakeven benchmarks")
    group.addoption("--suite", default=str(DEFAULT_SUITE), metavar="FILE", help="network YAML, or descriptors one a line")
    group.addoption("--bench-backend", action="append", default=[], metavar="NAME", help="backend; default: every installed engine")
    group.addoption("--bench-threads", type=int, default=1, metavar="N", help="threads (default: 1)")
    group.addoption("--bench-density", type=float, action="append", default=[], metavar="X", help="density; default: the layer's own")
    group.addoption("--bench-batch", type=int, default=0, metavar="N", help="batch size; default: the layer's own")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "run" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("--benchmark-only") or metafunc.config.getoption("bench_backend", [])
        runs = _runs(metafunc.config) if wanted else [pytest.param(None, id="none", marks=pytest.mark.skip("needs --benchmark-only"))]
        metafunc.parametrize("run", runs, ids=str, scope="session")


def _layers(config: pytest.Config) -> tuple[Layer, ...]:
    path = Path(config.getoption("suite", str(DEFAULT_SUITE)))
    try:
        return load_layers(path) if path.suffix in (".yaml", ".yml") else layers_from_file(path)
    except InputError as error:
        raise pytest.UsageError(f"--suite: {error}") from error


def _runs(config: pytest.Config) -> list[Any]:
    """Dense kernels run at the first density only: their time does not depend on it."""
    batch = config.getoption("bench_batch", 0)
    runs: list[Any] = []
    for layer in _layers(config):
        chosen = Layer(layer.name, layer.problem.with_batch(batch), layer.density) if batch else layer
        densities = config.getoption("bench_density", []) or [DEFAULT_DENSITY if layer.density is None else layer.density]
        for subject in _kernels(config):
            if isinstance(subject, Subject):
                runs += [Run(subject, chosen, density) for density in (densities if subject.spec.sparse else densities[:1])]
            else:
                runs.append(subject)
    return runs


def _kernels(config: pytest.Config) -> list[Any]:
    names = config.getoption("bench_backend", []) or [name for name, spec in host().specs().items() if spec.role == "engine"]
    found: list[Any] = []
    for name in names:
        try:
            found += subjects(name, config.getoption("bench_threads", 1))
        except InputError as error:
            found.append(pytest.param(None, id=name, marks=pytest.mark.skip(str(error))))
    return found


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Say which machine and how many threads, so that no one compares what cannot be compared."""
    machine_info["breakeven"] = {**describe_machine(), "threads": config.getoption("bench_threads", 1)}
    machine_info["environment"] = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in os.environ}
