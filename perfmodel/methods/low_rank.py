"""Low-rank convolution: a chain of smaller dense convolutions (Tucker-2 or CP); an approximation, not the convolution itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

from perfmodel.errors import InputError
from perfmodel.hardware import Hardware
from perfmodel.kernel import KernelParameters
from perfmodel.methods.base import MethodModel
from perfmodel.methods.dense import Dense
from perfmodel.problem import Problem


class LowRank(MethodModel):
    """The factor chain as dense convolutions; its terms are their sums.

    ``tucker2`` with ranks (r_in, r_out): 1x1 ic -> r_in, kh x kw r_in -> r_out, 1x1 r_out -> oc (Kim et al., ICLR 2016).
    ``cp`` with rank r: 1x1 ic -> r, kh x 1 and 1 x kw over each of the r channels, 1x1 r -> oc (Lebedev et al., ICLR 2015).
    """

    method = "low_rank"
    kinds: ClassVar[Mapping[str, str]] = Dense.kinds

    def __init__(self, form: Literal["tucker2", "cp"], rank: int | Sequence[int]) -> None:
        """Choose form and rank; raises :class:`InputError` for another form or a wrong number of ranks."""
        ranks = (rank,) if isinstance(rank, int) else tuple(rank)
        if form not in ("tucker2", "cp"):
            raise InputError(f"form is {form!r}; allowed: tucker2, cp")
        most, allowed = (2, "one or two whole numbers from 1") if form == "tucker2" else (1, "a whole number from 1")
        if not 1 <= len(ranks) <= most or any(isinstance(r, bool) or not isinstance(r, int) or r < 1 for r in ranks):
            raise InputError(f"rank is {rank!r}; allowed for {form}: {allowed}")
        self.form, self.ranks, self._dense = form, (ranks * 2 if form == "tucker2" else ranks)[:2], Dense("direct")

    def chain(self, problem: Problem) -> tuple[Problem, ...]:
        """The convolutions that run one after the other; raises :class:`InputError` for grouped problems."""
        p = problem
        if p.g != 1:
            raise InputError(f"problem has {p.g} groups; allowed: 1 for low_rank")
        first = Problem(1, p.mb, ic=p.ic, ih=p.ih, iw=p.iw, oc=self.ranks[0], oh=p.ih, ow=p.iw, kh=1, kw=1)
        last = Problem(1, p.mb, ic=self.ranks[-1], ih=p.oh, iw=p.ow, oc=p.oc, oh=p.oh, ow=p.ow, kh=1, kw=1)
        if self.form == "tucker2":
            return first, dataclasses.replace(p, ic=self.ranks[0], oc=self.ranks[1], name=""), last
        r = self.ranks[0]
        tall = dataclasses.replace(p, g=r, ic=r, oc=r, kw=1, ow=p.iw, sw=1, pw=0, dw=0, name="")
        wide = dataclasses.replace(p, g=r, ic=r, oc=r, kh=1, ih=p.oh, sh=1, ph=0, dh=0, name="")
        return first, tall, wide, last

    def flops(self, problem: Problem, density: float) -> float:
        """Sum over the chain."""
        return float(sum(part.flops for part in self.chain(problem)))

    def traffic(self, problem: Problem, density: float) -> dict[str, float]:
        """Sum over the chain."""
        return _added(self._dense.traffic(part, 1.0) for part in self.chain(problem))

    def terms(self, problem: Problem, density: float, kernel: KernelParameters) -> dict[str, float]:
        """Counts of the terms, as the class describes them."""
        return _added(self._dense.terms(part, 1.0, kernel) for part in self.chain(problem))

    def first_costs(self, hardware: Hardware, kernel: KernelParameters) -> dict[str, float]:
        """Costs from first principles."""
        return self._dense.first_costs(hardware, kernel)


def _added(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total.get(name, 0.0) + value
    return total
