"""The C kernels as a backend: direct sparse convolution and its dense sibling."""

from __future__ import annotations

from dataclasses import replace

from backends.cpu.contest import Contest
from backends.cpu.generated import VARIANT, GeneratedPlan, RefusedError, better_across_images, generates, obstacle, too_much_code
from backends.cpu.isa import builds_of, chosen_isa
from backends.cpu.plan import CpuPlan
from backends.cpu.planner import Planner
from backends.cpu.tuning import wants_tuning
from backends.host.backend import HostBackend
from harness.contract import BackendConfig, KernelSpec, PlanRequest
from perfmodel.errors import InputError
from perfmodel.kernel import KernelParameters

_OPTIONS = {
    "tune": "time the best few candidates and remember the winner on disk (under 2 s a layer)",
    "variant": "force generated code (generated; AVX-512 and AVX2) or a layout of the compiled kernels: slide, copies, flat-slide or "
    "flat-copies, with -256 behind it for 8 lanes on AVX-512",
}

_OVERHEADS = {"generated": (1.2, 3.7), "compiled": (1.9, 1.5)}
"""alpha: 0.9 of the peak, as good dense code reaches, over the useful share in docs/kernels.md; beta: 15 bytes of code and value a
non-zero, or 6 of value and offset, over the 4 of a weight."""

_MODELS = {True: "backends.cpu.model:GeneratedOrTiled", False: ""}
"""With and without generated code."""


class CpuBackend(HostBackend):
    """Kernels compiled for each instruction set; the plan picks layout, tile and channel block."""

    name = "cpu"
    specs = (
        KernelSpec(
            "direct_sparse",
            "direct_sparse",
            "direct sparse convolution: each non-zero times a tile of outputs held in registers, no lowering",
            options=_OPTIONS,
            alpha=_OVERHEADS["compiled"][0],
            beta=_OVERHEADS["compiled"][1],
        ),
        KernelSpec("direct_dense", "dense", "direct dense convolution on the same tiles, four output channels at a time", options=_OPTIONS),
    )

    def __init__(self, config: BackendConfig, threads: int = 1) -> None:
        super().__init__(config, threads)
        self.isa = chosen_isa(getattr(config, "isa", "auto"))
        self._planner = Planner(self.isa, threads)

    def kernels(self) -> tuple[KernelSpec, ...]:
        """The kernels with the model, the overheads and the vectors of the instruction set in use."""
        generated = self.isa == "avx512" and generates(self.isa)
        alpha, beta = _OVERHEADS["generated" if generated else "compiled"]
        widest, *others = builds_of(self.isa)
        narrower = tuple(build.lanes for build in others if build.lanes < widest.lanes)
        shape = KernelParameters(lanes=widest.lanes, tile=widest.max_tile, narrower=narrower)
        return tuple(
            replace(spec, alpha=alpha, beta=beta, model=_MODELS[generated], parameters=replace(shape, alpha=alpha, beta=beta))
            if spec.sparse
            else replace(spec, parameters=shape)
            for spec in self.specs
        )

    def _prepare(self, request: PlanRequest) -> CpuPlan | GeneratedPlan:
        """Generated code where it is possible and asked for, or likely to win; else the compiled kernels."""
        forced = request.options.get("variant")
        if forced not in (None, VARIANT):
            return self._tiled(request)
        reason = obstacle(request, self.isa)
        if reason is None and (forced or not self._prefers_compiled(request)):
            try:
                return self._generated(request, bool(forced))
            except RefusedError as refusal:
                reason = str(refusal)
        if forced:
            raise InputError(f"variant {VARIANT!r} cannot be used: {reason}")
        return self._tiled(request)

    def _prefers_compiled(self, request: PlanRequest) -> bool:
        return too_much_code(request.problem, request.density, self.isa) or better_across_images(request.problem)

    def _tiled(self, request: PlanRequest) -> CpuPlan:
        choice, reason = self._planner.choose(request)
        return CpuPlan(request, self.threads, self.isa, choice, reason)

    def _generated(self, request: PlanRequest, forced: bool) -> CpuPlan | GeneratedPlan:
        """Generated code; with ``tune`` its fastest cut. Unless forced, the compiled kernels where these are faster, timed or estimated."""
        if wants_tuning(request):
            return Contest(self.isa, self.threads).plan(request, None if forced else lambda: self._tiled(request))
        generated = GeneratedPlan(request, self.threads, self.isa, "forced" if forced else "likely the fastest")
        if forced or generated.cycles is None or generated.cycles / self.threads <= self._planner.rank(request)[0][0]:
            return generated
        return self._tiled(request)

    def versions(self) -> dict[str, str]:
        """The instruction set in use stands for the version of the kernels."""
        return {"isa": self.isa}
