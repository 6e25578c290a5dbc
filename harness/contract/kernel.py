"""One declaration per kernel: it drives running, conformance testing and benchmarking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from perfmodel.kernel import KernelParameters
from perfmodel.problem import Problem

Method = Literal["dense", "lowered_sparse", "direct_sparse", "winograd", "fft", "low_rank"]


class Support(NamedTuple):
    """Whether a kernel takes a problem, and if not, why."""

    ok: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a kernel does not do. The default is: no limit."""

    kernel_sizes: tuple[tuple[int, int], ...] = ()
    unit_stride: bool = False
    no_dilation: bool = False
    no_groups: bool = False
    symmetric_padding: bool = False

    def check(self, problem: Problem) -> Support:
        """Say whether ``problem`` is within these limits."""
        p = problem
        if self.kernel_sizes and (p.kh, p.kw) not in self.kernel_sizes:
            allowed = ", ".join(f"{h}x{w}" for h, w in self.kernel_sizes)
            return Support(False, f"kernel size {p.kh}x{p.kw}; this kernel does {allowed}")
        if self.unit_stride and (p.sh, p.sw) != (1, 1):
            return Support(False, f"stride {p.sh}x{p.sw}; this kernel does stride 1")
        if self.no_dilation and (p.dh, p.dw) != (0, 0):
            return Support(False, f"dilation {p.dh}x{p.dw}; this kernel does none")
        if self.no_groups and p.g != 1:
            return Support(False, f"{p.g} groups; this kernel does one")
        if self.symmetric_padding and (p.end_padding[0] > p.ph or p.end_padding[1] > p.pw):
            return Support(False, "padding larger at the end than at the start")
        return Support(True)


@dataclass(frozen=True, slots=True)
class KernelSpec:
    """A kernel as its backend declares it.

    ``exact``: computes the convolution itself, so it may serve as a dense baseline (low rank is not).
    ``rtol``: allowed error relative to the convolution of absolute values.
    ``options``: extra arguments of ``prepare`` and what each means.
    ``alpha``, ``beta``: compute and storage overhead in the paper's model (sec. 2.2), if known.
    ``model``: which of ``perfmodel.methods.MODELS`` projects it (or ``package.module:Class``), by default its method's;
    ``parameters``: vector shape and the like for that model. Without them the paper's model answers.
    ``paper_baseline``: this is the paper's baseline, im2col + SGEMM by MKL.
    """

    name: str
    method: Method
    summary: str
    limits: Limits = Limits()
    exact: bool = True
    rtol: float = 1e-5
    options: Mapping[str, str] = field(default_factory=dict)
    alpha: float | None = None
    beta: float = 2.0
    paper_baseline: bool = False
    model: str = ""
    parameters: KernelParameters | None = None

    @property
    def sparse(self) -> bool:
        """True when the kernel's time depends on the number of non-zeros."""
        return self.method in ("lowered_sparse", "direct_sparse")

    @property
    def transforms(self) -> bool:
        """True when outputs share rounding errors, because they come out of a common transform or of common factors."""
        return self.method in ("winograd", "fft", "low_rank")
