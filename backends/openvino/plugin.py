"""Plugin of the OpenVINO backend."""

from __future__ import annotations

from harness.contract import BackendSpec
from harness.hookspecs import hookimpl


@hookimpl
def breakeven_backends() -> list[BackendSpec]:
    """OpenVINO's convolution."""
    return [
        BackendSpec(
            name="openvino",
            factory="backends.openvino.backend:OpenVinoBackend",
            summary="OpenVINO's convolution on the CPU: the fastest dense engine on plain arrays for most layers",
            contract=1,
            extra="openvino",
            requires=("openvino",),
        )
    ]
