"""The model of the default kernel: its layout is the C planner's, and it tells generated code from compiled kernels."""

from __future__ import annotations

import numpy as np
import pytest

from backends.cpu import _kernels
from backends.cpu import model as module
from backends.cpu.backend import CpuBackend
from backends.cpu.choice import problem_fields
from backends.cpu.generated import generates
from backends.cpu.isa import isa_names
from backends.cpu.model import GeneratedOrTiled
from harness.contract import BackendConfig
from perfmodel import Problem
from perfmodel.kernel import KernelParameters
from perfmodel.methods import find_model
from perfmodel.strips import frame, strips

AWKWARD = [
    "ic256ih13oc384kh3ph1",
    "g2ic96ih27oc64kh5ph2",
    "mb3ic7ih9iw5oc5kh3kw3ph1pw1",
    "ic3ih67oc24kh11sh4",
    "ic160ih30oc64kh7sh2ph3",
    "ic512ih14oc128kh1",
    "ic64ih56oc32kh1sh2",
    "ic8ih20oc6kh3ph2dh1",
    "ic5ih17iw11oc29oh6ow10kh3kw2sh3sw1ph1pw0",
    "ic1ih3oc1kh3",
    "g6ic6ih12oc6kh3ph1",
    "ic64ih56oc192kh3ph1",
]


@pytest.mark.parametrize("density", [0.03, 0.5])
@pytest.mark.parametrize("text", AWKWARD)
def test_the_layout_is_the_planners(text, density):
    if reason := _kernels.obstacle():
        pytest.skip(reason)
    problem = Problem.parse(text)
    generator = np.random.default_rng(3)
    weight = np.where(generator.random(problem.weight_shape) < density, 1.0, 0.0).astype(np.float32)
    info = _kernels.info(_kernels.generate(problem_fields(problem), weight, None, False, 1, 0, 0))
    f, s = frame(problem), strips(problem, info["nonzeros"])
    names = ("pitch", "tiles", "vectors", "strips", "parts")
    assert (f.pitch, f.tiles, f.vectors, s.strips, s.parts) == tuple(info[name] for name in names)


@pytest.mark.parametrize(
    ("text", "tiled"), [("ic64ih14oc64kh3ph1", False), ("mb16ic64ih2oc64kh3ph1", True), ("mb4ic64ih2oc64kh3ph1", False)]
)
def test_small_maps_in_batches_run_on_compiled_kernels(text, tiled):
    terms = GeneratedOrTiled().terms(Problem.parse(text), 0.1, KernelParameters(lanes=16, tile=28))
    assert set(terms) == set(GeneratedOrTiled.kinds)
    assert (terms["multiply"] > 0, terms["tiled multiply"] > 0) == (not tiled, tiled)


def test_code_beyond_the_last_cache_is_not_generated(monkeypatch):
    monkeypatch.setattr(module, "too_much_code", lambda problem, density: density > 0.2)
    problem, kernel = Problem.parse("ic64ih14oc64kh3ph1"), KernelParameters(lanes=16)
    assert GeneratedOrTiled().terms(problem, 0.3, kernel)["multiply"] == 0
    assert GeneratedOrTiled().terms(problem, 0.1, kernel)["multiply"] > 0


@pytest.mark.parametrize("isa", isa_names())
def test_kernels_declare_the_model_and_the_vectors_of_the_instruction_set(isa, monkeypatch):
    monkeypatch.setenv("BREAKEVEN_ISA", isa)
    sparse, dense = CpuBackend(BackendConfig("cpu")).kernels()
    assert (sparse.model != "") == (isa == "avx512" and generates(isa))
    assert find_model(sparse.model or sparse.method).method == "direct_sparse"
    assert dense.model == ""
    assert sparse.parameters.lanes == {"avx512": 16, "avx2": 8, "portable": 4}.get(isa, sparse.parameters.lanes)
    assert sparse.parameters.alpha == sparse.alpha
