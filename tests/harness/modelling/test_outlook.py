"""The method choice of a projection: calibrated kernels, the paper's model, and kernels that cannot do a problem."""

from __future__ import annotations

import dataclasses
import time

import pytest

from harness.contract import Hardware, KernelSpec, Quantity
from harness.modelling.outlook import Dense, choose, fastest_dense, find_kernel, project, useful_range
from harness.modelling.store import ModelledKernel
from harness.networks import load_layers
from perfmodel import Problem, load_hardware
from perfmodel.kernel import KernelParameters

HARDWARE = Hardware(
    "v",
    "toaster",
    numbers={"peak_flops": Quantity(1e11, "FLOP/s"), "bandwidth": Quantity(1e10, "B/s"), "call_overhead": Quantity(1e-6, "s")},
)
PROBLEM = Problem.parse("ic64ih14oc64kh3ph1")
SPARSE = KernelSpec("sparse", "direct_sparse", "", parameters=KernelParameters(lanes=16, tile=28))
DENSE = KernelSpec("dense", "dense", "", parameters=KernelParameters(lanes=16))
WINOGRAD = KernelSpec("winograd", "winograd", "", parameters=KernelParameters(lanes=16))


def modelled(spec: KernelSpec) -> ModelledKernel:
    return ModelledKernel.declared("made-up", spec, 1, HARDWARE)


def test_the_fastest_of_all_kernels_is_chosen_with_its_margin():
    mine, rivals = modelled(SPARSE), [modelled(DENSE), modelled(WINOGRAD)]
    dense = fastest_dense(PROBLEM, rivals, HARDWARE)
    sparse = choose(PROBLEM, 0.02, SPARSE, mine, rivals, HARDWARE, dense)
    assert sparse.best.name == "made-up sparse"
    assert sparse.margin == pytest.approx(dense.seconds / sparse.best.median_s)
    full = choose(PROBLEM, 1.0, SPARSE, mine, rivals, HARDWARE, dense)
    assert full.best.name == dense.name
    assert {projection.name for projection in full.others} == {"made-up sparse", "made-up dense", "made-up winograd"} - {dense.name}


def test_kernels_that_cannot_do_a_problem_and_inexact_ones_are_passed_over():
    strided = Problem.parse("ic64ih14oc64kh3sh2ph1")
    low_rank = dataclasses.replace(modelled(DENSE), kernel="low rank", exact=False)
    mine, dense = modelled(SPARSE), Dense(1.0, "made-up dense")
    found = choose(strided, 0.1, SPARSE, mine, [modelled(WINOGRAD), low_rank], HARDWARE, dense)
    assert [projection.name for projection in (found.best, *found.others)] == ["made-up sparse", "made-up dense"]


def test_the_papers_model_chooses_between_itself_and_its_dense_time():
    atom, spec = load_hardware("atom-c2750"), KernelSpec("paper", "direct_sparse", "")
    dense = fastest_dense(PROBLEM, (), atom)
    assert dense.name == "C / F (paper)"
    assert choose(PROBLEM, 0.1, spec, None, (), atom, dense).best.name == "paper"
    assert choose(PROBLEM, 1.0, spec, None, (), atom, dense).best.name == "C / F (paper)"


def test_a_kernel_that_exposes_no_parameters_gets_the_papers_model_with_a_wide_band(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    bare = KernelSpec("bare", "direct_sparse", "")
    kernel, dense = find_kernel("made-up", bare, 1, HARDWARE), fastest_dense(PROBLEM, (), HARDWARE)
    assert kernel is None
    found = project(PROBLEM, 0.1, bare, kernel, HARDWARE, dense)
    assert (found.model, found.note) == ("paper", "alpha unknown: 2 assumed, band of factor 2")
    assert found.low_s == pytest.approx(found.median_s / 2) and found.high_s == pytest.approx(found.median_s * 2)
    wide = useful_range(PROBLEM, bare, kernel, HARDWARE, dense)
    assert wide.high == pytest.approx(0.5) and wide.high_band == (pytest.approx(0.25), pytest.approx(1.0))
    assert wide.reason.endswith("alpha unknown: 2 assumed, band of factor 2")
    declared = project(PROBLEM, 0.1, dataclasses.replace(bare, alpha=1.5), None, HARDWARE, dense)
    assert (declared.note, declared.high_s) == ("", pytest.approx(1.5 * declared.median_s))


@pytest.mark.parametrize("model", ["direct_sparse", "direct_sparse/generated"])
def test_a_whole_network_is_projected_in_50_ms(model, request):
    spec = dataclasses.replace(SPARSE, model=model)
    layers = [layer.problem for layer in load_layers(request.config.rootpath / "conf" / "network" / "resnet50.yaml")]
    mine, dense = modelled(spec), [modelled(DENSE)]

    def whole() -> float:
        start = time.process_time()
        for problem in layers:
            base = fastest_dense(problem, dense, HARDWARE)
            project(problem, 0.1, spec, mine, HARDWARE, base)
        return time.process_time() - start

    useful_range(layers[0], spec, mine, HARDWARE, fastest_dense(layers[0], dense, HARDWARE))
    assert min(whole() for _ in range(5)) < 0.05
