"""The model of the sparse kernel on CPU devices: its counts against the planner's and against plain loops."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from backends.opencl.model import PlanesSparse, _packing, planned
from backends.opencl.planes import Planes
from perfmodel import Hardware, Problem, Quantity
from perfmodel.calibrate import Sample, calibrate
from perfmodel.kernel import KernelParameters
from perfmodel.methods.registry import find_model
from perfmodel.probes import probe_design

SHAPE = KernelParameters(lanes=16, tile=30, layouts=("flat",))
MACHINE = Hardware(
    "v", "d", numbers={"peak_flops": Quantity(1e11, "FLOP/s"), "bandwidth": Quantity(2e10, "B/s"), "call_overhead": Quantity(2e-6, "s")}
)
AWKWARD = (
    "ic3ih7oc5kh3ph1",
    "g2mb3ic6ih9iw13oc4kh3kw5ph1pw2",
    "mb2ic5ih11oc3kh3sh2ph1",
    "ic4ih14iw10oc7kh5kw3sh3sw2ph2",
    "ic2ih20oc2kh3ph2dh1",
    "mb2ic8ih6oc8kh1",
    "ic2ih8oc3kh2sh2",
    "ic3ih5oc2kh7ph3",
)


def packed_one_by_one(p: Problem) -> tuple[int, int, int]:
    """Work-items, rows and single floats of pack.cl, by its own loops over every place of every plane."""
    planes = Planes(p, 0)
    items = rows = single = 0
    for a, b in planes.phases:
        items += p.mb * p.ic
        for y in range(planes.rows):
            if not 0 <= y * p.sh + a - p.ph < p.ih:
                continue
            inside = sum(0 <= x * p.sw + b - p.pw < p.iw for x in range(min(planes.columns, planes.pitch)))
            rows += p.mb * p.ic
            single += p.mb * p.ic * (inside % 8 if p.sw == 1 else inside)
    return items, rows, single


@pytest.mark.parametrize("text", AWKWARD)
def test_packing_is_counted_as_the_kernel_loops(text: str) -> None:
    problem = Problem.parse(text)
    assert tuple(_packing(problem)) == packed_one_by_one(problem)


@pytest.mark.parametrize("text", [*AWKWARD, "mb4ic64ih28oc64kh3ph1", "ic256ih13oc384kh3ph1", "mb16ic512ih7oc128kh1"])
def test_counts_are_finite_and_time_grows_with_density(text: str) -> None:
    problem, model = Problem.parse(text), PlanesSparse()
    assert model.flops(problem, 0.25) == problem.flops / 4
    assert set(model.traffic(problem, 0.25)) == {"memory", "l2"}
    seconds = []
    for density in (0.0, 0.02, 0.1, 0.3, 0.5):
        terms = model.terms(problem, density, SHAPE)
        assert set(terms) == set(model.kinds)
        assert all(np.isfinite(count) and count >= 0 for count in terms.values())
        seconds.append(model.seconds(problem, density, MACHINE, SHAPE).seconds)
    # Without non-zeros the rule takes the narrowest tile; another tile may cost a little less by these costs, not the rule's.
    assert all(later > 0.95 * earlier for earlier, later in itertools.pairwise(seconds[1:]))


def test_arrays_that_stay_in_the_caches_cost_no_memory() -> None:
    small = PlanesSparse().terms(Problem.parse("ic64ih14oc64kh3ph1"), 0.1, SHAPE)
    large = PlanesSparse().terms(Problem.parse("mb16ic64ih56oc256kh1"), 0.1, SHAPE)
    assert small["memory"] == 0
    assert large["memory"] > 3 * 4 * 16 * 256 * 56 * 56 * 0.9


def test_calibration_finds_the_costs_behind_synthetic_times() -> None:
    model = PlanesSparse()
    true = {name: 1.7 * cost for name, cost in model.first_costs(MACHINE, SHAPE).items()}
    probes = probe_design(model, SHAPE, MACHINE, 60)
    work = [sum(true[name] * count for name, count in model.terms(p.problem, p.density, SHAPE).items()) for p in probes]
    samples = [Sample(p.problem, p.density, flop / 1e11, 1e11) for p, flop in zip(probes, work, strict=True)]
    found = calibrate(model, samples, SHAPE, MACHINE)
    assert found.lanes == 16
    assert found.band is not None
    assert 0.9 < found.band[0] <= found.band[1] < 1.1
    layer = Problem.parse("ic128ih28oc128kh3ph1")
    wanted = sum(true[name] * count for name, count in model.terms(layer, 0.1, SHAPE).items()) / 1e11
    assert model.seconds(layer, 0.1, MACHINE, found).seconds == pytest.approx(wanted, rel=0.05)


def test_a_stored_calibration_finds_the_model_without_opening_opencl() -> None:
    assert isinstance(find_model("backends.opencl.model:PlanesSparse"), PlanesSparse)
    code = "import backends.opencl.model, sys; sys.exit('pyopencl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_cpu_device_gets_this_model_with_its_own_vectors(backend: Any) -> None:
    sparse = [spec for spec in backend.kernels() if spec.sparse]
    assert [spec.name for spec in backend.kernels()] == [spec.name for spec in backend.specs]
    if not backend._session.is_cpu:
        pytest.skip("needs a CPU device")
    assert [spec.model for spec in sparse] == ["backends.opencl.model:PlanesSparse"]
    assert sparse[0].parameters is not None
    assert sparse[0].parameters.lanes == backend._session.vector_width


def test_the_modelled_choice_is_the_one_prepared(backend: Any) -> None:
    """Zeros fall by chance, so where two choices cost nearly the same the other one may be prepared."""
    session = backend._session
    if not session.is_cpu:
        pytest.skip("needs a CPU device")
    same, rng = 0, np.random.default_rng(7)
    texts = ("ic64ih14oc64kh3ph1", "ic128ih14oc32kh1", "g2mb2ic32ih10oc48kh3ph1", "ic32ih28oc32kh3sh2ph1")
    for text in texts:
        problem = Problem.parse(text)
        weight = rng.standard_normal(problem.weight_shape).astype(np.float32) * (rng.random(problem.weight_shape) < 0.1)
        plan = backend.prepare(problem, weight.astype(np.float32), "direct_sparse")
        same += plan.choice == planned(problem, plan.density, session.vector_width)
    assert same >= 3
