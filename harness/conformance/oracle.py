"""The convolution by somebody else, in double precision: PyTorch where it is installed, else NumPy's einsum."""

from __future__ import annotations

import importlib.util
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.contract import Problem
from harness.contract.plan import Array

Double = NDArray[np.float64]

NAME = "torch.nn.functional.conv2d" if importlib.util.find_spec("torch") else "numpy.einsum"


class Expected(NamedTuple):
    """The exact output, and the convolution of absolute values by which errors are measured; both NCHW float64."""

    exact: Double
    scale: Double


def expected(problem: Problem, x: Array, weight: Array, bias: Array | None = None, relu: bool = False) -> Expected:
    """Convolve float32 NCHW ``x`` with OIHW ``weight`` in double precision; ``bias`` and ReLU as asked."""
    convolve = _torch if NAME.startswith("torch") else _einsum
    bottom, right = problem.end_padding
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (problem.ph, bottom), (problem.pw, right)))
    doubled = weight.astype(np.float64)
    exact, scale = convolve(problem, padded, doubled), convolve(problem, np.abs(padded), np.abs(doubled))
    if bias is not None:
        exact, scale = exact + bias[:, None, None], scale + np.abs(bias)[:, None, None]
    return Expected(np.maximum(exact, 0) if relu else exact, scale)


def _torch(problem: Problem, padded: Double, weight: Double) -> Double:
    import torch

    p = problem
    step, spread = (p.sh, p.sw), (p.dh + 1, p.dw + 1)
    y = torch.nn.functional.conv2d(torch.from_numpy(padded), torch.from_numpy(weight), None, step, 0, spread, p.g)
    cut: Double = y.numpy()[:, :, : p.oh, : p.ow]
    return cut


def _einsum(problem: Problem, padded: Double, weight: Double) -> Double:
    """Strided windows, then one contraction a group."""
    p = problem
    span = ((p.kh - 1) * (p.dh + 1) + 1, (p.kw - 1) * (p.dw + 1) + 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, span, axis=(2, 3))
    taps = windows[:, :, :: p.sh, :: p.sw, :: p.dh + 1, :: p.dw + 1][:, :, : p.oh, : p.ow]
    grouped = taps.reshape(p.mb, p.g, p.ic // p.g, p.oh, p.ow, p.kh, p.kw)
    kernels = weight.reshape(p.g, p.oc // p.g, p.ic // p.g, p.kh, p.kw)
    y: Double = np.einsum("bgchwrs,gocrs->bgohw", grouped, kernels, optimize=True)
    return y.reshape(p.output_shape)
