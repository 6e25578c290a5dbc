"""Plugin of the MKL backend."""

from __future__ import annotations

from collections.abc import Mapping

from harness.contract import BackendSpec
from harness.hookspecs import hookimpl


def environment(threads: int) -> Mapping[str, str]:
    """The sequential layer for one thread; else Intel's OpenMP, whose idle threads sleep at once."""
    if threads == 1:
        return {"MKL_THREADING_LAYER": "SEQUENTIAL"}
    return {"MKL_THREADING_LAYER": "INTEL", "MKL_DYNAMIC": "FALSE", "KMP_BLOCKTIME": "0"}


@hookimpl
def breakeven_backends() -> list[BackendSpec]:
    """The paper's baseline, and sparse BLAS on the lowered input."""
    return [
        BackendSpec(
            name="mkl",
            factory="backends.mkl.backend:MklBackend",
            summary="Intel MKL: im2col + SGEMM (the paper's baseline), Winograd, FFT, sparse BLAS on the lowered input",
            contract=1,
            extra="mkl",
            requires=("mkl",),
            environment=environment,
        )
    ]
