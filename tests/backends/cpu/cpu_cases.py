"""Awkward convolutions and exact data for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from backends.reference.backend import convolve
from perfmodel.problem import Problem

Array = NDArray[np.float32]


class Case(NamedTuple):
    """A problem with its operands; small integers, so that float32 sums are exact."""

    problem: Problem
    x: Array
    weight: Array
    bias: Array | None
    relu: bool

    def expected(self) -> Array:
        """The convolution in double precision, with bias and ReLU."""
        y = convolve(self.problem, self.x, self.weight)
        if self.bias is not None:
            y += self.bias[:, None, None]
        return (np.maximum(y, 0) if self.relu else y).astype(np.float32)


def make_case(problem: Problem, density: float = 0.3, seed: int = 3, bias: bool = False, relu: bool = False) -> Case:
    """Random operands for ``problem``; some output channels have no weights at all."""
    rng = np.random.default_rng(seed)
    weight = (
        rng.integers(1, 9, problem.weight_shape) * rng.choice([-1, 1], problem.weight_shape) * (rng.random(problem.weight_shape) < density)
    )
    if density < 1:
        weight[rng.random(problem.oc) < 0.2] = 0
    x = rng.integers(-8, 9, problem.input_shape)
    b = rng.integers(-8, 9, problem.oc).astype(np.float32) if bias else None
    return Case(problem, x.astype(np.float32), weight.astype(np.float32), b, relu)


def cpu_seconds(call: Callable[[], object]) -> float:
    """CPU time that ``call`` takes of this thread; time that other programs have the CPU does not count."""
    start = time.thread_time()
    call()
    return time.thread_time() - start


@st.composite
def _axis(draw: st.DrawFn, most: int) -> tuple[int, int, int, int, int, int]:
    """Input, output, kernel, stride, padding and dilation of one axis."""
    kernel, stride, dilation = (
        draw(st.sampled_from([1, 1, 2, 3, 3, 5, 7, 11])),
        draw(st.sampled_from([1, 1, 1, 2, 3, 4])),
        draw(st.integers(0, 2)),
    )
    padding = draw(st.integers(0, 4))
    span = (kernel - 1) * (dilation + 1) + 1
    size = draw(st.integers(max(1, span - 2 * padding), most + span))
    largest = (size + 2 * padding - span) // stride + 1
    smallest = max(1, (size + padding - span) // stride + 1)
    return size, draw(st.integers(smallest, largest)), kernel, stride, padding, dilation


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any problem with its operands: groups, batches, strides, dilation, uneven padding, densities 0 to 1."""
    g, mb = draw(st.sampled_from([1, 1, 2, 3])), draw(st.sampled_from([1, 1, 2, 5]))
    ic, oc = g * draw(st.integers(1, 7)), g * draw(st.integers(1, 9))
    ih, oh, kh, sh, ph, dh = draw(_axis(12))
    iw, ow, kw, sw, pw, dw = draw(_axis(40))
    problem = Problem(g, mb, ic, ih, iw, oc, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw)
    density = draw(st.sampled_from([0.0, 0.05, 0.3, 1.0]))
    return make_case(problem, density, draw(st.integers(0, 2**20)), draw(st.booleans()), draw(st.booleans()))
