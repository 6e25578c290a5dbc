"""MKL as a backend: dense im2col + SGEMM, Winograd, FFT, and sparse BLAS on the lowered input."""

from __future__ import annotations

import importlib.metadata
import os

from backends.host.backend import HostBackend
from backends.host.lowering import Scratch
from backends.mkl import csr_mm, fft, im2col_sgemm, winograd
from backends.mkl.library import installed, load_library
from harness.contract import BackendConfig, InputError, Plan, PlanRequest, Problem, Support


class MklBackend(HostBackend):
    """Kernels on one libmkl_rt; the thread count is set around each call, never globally."""

    name = "mkl"
    specs = (im2col_sgemm.SPEC, csr_mm.SPEC, fft.SPEC, winograd.SPEC)

    def __init__(self, config: BackendConfig, threads: int = 1) -> None:
        super().__init__(config, threads)
        self.library = load_library()
        self._scratch = Scratch()
        if threads > 1 and os.environ.get("MKL_THREADING_LAYER", "").upper() == "SEQUENTIAL":
            raise InputError(f"threads is {threads}, but MKL_THREADING_LAYER is SEQUENTIAL; allowed: INTEL, or threads=1")

    @classmethod
    def available(cls, config: BackendConfig) -> Support:
        """Whether the distributions of the extra ``mkl`` are installed."""
        return installed()

    def supports(self, kernel: str, problem: Problem) -> Support:
        """Whether ``kernel`` takes ``problem``; FFT and Winograd have limits beyond the declared ones."""
        declared = super().supports(kernel, problem)
        further = {fft.SPEC.name: fft.support, winograd.SPEC.name: winograd.support}.get(kernel)
        return further(problem) if declared.ok and further else declared

    def _prepare(self, request: PlanRequest) -> Plan:
        if request.kernel is fft.SPEC:
            return fft.FftPlan(request, self.name, self.threads, self.library, self._scratch)
        if request.kernel is winograd.SPEC:
            return winograd.WinogradPlan(request, self.name, self.threads, self.library, self._scratch)
        if request.kernel is csr_mm.SPEC:
            return csr_mm.CsrMmPlan(request, self.name, self.threads, self.library, self._scratch)
        return im2col_sgemm.prepare(request, self.name, self.threads, self.library, self._scratch)

    def versions(self) -> dict[str, str]:
        """Versions of MKL and of its thread control."""
        return {name: importlib.metadata.version(name) for name in ("mkl", "mkl-service")}
