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


def ranks_at(form: str, problem: Problem, share: float) -> tuple[int, ...]:
    """Ranks of one group at a share of the full ones, each at least 1; those that the other makes pointless are lowered.

    Full are the channels (Tucker-2), or the smaller number of channels times the taps (CP).
    """
    p, taps = problem, problem.kh * problem.kw
    ic, oc = p.ic // p.g, p.oc // p.g
    if form == "cp":
        return (max(1, round(share * min(ic, oc) * taps)),)
    into, out = max(1, round(share * ic)), max(1, round(share * oc))
    out = min(out, into * taps)
    return min(into, out * taps), out


class LowRank(MethodModel):
    """The factor chain as dense convolutions; its terms are their sums, but ``alone``: FLOP of links with one channel a group.

    ``tucker2`` with ranks (r_in, r_out): 1x1 ic -> r_in, kh x kw r_in -> r_out, 1x1 r_out -> oc (Kim et al., ICLR 2016).
    ``cp`` with rank r: 1x1 ic -> r, kh x 1 and 1 x kw over each of the r channels, 1x1 r -> oc (Lebedev et al., ICLR 2015).
    Ranks are those of one group. Without a rank the density is the share of the full rank that is kept (:func:`ranks_at`).
    """

    method = "low_rank"
    setting = "share"
    kinds: ClassVar[Mapping[str, str]] = {**Dense.kinds, "alone": "compute"}

    def __init__(self, form: Literal["tucker2", "cp"], rank: int | Sequence[int] | None = None) -> None:
        """Choose form and rank; raises :class:`InputError` for another form or a wrong number of ranks."""
        ranks = () if rank is None else (rank,) if isinstance(rank, int) else tuple(rank)
        if form not in ("tucker2", "cp"):
            raise InputError(f"form is {form!r}; allowed: tucker2, cp")
        most, allowed = (2, "one or two whole numbers from 1") if form == "tucker2" else (1, "a whole number from 1")
        few = rank is not None and not ranks
        if few or len(ranks) > most or any(isinstance(r, bool) or not isinstance(r, int) or r < 1 for r in ranks):
            raise InputError(f"rank is {rank!r}; allowed for {form}: {allowed}")
        self.form, self.ranks, self._dense = form, (ranks * 2 if form == "tucker2" else ranks)[:2], Dense("direct")

    def chain(self, problem: Problem, share: float = 1.0) -> tuple[Problem, ...]:
        """The convolutions that run one after the other; ``share`` of the full rank where none was given."""
        p, ranks = problem, self.ranks or ranks_at(self.form, problem, share)
        into, out = p.g * ranks[0], p.g * ranks[-1]
        first = Problem(p.g, p.mb, ic=p.ic, ih=p.ih, iw=p.iw, oc=into, oh=p.ih, ow=p.iw, kh=1, kw=1)
        last = Problem(p.g, p.mb, ic=out, ih=p.oh, iw=p.ow, oc=p.oc, oh=p.oh, ow=p.ow, kh=1, kw=1)
        if self.form == "tucker2":
            return first, dataclasses.replace(p, ic=into, oc=out, name=""), last
        tall = dataclasses.replace(p, g=into, ic=into, oc=into, kw=1, ow=p.iw, sw=1, pw=0, dw=0, name="")
        wide = dataclasses.replace(p, g=into, ic=into, oc=into, kh=1, ih=p.oh, sh=1, ph=0, dh=0, name="")
        return first, tall, wide, last

    def flops(self, problem: Problem, density: float) -> float:
        """Sum over the chain."""
        return float(sum(part.flops for part in self.chain(problem, density)))

    def traffic(self, problem: Problem, density: float) -> dict[str, float]:
        """Sum over the chain."""
        return _added(self._dense.traffic(part, 1.0) for part in self.chain(problem, density))

    def terms(self, problem: Problem, density: float, kernel: KernelParameters) -> dict[str, float]:
        """Counts of the terms, as the class describes them."""
        chain = self.chain(problem, density)
        alone = float(sum(part.flops for part in chain if part.g == part.ic == part.oc > 1))
        total = _added(self._dense.terms(part, 1.0, kernel) for part in chain)
        return total | {"multiply": total["multiply"] - alone, "alone": alone}

    def first_costs(self, hardware: Hardware, kernel: KernelParameters) -> dict[str, float]:
        """Costs from first principles: one channel at a time there is a load for each multiply-add, and no reuse."""
        costs = self._dense.first_costs(hardware, kernel)
        return costs | {"alone": 4.0 * costs["multiply"]}


def _added(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total.get(name, 0.0) + value
    return total
