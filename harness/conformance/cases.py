"""Problems that break kernels: drawn at random within a kernel's limits, and a fixed list of awkward ones."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st

from harness.conformance.oracle import Expected, expected
from harness.contract import Limits, Problem
from harness.contract.plan import Array

Pattern = Literal["uniform", "empty rows", "one row", "single"]

AWKWARD = (
    'ic1ih1oc1kh1n"one pixel"',
    'mb15ic3ih6oc5kh3ph1n"batch 15"',
    'mb17ic3ih6oc5kh3ph1n"batch 17"',
    'g6ic6ih9oc6kh3ph1n"depthwise"',
    'g6ic6ih9oc12kh3sh2ph1n"depthwise, two outputs a channel"',
    'g3ic12ih7oc9kh1n"grouped 1x1"',
    'ic2ih3oc3kh2ph5n"padding wider than the kernel"',
    'ic3ih10oc4kh1sh3n"stride wider than the kernel"',
    'ic3ih5oc4kh5n"kernel as large as the input"',
    'ic2ih13oc4kh3ph2dh1sh2n"dilated, strided, padded"',
    'ic3ih14oc4oh7kh3sh2ph1n"less padding at the end"',
    'ic2ih1iw131oc3oh1ow131kh1kw3ph0pw1n"one long row"',
    'ic2ih67iw1oc3oh67ow1kh3kw1ph1pw0n"one long column"',
    'ic3ih35oc4kh11sh4n"AlexNet conv1, small"',
    'ic17ih9oc33kh3ph1n"channels past a tile"',
    'ic31ih16oc65kh3ph1n"channels short of a tile"',
    'ic2ih7iw9oc3oh4ow3kh4kw2sh2sw4ph2pw1dh0dw1n"nothing square"',
)


@dataclass(frozen=True)
class Case:
    """A problem with its data, all of it derived from ``seed``: same case, same arrays."""

    problem: Problem
    density: float = 1.0
    pattern: Pattern = "uniform"
    bias: bool = False
    relu: bool = False
    seed: int = 1

    def weight(self) -> Array:
        """Float32 OIHW weights with this density and pattern of zeros."""
        generator = np.random.default_rng([self.seed, 1])
        shape = self.problem.weight_shape
        weight = generator.standard_normal(shape).astype(np.float32)
        keep = generator.random(shape) < self.density
        if self.pattern == "empty rows":
            keep[generator.random(shape[0]) < 0.5] = False
        elif self.pattern == "one row":
            keep[...] = False
            keep[generator.integers(shape[0])] = True
        elif self.pattern == "single":
            keep[...] = False
            keep.flat[generator.integers(keep.size)] = True
        return np.where(keep, weight, np.float32(0))

    def bias_values(self) -> Array | None:
        """Float32 bias, or None."""
        return np.random.default_rng([self.seed, 2]).standard_normal(self.problem.oc).astype(np.float32) if self.bias else None

    def x(self) -> Array:
        """Float32 NCHW input."""
        return np.random.default_rng([self.seed, 3]).standard_normal(self.problem.input_shape).astype(np.float32)


@functools.lru_cache(maxsize=2000)
def solve(case: Case) -> Expected:
    """What the oracle says; kept, because every kernel is asked the same cases."""
    return expected(case.problem, case.x(), case.weight(), case.bias_values(), case.relu)


def awkward(limits: Limits) -> list[Problem]:
    """The fixed problems that a kernel with ``limits`` takes."""
    return [problem for problem in map(Problem.parse, AWKWARD) if limits.check(problem).ok]


_SIZES = ((1, 1), (3, 3), (5, 5), (1, 3), (3, 1), (2, 2), (4, 2), (2, 5), (7, 7))


@st.composite
def _axis(draw: st.DrawFn, limits: Limits, kernel: int, sizes: st.SearchStrategy[int]) -> tuple[int, int, int, int, int]:
    """Input, output, stride, padding and dilation along one axis, made to fit ``kernel``."""
    stride = 1 if limits.unit_stride else draw(st.sampled_from((1, 1, 2, 3)))
    dilation = 0 if limits.no_dilation else draw(st.sampled_from((0, 0, 0, 1, 2)))
    padding = draw(st.integers(0, kernel))
    span = (kernel - 1) * (dilation + 1) + 1
    size = max(1, span - 2 * padding) + draw(sizes) - 1
    most = (size + 2 * padding - span) // stride + 1
    least = most if limits.symmetric_padding else max(1, (size + padding - span) // stride + 1)
    return size, draw(st.integers(least, most)), stride, padding, dilation


@st.composite
def problems(draw: st.DrawFn, limits: Limits) -> Problem:
    """Small problems of every shape that ``limits`` allow."""
    kh, kw = draw(st.sampled_from(limits.kernel_sizes or _SIZES))
    g = 1 if limits.no_groups else draw(st.sampled_from((1, 1, 1, 2, 3)))
    mb = draw(st.sampled_from((1, 1, 1, 2, 3)))
    ic, oc = g * draw(st.integers(1, 5)), g * draw(st.sampled_from((1, 2, 3, 4, 5, 8, 17)))
    ih, oh, sh, ph, dh = draw(_axis(limits, kh, st.integers(1, 9)))
    iw, ow, sw, pw, dw = draw(_axis(limits, kw, st.integers(1, 9) | st.sampled_from((15, 16, 17, 33))))
    return Problem(g, mb, ic, ih, iw, oc, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw)


def cases(limits: Limits, **fixed: Any) -> st.SearchStrategy[Case]:
    """Cases within ``limits``: any density from 0 to 1, uneven patterns, bias and ReLU on and off."""
    drawn: dict[str, st.SearchStrategy[Any]] = {
        "problem": problems(limits),
        "density": st.sampled_from((0.0, 0.03, 0.1, 0.1, 0.3, 0.3, 0.7, 1.0)),
        "pattern": st.sampled_from(("uniform", "uniform", "uniform", "empty rows", "one row", "single")),
        "bias": st.booleans(),
        "relu": st.booleans(),
        "seed": st.integers(1, 99),
    }
    return st.builds(Case, **(drawn | {name: st.just(value) for name, value in fixed.items()}))
