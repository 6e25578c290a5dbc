"""The convolution as its definition reads, in double precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backends.host.backend import HostBackend
from harness.contract import KernelSpec, Plan, PlanRequest, Problem
from harness.contract.plan import Array


def convolve(problem: Problem, x: NDArray[np.floating], weight: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cross-correlate NCHW ``x`` with OIHW ``weight`` in float64, one kernel tap at a time.

    O(n,y,x) = sum over c,r,s of W(n,c,r,s) I(c, y*sh + r*(dh+1) - ph, x*sw + s*(dw+1) - pw) (Park et al. 2017, sec. 2.1).
    """
    p = problem
    bottom, right = p.end_padding
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (p.ph, bottom), (p.pw, right)))
    grouped = padded.reshape(p.mb, p.g, p.ic // p.g, *padded.shape[2:])
    taps = weight.astype(np.float64).reshape(p.g, p.oc // p.g, p.ic // p.g, p.kh, p.kw)
    y = np.zeros((p.mb, p.g, p.oc // p.g, p.oh * p.ow))
    for r in range(p.kh):
        for s in range(p.kw):
            top, left = r * (p.dh + 1), s * (p.dw + 1)
            seen = grouped[..., top : top + (p.oh - 1) * p.sh + 1 : p.sh, left : left + (p.ow - 1) * p.sw + 1 : p.sw]
            y += taps[..., r, s] @ seen.reshape(p.mb, p.g, p.ic // p.g, -1)
    return y.reshape(p.output_shape)


class ReferencePlan(Plan):
    """Weights kept as they came."""

    def __init__(self, request: PlanRequest, backend: str, threads: int) -> None:
        super().__init__(request, backend, threads)
        self._weight = request.weight.copy()
        self._bias = None if request.bias is None else request.bias.copy()

    def _run(self, x: Array, y: Array) -> None:
        exact = convolve(self.problem, x, self._weight)
        if self._bias is not None:
            exact += self._bias[:, None, None]
        y[...] = np.maximum(exact, 0) if self.relu else exact


class ReferenceBackend(HostBackend):
    """One kernel, no limits."""

    name = "reference"
    specs = (KernelSpec("direct", "dense", "sum over kernel taps in float64, rounded once to float32", rtol=1e-6),)

    def _prepare(self, request: PlanRequest) -> Plan:
        return ReferencePlan(request, self.name, self.threads)
