"""A prepared convolution by machine code written for its weights (csrc/jit.h)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backends.cpu import _kernels
from backends.cpu.call import KernelPlan
from backends.cpu.choice import problem_fields
from backends.cpu.tuning import call_seconds
from backends.host.machine import this_machine
from harness.contract import PlanRequest
from perfmodel.problem import Problem

VARIANT = "generated"
ISAS = ("avx512", "avx2")

_CODE_BYTES = {"avx512": 15, "avx2": 30}
"""Bytes of code and values a non-zero, about."""


class RefusedError(Exception):
    """Why no code can, or should, be generated."""


def obstacle(request: PlanRequest, isa: str) -> str | None:
    """Why ``request`` cannot have generated code on ``isa``, or None."""
    if request.kernel.method == "dense":
        return "dense weights have no pattern to write code for"
    if isa not in ISAS:
        return f"code is generated for {' and '.join(ISAS)} only, not for {isa}"
    return _machine_obstacle(isa)


def generates(isa: str) -> bool:
    """Whether this machine can have generated code on ``isa``."""
    return isa in ISAS and _machine_obstacle(isa) is None


def _machine_obstacle(isa: str) -> str | None:
    return _kernels.obstacle() if isa == "avx512" else _kernels.bands_obstacle()


def too_much_code(problem: Problem, density: float, isa: str = "avx512") -> bool:
    """Whether the code would outgrow the last-level cache and be read from memory at every call."""
    return density * problem.weight_count * _CODE_BYTES[isa] > this_machine().caches[2]


def better_across_images(problem: Problem) -> bool:
    """Whether maps are so small that the compiled kernels, which lay images side by side in the lanes, are faster (timed)."""
    return problem.oh * problem.ow <= 4 and problem.mb >= 8


@dataclass(frozen=True, slots=True)
class Cut:
    """Tiles packed at a time and parts of the input channels (AVX2: columns and channels of a part); 0 leaves it to the plan."""

    strip_tiles: int = 0
    parts: int = 0


PLANNED = Cut()


class GeneratedPlan(KernelPlan):
    """Code, values and packing steps for one set of weights; scratch memory is borrowed per call, so threads may share it.

    Raises :class:`RefusedError` when the problem is too large or the system refuses executable memory.
    """

    def __init__(self, request: PlanRequest, threads: int, isa: str, reason: str, cut: Cut = PLANNED) -> None:
        super().__init__(request, "cpu", threads)
        self._isa, self._reason, self.cut = isa, reason, cut
        fields = problem_fields(request.problem)
        generate = _kernels.generate if isa == "avx512" else _kernels.generate_bands
        try:
            self._handle = generate(fields, request.weight, request.bias, request.relu, threads, cut.strip_tiles, cut.parts)
        except (ValueError, MemoryError) as error:
            raise RefusedError(str(error)) from error

    @property
    def cycles(self) -> float | None:
        """Estimated cycles of a call on one thread; None on AVX-512, where generated code wins anyway."""
        cycles: float | None = _kernels.info(self._handle).get("cycles")
        return None if cycles is None else cycles * self.problem.mb

    @property
    def variant(self) -> str:
        """The name that ``prepare(variant=...)`` takes to force generated code."""
        return VARIANT

    def explain(self) -> str:
        """Block of sums, code, strips, threads, copies made and what bounds the kernel, in words."""
        info = _kernels.info(self._handle)
        per_code = info["code_bytes"] / max(1, info["nonzeros"])
        lines = self._explain_rows(info) if self._isa == "avx512" else self._explain_bands(info)
        return "\n".join(
            [
                f"cpu {self.kernel.name} on {self._isa}, variant {VARIANT} ({self._reason})",
                f"  code: {info['code_bytes'] / 1024:.0f} KiB with values for {info['nonzeros']} non-zeros ({per_code:.1f} bytes each); "
                "no offsets are loaded, no branch depends on the pattern",
                *lines,
            ]
        )

    def _explain_rows(self, info: dict[str, Any]) -> list[str]:
        per_tap = 1 - (1 - self.density) ** info["channels"]
        return [
            f"  tile: {info['channels']} output channels x {info['vectors']} vectors of 16 outputs in registers, over all input "
            f"channels in {info['parts']} parts; {info['lanes_used']:.0%} of the lanes give outputs; {info['tiles']} tiles an image",
            f"  input: rows {info['pitch']} floats apart, {info['planes_bytes'] / 1024:.0f} KiB for one strip of tiles, "
            f"{info['strips']} strips an image; shifted vectors are made once for all output channels of a block",
            f"  threads: {self.threads} sharing {info['units']} units ({self.problem.mb} images x {self.problem.g} groups x "
            f"{info['strips']} strips x {info['blocks']} blocks of output channels){self._division(info['busiest'])}",
            "  copies: the input once per part, padding included; the output not at all",
            f"  bound: multiply-adds at {info['lanes_used']:.0%} of their peak; about "
            f"{per_tap / max(1e-6, self.density * info['channels']):.2f} input vectors are made per multiply-add",
        ]

    def _explain_bands(self, info: dict[str, Any]) -> list[str]:
        lanes = "side by side" if info["adjacent"] else f"{info['band']} outputs apart"
        return [
            f"  tile: {info['channels']} output channels x {info['vectors']} vectors of 8 outputs in registers, lanes {lanes}, so that "
            f"every tap is an aligned vector; {info['lanes_used']:.0%} of the lanes give outputs; {info['tiles']} tiles an image",
            f"  input: {info['parts']} parts of the input channels, {info['planes_bytes'] / 1024:.0f} KiB for one strip of "
            f"{info['columns']} columns, {info['strips']} strips an image; sums are saved between parts",
            f"  threads: {self.threads} sharing {info['units']} units ({self.problem.mb} images x {self.problem.g} groups x "
            f"{info['strips']} strips x {info['chunks']} chunks of the output channels)",
            self._explain_copies(info),
            f"  bound: multiply-adds at {info['lanes_used']:.0%} of their peak if two loads a cycle feed them: one per 4 values and up "
            "to one per multiply-add for inputs",
        ]

    @staticmethod
    def _explain_copies(info: dict[str, Any]) -> str:
        if info["adjacent"]:
            packed = "every second" if info["split"] else "every"
            return f"  copies: {packed} input channel once per strip; of the output its last pixels, where sums wait between parts"
        return f"  copies: the input {'once' if info['direct'] else 'twice'} per strip, padding included; the output once"

    def _division(self, busiest: float) -> str:
        if self.threads == 1:
            return ""
        return (
            f"; each packs the input that it reads and has its own consecutive share, cut by non-zeros and packing so that the busiest "
            f"takes {busiest:.2f} of an even share; one that is done takes units from the end of the largest share left"
        )

    def cuts(self) -> list[Cut]:
        """Other cuts that may be faster: longer and shorter strips, fewer and more parts; none for AVX2."""
        if self._isa != "avx512":
            return []
        info = _kernels.info(self._handle)
        strips = {max(1, info["strips"] // 2), info["strips"] * 2} - {info["strips"]}
        parts = {1, info["parts"] * 2} - {info["parts"]}
        return [Cut(-(-info["tiles"] // n), 0) for n in sorted(strips)] + [Cut(0, n) for n in sorted(parts)]

    def seconds(self) -> float:
        """Time of one call as ``tune`` measures it."""
        return call_seconds(self._handle, self.problem)
