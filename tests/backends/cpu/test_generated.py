"""Generated code: strips of every length, threads, refusals and what the plan says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.cpu import _kernels, generated
from backends.cpu.backend import CpuBackend
from backends.cpu.choice import problem_fields
from backends.cpu.plugin import CpuConfig
from perfmodel.errors import InputError
from perfmodel.problem import Problem
from tests.backends.cpu.cpu_cases import Case, cases, make_case

OBSTACLE = _kernels.obstacle()
needs_code = pytest.mark.skipif(OBSTACLE is not None, reason=f"no generated code here: {OBSTACLE}")
BANDS_OBSTACLE = _kernels.bands_obstacle()
needs_bands = pytest.mark.skipif(BANDS_OBSTACLE is not None, reason=f"no generated code for AVX2 here: {BANDS_OBSTACLE}")


def backend(isa: str = "auto", threads: int = 1) -> CpuBackend:
    return CpuBackend(CpuConfig(name="cpu", isa=isa), threads)


def check(case: Case, threads: int, strip_tiles: int, parts: int) -> dict[str, float]:
    handle = _kernels.generate(problem_fields(case.problem), case.weight, case.bias, case.relu, threads, strip_tiles, parts)
    return run_twice(handle, case, f"threads {threads} strip {strip_tiles} parts {parts}")


def check_bands(case: Case, threads: int, columns: int, part: int) -> dict[str, float]:
    handle = _kernels.generate_bands(problem_fields(case.problem), case.weight, case.bias, case.relu, threads, columns, part)
    return run_twice(handle, case, f"threads {threads} columns {columns} part {part}")


def run_twice(handle: _kernels.PlanHandle, case: Case, what: str) -> dict[str, float]:
    out = np.full(case.problem.output_shape, np.nan, np.float32)
    for _ in range(2):
        _kernels.run(handle, case.x, out)
        np.testing.assert_array_equal(out, case.expected(), err_msg=f"{case.problem} {what}")
    return _kernels.info(handle)


@needs_code
@settings(max_examples=300, deadline=None, derandomize=True)
@given(case=cases(), threads=st.integers(1, 5), strip_tiles=st.integers(0, 4), parts=st.integers(0, 3))
def test_any_problem_in_strips_and_parts(case: Case, threads: int, strip_tiles: int, parts: int) -> None:
    check(case, threads, strip_tiles, parts)


@needs_code
@pytest.mark.parametrize(
    ("text", "density"),
    [
        ("ic40ih14oc61kh3ph1", 0.1),  # three blocks of channels of unequal size
        ("ic5ih30oc28kh5ph2", 1.0),  # more values in one channel than a small displacement reaches
        ("ic600ih9oc30kh3ph1", 0.02),  # planes further apart than a small displacement reaches
        ("ic3ih61oc96kh11sh4", 0.5),  # sixteen stride phases
        ("ic64ih40oc3kh3ph1", 0.3),  # several vectors a tile
        ("g24ic24ih19oc24kh3ph1", 0.7),  # one channel a group
        ("mb3ic8ih6oc40kh1", 0.4),  # an image as one row
        ("ic4ih33oc9kh3sh2ph1dh1", 0.5),
    ],
)
def test_code_that_reaches_far(text: str, density: float) -> None:
    case = make_case(Problem.parse(text), density, bias=True, relu=True)
    for threads, strip_tiles, parts in ((1, 0, 0), (3, 0, 0), (1, 2, 0), (1, 0, 4), (2, 3, 2)):
        check(case, threads, strip_tiles, parts)


@needs_bands
@settings(max_examples=300, deadline=None, derandomize=True)
@given(case=cases(), threads=st.integers(1, 5), columns=st.integers(0, 12), part=st.integers(0, 3))
def test_any_problem_in_bands(case: Case, threads: int, columns: int, part: int) -> None:
    check_bands(case, threads, columns, part)


@needs_bands
@pytest.mark.parametrize(
    ("text", "density"),
    [
        ("ic40ih28oc61kh3ph1", 0.1),  # blocks of unequal size, strips and parts
        ("ic30ih13oc64kh3ph1", 0.3),  # a band as one row
        ("ic16ih56oc13kh3ph1", 0.2),  # bands of whole rows
        ("ic7ih27oc20kh5ph2", 1.0),  # four values a channel and tap at most
        ("ic3ih61oc96kh11sh4", 0.5),  # sixteen stride phases
        ("ic64ih40oc3kh3ph1", 0.3),  # fewer channels than a block
        ("g24ic24ih19oc24kh3ph1", 0.7),
        ("mb3ic90ih6oc40kh1", 0.4),  # neighbouring pixels in the lanes
        ("ic4ih33oc9kh3sh2ph1dh1", 0.5),
        ("ic3ih5iw3oc14kh3kw3ph2pw2", 0.6),  # rows shorter than the four columns that are written at a time
    ],
)
def test_bands_that_reach_far(text: str, density: float) -> None:
    case = make_case(Problem.parse(text), density, bias=True, relu=True)
    for threads, columns, part in ((1, 0, 0), (3, 0, 0), (1, 2, 0), (1, 0, 4), (2, 6, 2), (1, 7, 1)):
        check_bands(case, threads, columns, part)


@needs_bands
@pytest.mark.parametrize(
    ("text", "density"),
    [
        ("ic64ih14oc20kh1", 0.2),  # every second channel aligned, four pixels in the last tile
        ("mb2g3ic57ih6oc39kh1", 0.5),  # twelve, and groups that begin at odd channels
        ("ic300ih18oc9kh1", 0.1),
        ("ic30ih2oc7kh1", 0.5),  # one tile that is not whole
        ("g2ic40ih7oc26kh1", 0.3),  # channels at every distance from a vector's border
        ("ic20ih16oc13kh1", 0.3),  # whole tiles only
        ("ic9ih5iw8oc13kh1kw1", 0.6),  # whole vectors only
        ("ic17ih1oc11kh1", 0.5),
    ],
)
def test_rows_of_pixels(text: str, density: float) -> None:
    for bias, relu in ((True, True), (False, False), (True, False)):
        case = make_case(Problem.parse(text), density, bias=bias, relu=relu)
        for threads, columns, part in ((1, 0, 0), (3, 0, 0), (1, 2, 0), (1, 0, 5), (2, 4, 2), (1, 6, 1)):
            check_bands(case, threads, columns, part)


@needs_bands
@pytest.mark.parametrize("text", ["ic10ih14oc8kh1", "ic10ih12oc8kh1", "ic6ih9oc8kh3ph1"])
def test_arrays_that_begin_anywhere_in_a_vector(text: str) -> None:
    case = make_case(Problem.parse(text), 0.5, bias=True)
    handle = _kernels.generate_bands(problem_fields(case.problem), case.weight, case.bias, case.relu, 1, 0, 4)
    for shift in range(8):
        x, y = (np.full(size + 24, np.nan, np.float32) for size in (case.x.size, case.expected().size))
        first = -x.ctypes.data // 4 % 8 + shift
        last = -y.ctypes.data // 4 % 8 + (3 * shift) % 8
        x[first : first + case.x.size] = case.x.ravel()
        y[:] = -1
        inner, out = (
            a[i : i + n].reshape(s)
            for a, i, n, s in ((x, first, case.x.size, case.x.shape), (y, last, y.size - 24, case.problem.output_shape))
        )
        _kernels.run(handle, inner, out)
        np.testing.assert_array_equal(out, case.expected())
        assert (y[:last] == -1).all()
        assert (y[last + out.size :] == -1).all()


@pytest.mark.parametrize("isa", [isa for isa in generated.ISAS if generated.generates(isa)])
def test_special_values_pass_through(isa: str) -> None:
    problem = Problem.parse("ic1ih4oc2kh1")
    weight = np.array([1, 0], np.float32).reshape(2, 1, 1, 1)
    x = np.array([np.nan, np.inf, -np.inf, -1] * 4, np.float32).reshape(1, 1, 4, 4)
    y = backend(isa).prepare(problem, weight, variant=generated.VARIANT, relu=True).run(x)
    np.testing.assert_array_equal(y[0, 0], np.array([[np.nan, np.inf, 0, 0]] * 4, np.float32))
    np.testing.assert_array_equal(y[0, 1], 0)


@needs_code
def test_default_on_avx512_and_explained() -> None:
    case = make_case(Problem.parse("ic32ih28oc64kh3ph1"), 0.1)
    plan = backend("avx512").prepare(case.problem, case.weight)
    assert plan.variant == generated.VARIANT
    text = plan.explain()
    for word in ("non-zeros", "bytes each", "lanes", "strips", "bound: multiply-adds"):
        assert word in text


@needs_bands
def test_avx2_takes_what_the_estimates_prefer() -> None:
    case = make_case(Problem.parse("ic64ih56oc96kh3ph1"), 0.1)
    plan = backend("avx2").prepare(case.problem, case.weight)
    assert plan.variant == generated.VARIANT
    text = plan.explain()
    for word in ("non-zeros", "bytes each", "lanes", "outputs apart", "strips", "bound: multiply-adds"):
        assert word in text
    few = make_case(Problem.parse("ic64ih7oc2kh3ph1"), 0.5)
    assert backend("avx2").prepare(few.problem, few.weight).variant != generated.VARIANT


def test_other_instruction_sets_say_why_not() -> None:
    case = make_case(Problem.parse("ic4ih9oc4kh3ph1"))
    with pytest.raises(
        InputError, match="variant 'generated' cannot be used: code is generated for avx512 and avx2 only, not for portable"
    ):
        backend("portable").prepare(case.problem, case.weight, variant=generated.VARIANT)
    assert backend("portable").prepare(case.problem, case.weight).variant != generated.VARIANT


@needs_code
def test_refused_memory_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("this system refuses to make generated code executable: Permission denied")

    monkeypatch.setattr(_kernels, "generate", refuse)
    case = make_case(Problem.parse("ic4ih9oc4kh3ph1"))
    plan = backend("avx512").prepare(case.problem, case.weight)
    assert plan.variant != generated.VARIANT
    np.testing.assert_array_equal(plan.run(case.x), case.expected())
    with pytest.raises(InputError, match="refuses to make generated code executable"):
        backend("avx512").prepare(case.problem, case.weight, variant=generated.VARIANT)


@needs_code
def test_code_beyond_the_last_cache_is_not_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(generated._CODE_BYTES, "avx512", 1 << 40)
    case = make_case(Problem.parse("ic4ih9oc4kh3ph1"))
    assert backend("avx512").prepare(case.problem, case.weight).variant != generated.VARIANT
    assert backend("avx512").prepare(case.problem, case.weight, variant=generated.VARIANT).variant == generated.VARIANT


@needs_code
def test_images_side_by_side_on_the_smallest_maps() -> None:
    for text, expected in (("mb16ic8ih1oc8kh1", False), ("mb2ic8ih1oc8kh1", True), ("mb16ic8ih4oc8kh1", True)):
        case = make_case(Problem.parse(text))
        assert (backend("avx512").prepare(case.problem, case.weight).variant == generated.VARIANT) is expected
