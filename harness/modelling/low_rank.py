"""Low-rank chains beside the exact kernels: their times at a stated rank, the error of their weights left open."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from harness.contract import Hardware, InputError, KernelSpec, Problem
from harness.modelling.store import ModelledKernel
from perfmodel import project as model
from perfmodel.methods import LowRank, find_model
from perfmodel.methods.low_rank import ranks_at
from perfmodel.project import Projection

UNKNOWN_ERROR = "an approximation; the error of the weights is known when they are factorised (task=bench states it)"


@dataclass(frozen=True)
class Chain:
    """A low-rank kernel that keeps ``share`` of the full rank."""

    kernel: ModelledKernel
    share: float

    @property
    def name(self) -> str:
        """The kernel, its share, and that it approximates."""
        return f"{self.kernel.name} at {self.share:g} of the full rank (approximates)"

    def ranks(self, problem: Problem) -> tuple[int, ...]:
        """Ranks of one group: (in, out) for Tucker-2, one for CP."""
        return ranks_at(_model(self.kernel).form, problem, self.share)

    def project(self, problem: Problem, dense_s: float) -> Projection:
        """Its time, and speed-up over ``dense_s``; errors as in :mod:`perfmodel.project`."""
        found = model.project(problem, self.share, self.kernel.hardware, self.kernel.contender, dense_s)
        words = f"rank {' and '.join(map(str, self.ranks(problem)))}: {UNKNOWN_ERROR}"
        return dataclasses.replace(found, name=self.name, note="; ".join(filter(None, (words, found.note))))


def open_chains(known: Sequence[ModelledKernel], hardware: Hardware, threads: int, shares: Sequence[float]) -> tuple[Chain, ...]:
    """A chain a form and share: as calibrated among ``known``, else by first principles on ``hardware``."""
    kernels = [kernel for kernel in known if isinstance(find_model(kernel.model), LowRank)]
    seen = {_model(kernel).form for kernel in kernels}
    for form in ("tucker2", "cp"):
        if form not in seen:
            spec = KernelSpec(form, "low_rank", "", exact=False, model=f"low_rank/{form}")
            kernels.append(ModelledKernel.declared("any", spec, threads, hardware))
    return tuple(Chain(kernel, share) for kernel in kernels for share in shares)


def _model(kernel: ModelledKernel) -> LowRank:
    found = find_model(kernel.model)
    if not isinstance(found, LowRank):
        raise InputError(f"{kernel.name} is no low-rank chain; allowed: kernels whose model is low_rank/tucker2 or low_rank/cp")
    return found
