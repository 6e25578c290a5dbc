"""A breakeven backend in one file: direct sparse convolution, one shifted image for each non-zero weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.contract import Backend, BackendConfig, BackendSpec, InputError, KernelSpec, Limits, Plan, PlanRequest
from harness.hookspecs import hookimpl


@dataclass
class ToyConfig(BackendConfig):
    """``accumulate``: number type of the running sums, float32 or float64."""

    accumulate: str = "float64"


@hookimpl
def breakeven_backends() -> list[BackendSpec]:
    """Announce the backend; nothing heavy is imported before somebody opens it."""
    return [
        BackendSpec(
            name="toy",
            factory="breakeven_toy:ToyBackend",
            summary="one shifted image for each non-zero weight, in NumPy",
            contract=1,
            config=ToyConfig,
        )
    ]


class ToyPlan(Plan):
    """The non-zero weights, each with its place."""

    def __init__(self, request: PlanRequest, backend: str, threads: int, accumulate: str) -> None:
        super().__init__(request, backend, threads)
        self._places = np.argwhere(request.weight)
        self._values = request.weight[request.weight != 0]
        self._bias = np.float32(0) if request.bias is None else request.bias[:, None, None].copy()
        self._accumulate = np.dtype(accumulate)

    def _run(self, x: np.ndarray, y: np.ndarray) -> None:
        p = self.problem
        bottom, right = p.end_padding
        padded = np.pad(x, ((0, 0), (0, 0), (p.ph, bottom), (p.pw, right)))
        total = np.zeros(y.shape, self._accumulate)
        for (o, c, r, s), value in zip(self._places, self._values, strict=True):
            channel = o // (p.oc // p.g) * (p.ic // p.g) + c
            rows, columns = slice(r, r + (p.oh - 1) * p.sh + 1, p.sh), slice(s, s + (p.ow - 1) * p.sw + 1, p.sw)
            total[:, o] += value * padded[:, channel, rows, columns]
        total += self._bias
        y[...] = np.maximum(total, 0) if self.relu else total


class ToyBackend(Backend):
    """One kernel, and no hardware numbers."""

    name = "toy"
    specs = (KernelSpec("shifted_images", "direct_sparse", "adds one shifted image a non-zero", Limits(no_dilation=True)),)

    def __init__(self, config: BackendConfig, threads: int = 1) -> None:
        super().__init__(config, threads)
        assert isinstance(config, ToyConfig)
        if config.accumulate not in ("float32", "float64"):
            raise InputError(f"backend.accumulate is {config.accumulate!r}; allowed: float32, float64")
        self._accumulate = config.accumulate

    def _prepare(self, request: PlanRequest) -> Plan:
        return ToyPlan(request, self.name, self.threads, self._accumulate)
