"""ONNX Runtime: one Conv node a plan or a chain of them, bound to the caller's arrays."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from backends.host import _host
from backends.host.backend import HostBackend
from backends.host.engine import engine_support, require, versions_of
from backends.onnxruntime.cp import relative_error
from backends.onnxruntime.low_rank import CP, TUCKER2, Chain, make_chain
from backends.onnxruntime.model import Link, chain_model
from harness.contract import BackendConfig, KernelSpec, Plan, PlanRequest, Problem, Support
from harness.contract.plan import Array

CONV = KernelSpec("conv", "dense", "one Conv node (with Relu where asked) on NCHW arrays, input and output bound without copies")


class _Binding(threading.local):
    """The binding of one Python thread and the addresses that it holds."""

    binding: Any = None
    addresses: tuple[int, int] = (0, 0)


class OnnxRuntimePlan(Plan):
    """A session made once; each Python thread binds its own arrays."""

    def __init__(self, request: PlanRequest, backend: str, threads: int, ort: Any, links: Sequence[Link]) -> None:
        super().__init__(request, backend, threads)
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        model = chain_model(request.problem, links, request.bias, request.relu)
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._local = _Binding()

    def _run(self, x: Array, y: Array) -> None:
        local, addresses = self._local, _host.addresses(x, y)
        if local.binding is None:
            local.binding = self._session.io_binding()
        if local.addresses != addresses:
            local.binding.bind_input("x", "cpu", 0, np.float32, x.shape, addresses[0])
            local.binding.bind_output("y", "cpu", 0, np.float32, y.shape, addresses[1])
            local.addresses = addresses
        self._session.run_with_iobinding(local.binding)


class LowRankPlan(OnnxRuntimePlan):
    """A chain of convolutions that computes with weights near the ones given."""

    def __init__(self, request: PlanRequest, backend: str, threads: int, ort: Any, chain: Chain) -> None:
        super().__init__(request, backend, threads, ort, chain.links)
        self._weight, self._words = chain.weight, chain.words
        self.approximation = relative_error(request.weight.astype(np.float64), chain.weight.astype(np.float64))

    def effective_weight(self) -> Array:
        """The product of the factors."""
        return self._weight.copy()

    def explain(self) -> str:
        """Ranks, error and share of the arithmetic."""
        return f"{self.backend} {self.kernel.name}: {self._words}; error of the weights {self.approximation:.2%}"


class OnnxRuntimeBackend(HostBackend):
    """The convolution itself, and chains of small ones that approximate it; none has limits."""

    name = "onnxruntime"
    specs = (CONV, TUCKER2, CP)

    def __init__(self, config: BackendConfig, threads: int = 1) -> None:
        require(self.available(config))
        import onnxruntime

        super().__init__(config, threads)
        self._ort = onnxruntime

    @classmethod
    def available(cls, config: BackendConfig) -> Support:
        """Whether ONNX and ONNX Runtime are installed."""
        return engine_support("ONNX Runtime", "onnx", "onnxruntime", "onnx")

    def supports(self, kernel: str, problem: Problem) -> Support:
        """Whether ``kernel`` takes ``problem``; the chains need TensorLy."""
        found = super().supports(kernel, problem)
        return found if kernel == CONV.name or not found.ok else engine_support("TensorLy", "factor", "tensorly")

    def _prepare(self, request: PlanRequest) -> Plan:
        if request.kernel.name == CONV.name:
            return OnnxRuntimePlan(request, self.name, self.threads, self._ort, [Link.whole(request.problem, request.weight)])
        return LowRankPlan(request, self.name, self.threads, self._ort, make_chain(request))

    def versions(self) -> dict[str, str]:
        """Versions of ONNX Runtime, of ONNX, and of TensorLy where it is installed."""
        return versions_of("onnxruntime", "onnx", "tensorly")
