"""Plugin of the C kernels."""

from __future__ import annotations

from dataclasses import dataclass

from harness.contract import BackendConfig, BackendSpec
from harness.hookspecs import hookimpl


@dataclass
class CpuConfig(BackendConfig):
    """Options of the ``cpu`` backend.

    ``isa``: ``auto`` takes the best instruction set of this machine; ``avx512``, ``avx2``, ``neon`` or
    ``portable`` forces one. The environment variable ``BREAKEVEN_ISA`` stands in for ``auto``.
    """

    isa: str = "auto"


@hookimpl
def breakeven_backends() -> list[BackendSpec]:
    """Direct sparse and dense convolution compiled for this machine's instruction sets."""
    return [
        BackendSpec(
            name="cpu",
            factory="backends.cpu.backend:CpuBackend",
            summary="C kernels: direct sparse convolution without lowering, and its dense sibling",
            contract=1,
            config=CpuConfig,
            default=True,
        )
    ]
