"""OpenVINO: one convolution compiled for the CPU in float32, on tensors that share the caller's memory."""

from __future__ import annotations

import importlib
import threading
from typing import Any

import numpy as np

from backends.host import _host
from backends.host.backend import HostBackend
from backends.host.engine import engine_support, require, versions_of, writeable_view
from backends.openvino.loading import load_openvino
from harness.contract import BackendConfig, KernelSpec, Plan, PlanRequest, Support
from harness.contract.plan import Array

CONV = KernelSpec("conv", "dense", "one (group) convolution compiled in float32 for latency, on shared NCHW arrays")


def compile_convolution(request: PlanRequest, threads: int, ov: Any, core: Any) -> Any:
    """Compile convolution, bias and ReLU for the CPU with so many threads."""
    ops = _operations()
    p = request.problem
    x = ops.parameter(list(p.input_shape), dtype=np.float32, name="x")
    geometry = ([p.sh, p.sw], [p.ph, p.pw], list(p.end_padding), [p.dh + 1, p.dw + 1])
    if p.g == 1:
        node = ops.convolution(x, ops.constant(request.weight.copy()), *geometry)
    else:
        grouped = request.weight.reshape(p.g, p.oc // p.g, p.ic // p.g, p.kh, p.kw)
        node = ops.group_convolution(x, ops.constant(grouped.copy()), *geometry)
    if request.bias is not None:
        node = ops.add(node, ops.constant(request.bias.reshape(1, p.oc, 1, 1).copy()))
    if request.relu:
        node = ops.relu(node)
    settings = {
        "INFERENCE_NUM_THREADS": str(threads),
        "NUM_STREAMS": "1",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": "NO",
    }
    return core.compile_model(ov.Model([node], [x], "convolution"), "CPU", settings)


def _operations() -> Any:
    """The module of operations, which moved out of ``openvino.runtime`` in 2025."""
    try:
        return importlib.import_module("openvino.opset13")
    except ModuleNotFoundError:
        return importlib.import_module("openvino.runtime.opset13")


class _Request(threading.local):
    """The infer request of one Python thread and the addresses that it is bound to."""

    request: Any = None
    addresses: tuple[int, int] = (0, 0)


class OpenVinoPlan(Plan):
    """A compiled model; each Python thread has its own infer request."""

    def __init__(self, request: PlanRequest, backend: str, threads: int, ov: Any, core: Any) -> None:
        super().__init__(request, backend, threads)
        self._ov = ov
        self._compiled = compile_convolution(request, threads, ov, core)
        self._local = _Request()

    def _run(self, x: Array, y: Array) -> None:
        local, addresses = self._local, _host.addresses(x, y)
        if local.request is None:
            local.request = self._compiled.create_infer_request()
        if local.addresses != addresses:
            local.request.set_input_tensor(self._ov.Tensor(writeable_view(x), shared_memory=True))
            local.request.set_output_tensor(self._ov.Tensor(y, shared_memory=True))
            local.addresses = addresses
        local.request.infer()


class OpenVinoBackend(HostBackend):
    """One kernel without limits."""

    name = "openvino"
    specs = (CONV,)

    def __init__(self, config: BackendConfig, threads: int = 1) -> None:
        require(self.available(config))
        super().__init__(config, threads)
        self._openvino = load_openvino()
        self._core = self._openvino.Core()

    @classmethod
    def available(cls, config: BackendConfig) -> Support:
        """Whether OpenVINO is installed."""
        return engine_support("OpenVINO", "openvino", "openvino")

    def _prepare(self, request: PlanRequest) -> Plan:
        return OpenVinoPlan(request, self.name, self.threads, self._openvino, self._core)

    def versions(self) -> dict[str, str]:
        """Version of OpenVINO."""
        return versions_of("openvino")
