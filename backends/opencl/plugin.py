"""Plugin of the OpenCL backend."""

from __future__ import annotations

from backends.opencl.config import OpenclConfig
from harness.contract import BackendSpec
from harness.hookspecs import hookimpl


@hookimpl
def breakeven_backends() -> list[BackendSpec]:
    """One backend for every OpenCL device: GPU, accelerator, or a CPU through its runtime."""
    return [
        BackendSpec(
            name="opencl",
            factory="backends.opencl.backend:OpenclBackend",
            summary="OpenCL: direct sparse and dense kernels for GPUs, accelerators and CPU runtimes",
            contract=1,
            config=OpenclConfig,
            extra="opencl",
            requires=("pyopencl",),
        )
    ]
