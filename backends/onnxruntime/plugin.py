"""Plugin of the ONNX Runtime backend."""

from __future__ import annotations

from harness.contract import BackendSpec
from harness.hookspecs import hookimpl


@hookimpl
def breakeven_backends() -> list[BackendSpec]:
    """ONNX Runtime's convolution."""
    return [
        BackendSpec(
            name="onnxruntime",
            factory="backends.onnxruntime.backend:OnnxRuntimeBackend",
            summary="ONNX Runtime's convolution on the CPU: the dense engine many deploy",
            contract=1,
            extra="onnx",
            requires=("onnx", "onnxruntime"),
        )
    ]
