"""A kernel that computes with other weights: checked with those, and compared in speed only at the error that it states."""

import numpy as np
import pytest

from backends.reference.backend import ReferenceBackend, convolve
from harness.bench.cases import Case
from harness.bench.contenders import Team
from harness.bench.race import race
from harness.bench.rows import make_rows
from harness.config import MeasureConfig, RunConfig
from harness.contract import Backend, BackendConfig, BackendSpec, KernelSpec, Plan
from harness.networks import layer_from_descriptor
from harness.weights import open_source
from harness.workers.service import Service

ERROR = 0.25


class Scaled(Plan):
    """Computes with 1.25 times the weights; what it says of that depends on the kernel."""

    def __init__(self, request, backend, threads):
        super().__init__(request, backend, threads)
        self._used = request.weight * np.float32(1 + ERROR)
        self.approximation = {"flatters": 0.05, "silent": None, "hidden": ERROR}.get(self.kernel.name, ERROR)

    def effective_weight(self):
        return None if self.kernel.name == "hidden" else self._used

    def _run(self, x, y):
        y[...] = convolve(self.problem, x, self._used) * (1.1 if self.kernel.name == "wrong" else 1)


class Right(Plan):
    def __init__(self, request, backend, threads):
        super().__init__(request, backend, threads)
        self._used = request.weight.copy()

    def _run(self, x, y):
        y[...] = convolve(self.problem, x, self._used)


class Loose(Backend):
    name = "loose"
    specs = (
        KernelSpec("plain", "dense", "exact"),
        *(KernelSpec(name, "low_rank", name, exact=False) for name in ("stated", "flatters", "silent", "hidden", "wrong", "unstated")),
        KernelSpec("poses", "dense", "says it is exact"),
    )

    def _prepare(self, request):
        return (Right if request.kernel.name in ("plain", "unstated") else Scaled)(request, self.name, self.threads)


class Inside(Team):
    """A team whose worker is a service in this process."""

    service = None

    def worker(self):
        return self

    def on_stage(self, stage):
        if self._loaded is None or self._loaded[1] is not stage:
            self.service.load(stage.problem, stage.weight, stage.seed, stage.truth)
            self._loaded = self, stage
        return self

    def call(self, method, *args, timeout_s=None):
        return getattr(self.service, method)(*args)


def team(backend):
    made = Inside(BackendSpec(backend.name, "nowhere:Nothing", "", 1), 1, {}, backend.kernels())
    made.service = Service()
    made.service._backend = backend
    return made


@pytest.fixture(scope="module")
def rows():
    layer = layer_from_descriptor("ic4ih9oc6kh3ph1")
    weights = open_source({"kind": "random", "pattern": "uniform"}).weights_for(layer, 0.5, 1)
    case = Case(layer, layer.problem, weights.density, weights, seed=1)
    loose, oracle = team(Loose(BackendConfig("loose"))), team(ReferenceBackend(BackendConfig("reference")))
    entries = race(case, [(loose, kernel) for kernel in loose.kernels], oracle, MeasureConfig(2, 0), lambda: None)
    config = RunConfig(backend={"name": "loose"}, weights={"kind": "random"})
    return {row.kernel: row for row in make_rows(case, entries, config, None)}


def test_stated_and_checked_with_its_own_weights(rows):
    row = rows["stated"]
    assert row.status in ("passed", "mistrusted"), row.reason
    assert row.approximation_error == pytest.approx(ERROR, abs=1e-6)
    assert row.max_error <= row.tolerance
    assert (row.speedup is None) == (row.baseline is None)


def test_no_speedup_without_a_stated_error(rows):
    row = rows["unstated"]
    assert row.status in ("passed", "mistrusted"), row.reason
    assert row.end_to_end_s is not None
    assert (row.approximation_error, row.speedup, row.paper_speedup) == (None, None, None)


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        ("flatters", "states an error of 5.0000% of its weights, which are off by 25.0000%"),
        ("silent", "states no error of its weights, which are off by 25.0000%"),
        ("wrong", "should be"),
        ("hidden", "should be"),
        ("poses", "should be"),
    ],
)
def test_what_does_not_hold_fails(rows, kernel, words):
    assert rows[kernel].status == "failed"
    assert words in rows[kernel].reason
    assert rows[kernel].speedup is None


def test_an_inexact_kernel_is_no_baseline(rows):
    assert all(row.baseline is None or row.baseline.kernel == "plain" for row in rows.values())
