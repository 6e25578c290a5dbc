"""The C kernels as a backend: direct sparse convolution and its dense sibling."""

from __future__ import annotations

from backends.cpu.isa import chosen_isa
from backends.cpu.plan import CpuPlan
from backends.cpu.planner import Planner
from backends.host.backend import HostBackend
from harness.contract import BackendConfig, KernelSpec, PlanRequest

_OPTIONS = {
    "tune": "time the best few candidates and remember the winner on disk (under 2 s a layer)",
    "variant": "force a layout: slide, copies, flat-slide or flat-copies, with -256 behind it for 8 lanes on AVX-512",
}


class CpuBackend(HostBackend):
    """Kernels compiled for each instruction set; the plan picks layout, tile and channel block."""

    name = "cpu"
    specs = (
        KernelSpec(
            "direct_sparse",
            "direct_sparse",
            "direct sparse convolution: each non-zero times a tile of outputs held in registers, no lowering",
            options=_OPTIONS,
            alpha=1.6,
            beta=2.0,
        ),
        KernelSpec("direct_dense", "dense", "direct dense convolution on the same tiles, four output channels at a time", options=_OPTIONS),
    )

    def __init__(self, config: BackendConfig, threads: int = 1) -> None:
        super().__init__(config, threads)
        self.isa = chosen_isa(getattr(config, "isa", "auto"))
        self._planner = Planner(self.isa, threads)

    def _prepare(self, request: PlanRequest) -> CpuPlan:
        choice, reason = self._planner.choose(request)
        return CpuPlan(request, self.threads, self.isa, choice, reason)

    def versions(self) -> dict[str, str]:
        """The instruction set in use stands for the version of the kernels."""
        return {"isa": self.isa}
