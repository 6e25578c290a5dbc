"""Every kernel and variant against the definition, on awkward problems."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.contract import InputError, Problem

KERNELS = ("direct_sparse", "direct_dense", "im2col_gemm")
# (variant, pixels, height, images). One compilation each: sizes of problems are arguments, so every example after the first is quick.
ROWS = (("rule", 2, 2, None), ("vector16", 3, 1, 1), ("vector8", 2, 4, 1), ("vector4", 1, 2, 1), ("item32", 2, 1, 1), ("item128", 1, 4, 1))
SPARSE = (
    ("staged32", 2, 4, 4),
    ("staged64", 1, 2, 1),
    ("staged64x8", 4, 1, 2),
    ("staged128", 1, 2, 4),
    ("constant64", 2, 1, 4),
    ("cached32", 1, 4, 2),
    ("cached64", 2, 1, 4),
)
DENSE = (("tiled16", 4, 2, 1), ("tiled16", 8, 8, 1))
CASES = [(kernel, *shape) for kernel in KERNELS for shape in ROWS]
GPU_CASES = [("direct_sparse", *shape) for shape in SPARSE] + [(kernel, *shape) for kernel in KERNELS[1:] for shape in DENSE]


@st.composite
def problems(draw: Any) -> Problem:
    """Any kernel, stride, dilation, groups, batch up to 17; padding at the end may be less than at the start."""
    groups = draw(st.sampled_from((1, 1, 2, 3)))
    batch = draw(st.sampled_from((1, 1, 2, 3, 5, 16, 17)))
    sizes: dict[str, int] = {"g": groups, "mb": batch, "ic": groups * draw(st.integers(1, 3)), "oc": groups * draw(st.integers(1, 5))}
    for axis in "hw":
        kernel, dilation, stride = draw(st.integers(1, 5)), draw(st.integers(0, 2)), draw(st.sampled_from((1, 1, 2, 3, 7)))
        span = (kernel - 1) * (dilation + 1) + 1
        padding = draw(st.integers(0, 4))
        size = draw(st.integers(max(1, span - 2 * padding), max(1, span - 2 * padding) + 18))
        most = (size + 2 * padding - span) // stride + 1
        least = max(1, (size + padding - span) // stride + 1)
        out = draw(st.integers(least, most)) if least <= most else most
        names = ("i", "k", "s", "p", "d", "o")
        sizes |= {f"{name}{axis}": value for name, value in zip(names, (size, kernel, stride, padding, dilation, out), strict=True)}
    return Problem(**sizes)


def examples(count: int) -> Any:
    return settings(max_examples=count, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


def draw_and_check(check: Any, data: Any, kernel: str, **options: Any) -> None:
    density = data.draw(st.sampled_from((0.0, 0.05, 0.3, 0.9, 1.0)))
    seed, bias, relu = data.draw(st.integers(0, 99)), data.draw(st.booleans()), data.draw(st.booleans())
    check(data.draw(problems()), kernel, density, seed, bias, relu, **options)


@pytest.mark.parametrize(("kernel", "variant", "pixels", "height", "images"), CASES)
@given(data=st.data())
@examples(60)
def test_matches_the_definition(
    check: Any, widest: int, kernel: str, variant: str, pixels: int, height: int, images: int | None, data: Any
) -> None:
    if variant == "vector16" and widest < 16:
        pytest.skip(f"this device takes vectors of at most {widest} floats")
    variant = "" if variant == "rule" else variant
    draw_and_check(check, data, kernel, variant=variant, pixels=pixels, height=height, images=images)


@pytest.mark.parametrize(("kernel", "variant", "pixels", "height", "images"), GPU_CASES)
@given(data=st.data())
@examples(40)
def test_variants_for_gpus_match_the_definition(
    check: Any, kernel: str, variant: str, pixels: int, height: int, images: int, data: Any
) -> None:
    draw_and_check(check, data, kernel, variant=variant, pixels=pixels, height=height, images=images)


@pytest.mark.parametrize(("pixels", "height", "images"), [(1, 8, 1), (2, 16, 4), (1, 32, 2)])
@given(data=st.data())
@examples(4)
def test_generated_source_matches_the_definition(check: Any, pixels: int, height: int, images: int, data: Any) -> None:
    draw_and_check(check, data, "direct_sparse", variant="literal64", pixels=pixels, height=height, images=images)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    "text",
    [
        "ic3ih9oc5kh3ph1",
        "g2mb3ic6ih13oc10kh3ph1",
        "g4mb2ic4ih8oc4kh3ph1",
        "mb17ic2ih5oc3kh1",
        "ic3ih35oc4kh11sh4",
        "ic3ih5iw200oc2kh1kw1",
        "ic1ih9oc1kh1sh100ph3",
        "ic2ih1oc2kh3ph9",
        "ic2ih6iw3oc3oh3ow2kh3kw3sh2sw2ph2pw2",
        "mb2ic2ih7oc3kh7ph3dh1",
    ],
)
def test_the_rule_picks_a_right_variant(check: Any, kernel: str, text: str) -> None:
    check(Problem.parse(text), kernel, 0.4, relu=True)


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_batch_to_17(check: Any, kernel: str) -> None:
    for batch in range(1, 18):
        check(Problem.parse("g2ic6ih7iw5oc10kh3kw3ph1pw1").with_batch(batch), kernel, 0.3, seed=batch, relu=True)


@pytest.mark.parametrize(("variant", "pixels", "height", "images"), SPARSE)
def test_every_batch_to_17_in_vectors_of_images(check: Any, variant: str, pixels: int, height: int, images: int) -> None:
    for batch in range(1, 18):
        problem = Problem.parse("ic3ih7iw5oc10kh3kw3ph1pw1").with_batch(batch)
        check(problem, "direct_sparse", 0.3, seed=batch, variant=variant, pixels=pixels, height=height, images=images)


def test_nan_of_the_input_reaches_the_output(backend: Any) -> None:
    problem = Problem.parse("ic1ih4oc1kh1")
    x = np.ones(problem.input_shape, np.float32)
    x[0, 0, 1, 2] = np.nan
    for kernel in KERNELS:
        y = backend.prepare(problem, np.ones(problem.weight_shape, np.float32), kernel, relu=True).run(x)
        assert np.isnan(y[0, 0, 1, 2])
        assert np.isfinite(np.delete(y.ravel(), 6)).all()


def test_rows_without_weights_give_the_bias(backend: Any) -> None:
    problem = Problem.parse("ic2ih5oc3kh3ph1")
    bias = np.array([1, -2, 3], np.float32)
    y = backend.prepare(problem, np.zeros(problem.weight_shape, np.float32), bias=bias).run(np.ones(problem.input_shape, np.float32))
    assert (y == bias[:, None, None]).all()


@pytest.mark.parametrize("kernel", KERNELS)
def test_weights_and_bias_that_are_not_finite_are_refused(backend: Any, kernel: str) -> None:
    problem = Problem.parse("ic1ih4oc2kh1")
    weight, bias = np.ones(problem.weight_shape, np.float32), np.zeros(2, np.float32)
    bias[1], broken = np.inf, weight.copy()
    broken[1, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match=r"weight\[1, 0, 0, 0\] is nan; allowed: finite numbers"):
        backend.prepare(problem, broken, kernel)
    with pytest.raises(InputError, match=r"bias\[1\] is inf; allowed: finite numbers"):
        backend.prepare(problem, weight, kernel, bias=bias)


def test_a_plan_keeps_its_own_weights_and_earlier_results(backend: Any) -> None:
    problem = Problem.parse("ic2ih5oc3kh3ph1")
    weight, x = np.ones(problem.weight_shape, np.float32), np.ones(problem.input_shape, np.float32)
    plan = backend.prepare(problem, weight)
    first = plan.run(x)
    kept = first.copy()
    weight[:] = 7
    assert (plan.run(2 * x) == 2 * kept).all()
    assert (first == kept).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "warp"}, "variant is 'warp'; allowed: vector16, "),
        ({"pixels": 99}, "no variant has these tuning parameters; allowed: vector16: pixels"),
        ({"variant": "tiled16"}, "variant is 'tiled16'; allowed for a sparse kernel: vector16, "),
        ({"images": 3}, "no variant has these tuning parameters; allowed: vector16: pixels"),
        ({"height": "two"}, "height is 'two'; allowed: 1, 2, 4"),
        ({"tiles": 3}, "has no option 'tiles'; allowed: variant, pixels, height, images, tune"),
    ],
)
def test_options_that_do_not_fit_are_named(backend: Any, options: dict[str, Any], message: str) -> None:
    problem = Problem.parse("ic1ih4oc1kh1")
    with pytest.raises(InputError, match=message):
        backend.prepare(problem, np.ones(problem.weight_shape, np.float32), **options)
