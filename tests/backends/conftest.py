"""Checks that every dense engine's tests share: awkward problems against the float64 reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends.reference.backend import convolve
from harness.contract import Backend, InputError, Problem

AWKWARD = (
    "ic3ih7oc4kh3ph1",
    "g2ic4ih9oc6kh3ph1sh2",
    "ic5ih11iw8oc7kh3kw2sh2sw1ph1pw0",
    "ic2ih12oc3kh3dh1ph2",
    "g4ic4ih8oc4kh3ph1",
    "mb15ic3ih5oc2kh1",
    "mb17ic4ih6iw7oc5kh3kw3ph1pw1",
    "ic6ih1iw20oc4kh1kw5ph0pw2",
    "ic3ih10oh9oc2kh3ph1",
    "ic3ih9iw9oc2oh8ow9kh3kw3sh1sw1ph1pw1",
    "ic3ih9oc2oh4kh3sh2ph1dh1",
    "ic3ih8oc2oh3kh3sh3ph2",
    "ic3ih2oc3kh5ph2",
    "ic8ih6oc16kh1",
    "ic8ih7oc5kh1sh3",
    "ic1ih1oc1kh1",
    "ic2ih4oc2kh1ph1",
    "g2ic6ih5oc4kh3dh2ph3sh2",
    "ic24ih19oc40kh3ph1",
)

Agreement = Callable[..., None]


@pytest.fixture(params=AWKWARD)
def awkward(request: pytest.FixtureRequest) -> Problem:
    """Stride, dilation, groups, 1xN, odd batches, less padding at the end, kernels larger than the input."""
    return Problem.parse(request.param)


@pytest.fixture
def agrees(rng: np.random.Generator) -> Agreement:
    """A function that holds one plan against the reference, with bias and ReLU, with and without ``out``."""

    def check(
        backend: Backend, problem: Problem, kernel: str, density: float = 0.6, bias: bool = True, relu: bool = True, **options: Any
    ) -> None:
        weight = random_weight(rng, problem, density)
        x = rng.standard_normal(problem.input_shape, np.float32)
        b = rng.standard_normal(problem.oc, np.float32) if bias else None
        added = np.zeros(problem.oc) if b is None else b.astype(np.float64)
        plan = backend.prepare(problem, weight, kernel, bias=b, relu=relu, **options)
        expected = convolve(problem, x, weight) + added[:, None, None]
        scale = convolve(problem, np.abs(x), np.abs(weight)) + np.abs(added)[:, None, None] + 1e-6
        wanted = np.maximum(expected, 0) if relu else expected
        first = plan.run(x)
        before = first.copy()
        out = np.full(problem.output_shape, np.nan, np.float32)
        assert plan.run(x, out) is out
        for y in (first, out):
            assert np.max(np.abs(y - wanted) / scale) < 2e-5
        assert np.array_equal(first, before), "an earlier result was overwritten"

    return check


def random_weight(rng: np.random.Generator, problem: Problem, density: float) -> np.ndarray:
    """Normal weights of which about ``density`` stay."""
    weight = rng.standard_normal(problem.weight_shape, np.float32)
    weight[rng.random(problem.weight_shape) >= density] = 0
    return weight


@pytest.fixture
def refuses(rng: np.random.Generator) -> Callable[[Backend, str], None]:
    """A function that holds a plan to its messages about wrong arrays."""

    def check(backend: Backend, kernel: str) -> None:
        problem = Problem.parse("ic3ih7oc4kh3ph1")
        weight = random_weight(rng, problem, 1.0)
        plan = backend.prepare(problem, weight, kernel)
        x = np.ones(problem.input_shape, np.float32)
        for wrong, words in (
            (x.astype(np.float64), "float64"),
            (x[:, :2], "shape"),
            (np.ones((1, 3, 7, 14), np.float32)[..., ::2], "C-contiguous"),
            (x.tolist(), "list"),
        ):
            with pytest.raises(InputError, match=words):
                plan.run(wrong)
        with pytest.raises(InputError, match="out has shape"):
            plan.run(x, np.empty((1, 4, 7, 6), np.float32))
        with pytest.raises(InputError, match="weight has shape"):
            backend.prepare(problem, weight[:3], kernel)
        with pytest.raises(InputError, match="no option 'speed'"):
            backend.prepare(problem, weight, kernel, speed=9)
        x.setflags(write=False)
        np.testing.assert_array_equal(plan.run(x), plan.run(x.copy()))

    return check


@pytest.fixture
def shares(rng: np.random.Generator) -> Callable[[Backend, str], None]:
    """A function that runs one plan from several Python threads at once."""
    from concurrent.futures import ThreadPoolExecutor

    def check(backend: Backend, kernel: str) -> None:
        problem = Problem.parse("g2mb2ic8ih17oc12kh3ph1")
        plan = backend.prepare(problem, random_weight(rng, problem, 0.5), kernel, bias=np.ones(12, np.float32))
        inputs = [rng.standard_normal(problem.input_shape, np.float32) for _ in range(8)]
        alone = [plan.run(x) for x in inputs]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(plan.run, inputs * 5))
        for index, y in enumerate(together):
            np.testing.assert_allclose(y, alone[index % 8], rtol=1e-5, atol=1e-5)

    return check
