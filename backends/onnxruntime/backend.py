"""ONNX Runtime: one Conv node a plan, bound to the caller's arrays."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from backends.host import _host
from backends.host.backend import HostBackend
from backends.host.engine import engine_support, require, versions_of
from harness.contract import BackendConfig, KernelSpec, Plan, PlanRequest, Support
from harness.contract.plan import Array

CONV = KernelSpec("conv", "dense", "one Conv node (with Relu where asked) on NCHW arrays, input and output bound without copies")

_OPSET, _IR = 13, 8


def conv_model(request: PlanRequest) -> bytes:
    """A serialised ONNX model: Conv with its weights as initialisers, then Relu where asked."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    p = request.problem
    initializers = [numpy_helper.from_array(request.weight, "w")]
    if request.bias is not None:
        initializers.append(numpy_helper.from_array(request.bias, "b"))
    node = helper.make_node(
        "Conv",
        ["x", *(tensor.name for tensor in initializers)],
        ["c" if request.relu else "y"],
        kernel_shape=[p.kh, p.kw],
        strides=[p.sh, p.sw],
        pads=[p.ph, p.pw, *p.end_padding],
        dilations=[p.dh + 1, p.dw + 1],
        group=p.g,
    )
    nodes = [node, helper.make_node("Relu", ["c"], ["y"])] if request.relu else [node]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, p.input_shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, p.output_shape)
    graph = helper.make_graph(nodes, "convolution", [x], [y], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class _Binding(threading.local):
    """The binding of one Python thread and the addresses that it holds."""

    binding: Any = None
    addresses: tuple[int, int] = (0, 0)


class OnnxRuntimePlan(Plan):
    """A session made once; each Python thread binds its own arrays."""

    def __init__(self, request: PlanRequest, backend: str, threads: int, ort: Any) -> None:
        super().__init__(request, backend, threads)
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session = ort.InferenceSession(conv_model(request), options, providers=["CPUExecutionProvider"])
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


class OnnxRuntimeBackend(HostBackend):
    """One kernel without limits."""

    name = "onnxruntime"
    specs = (CONV,)

    def __init__(self, config: BackendConfig, threads: int = 1) -> None:
        require(self.available(config))
        import onnxruntime

        super().__init__(config, threads)
        self._ort = onnxruntime

    @classmethod
    def available(cls, config: BackendConfig) -> Support:
        """Whether ONNX and ONNX Runtime are installed."""
        return engine_support("ONNX Runtime", "onnx", "onnxruntime", "onnx")

    def _prepare(self, request: PlanRequest) -> Plan:
        return OnnxRuntimePlan(request, self.name, self.threads, self._ort)

    def versions(self) -> dict[str, str]:
        """Versions of ONNX Runtime and of ONNX."""
        return versions_of("onnxruntime", "onnx")
