"""Every kernel, variant and instruction set against the convolution in double precision."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.cpu.backend import CpuBackend
from backends.cpu.isa import builds, isa_names
from backends.cpu.planner import Planner
from backends.cpu.plugin import CpuConfig
from perfmodel.errors import InputError
from perfmodel.problem import Problem
from tests.backends.cpu.cpu_cases import Case, cases, make_case

KERNELS = ("direct_sparse", "direct_dense")
FORCED = [(isa, variant) for isa in isa_names() for variant in Planner(isa, 1).names()]


def backend(isa: str, threads: int = 1) -> CpuBackend:
    return CpuBackend(CpuConfig(name="cpu", isa=isa), threads)


def check(case: Case, isa: str, kernel: str, threads: int = 1, **options: object) -> bool:
    """Run and compare; False where a forced variant cannot take the problem."""
    try:
        plan = backend(isa, threads).prepare(case.problem, case.weight, kernel, bias=case.bias, relu=case.relu, **options)
    except InputError as error:
        assert "no tile wide enough" in str(error) or "dense weights have no pattern" in str(error)
        return False
    out = np.full(case.problem.output_shape, np.nan, np.float32)
    plan.run(case.x, out)
    np.testing.assert_array_equal(out, case.expected(), err_msg=f"{case.problem} {isa} {kernel} {plan.explain()}")
    return True


@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=250, deadline=None, derandomize=True)
@given(case=cases(), threads=st.integers(1, 3))
def test_any_problem(kernel: str, case: Case, threads: int) -> None:
    for isa in isa_names():
        assert check(case, isa, kernel, threads)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("isa", "variant"), FORCED)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(case=cases())
def test_each_variant_forced(kernel: str, isa: str, variant: str, case: Case) -> None:
    check(case, isa, kernel, variant=variant)


SHAPES = [
    "ic3ih35oc5kh11sh4",  # first layer of AlexNet in small
    "ic2ih224oc3kh3ph1",
    "ic3ih40oc4kh7sh2ph3",
    "ic20ih7oc9kh3ph1",
    "ic40ih14oc6kh1",
    "ic5ih1iw90oc4kh1kw9ph0pw4",
    "ic5ih90iw1oc4kh9kw1ph4pw0",
    "ic4ih17oc4kh3ph4dh3",
    "mb16ic6ih13oc5kh3ph1",
    "mb3ic6ih1iw1oc5kh1kw1",
    "ic8ih9oc8kh2",
    "g4ic4ih15oc8kh3ph1",
]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("text", SHAPES)
def test_known_shapes_with_every_variant(kernel: str, text: str) -> None:
    case = make_case(Problem.parse(text), bias=True, relu=True)
    done = [check(case, isa, kernel, variant=variant) for isa, variant in FORCED]
    assert any(done)


@pytest.mark.parametrize("density", [0.0, 1.0])
@pytest.mark.parametrize("kernel", KERNELS)
def test_no_and_all_weights(kernel: str, density: float) -> None:
    case = make_case(Problem.parse("ic9ih13oc7kh3ph1"), density, bias=True)
    for isa in isa_names():
        assert check(case, isa, kernel)


def test_one_plan_from_many_threads() -> None:
    case = make_case(Problem.parse("mb2ic16ih13oc24kh3ph1"))
    for threads in (1, 2):
        plan = backend("auto", threads).prepare(case.problem, case.weight)
        inputs = [np.roll(case.x, i, axis=1) for i in range(8)]
        with ThreadPoolExecutor(4) as pool:
            outputs = list(pool.map(plan.run, inputs * 5))
        for x, y in zip(inputs * 5, outputs, strict=True):
            np.testing.assert_array_equal(y, case._replace(x=x).expected())


def test_weights_are_copied() -> None:
    case = make_case(Problem.parse("ic4ih9oc4kh3ph1"), bias=True)
    weight, bias = case.weight.copy(), case.bias.copy()  # type: ignore[union-attr]
    plan = backend("auto").prepare(case.problem, weight, bias=bias)
    weight[:], bias[:] = 7, 7
    np.testing.assert_array_equal(plan.run(case.x), case.expected())


def test_several_builds_on_x86() -> None:
    assert builds()[-1].isa == "portable"
    assert len({build.isa for build in builds()}) == len(isa_names())
