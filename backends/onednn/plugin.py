"""Plugin of the oneDNN backend."""

from __future__ import annotations

from collections.abc import Mapping

from harness.contract import BackendSpec
from harness.hookspecs import hookimpl


def environment(threads: int) -> Mapping[str, str]:
    """PyTorch's OpenMP threads, no more and no fewer than asked."""
    return {"OMP_NUM_THREADS": str(threads), "OMP_DYNAMIC": "FALSE"}


@hookimpl
def breakeven_backends() -> list[BackendSpec]:
    """PyTorch's convolution."""
    return [
        BackendSpec(
            name="onednn",
            factory="backends.onednn.backend:OneDnnBackend",
            summary="PyTorch's convolution on the CPU, which is oneDNN: the dense engine a user would pick",
            contract=1,
            extra="torch",
            requires=("torch",),
            environment=environment,
        )
    ]
