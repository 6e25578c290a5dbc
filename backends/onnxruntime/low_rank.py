"""Kernels of the method low rank: the factors of the weights as a chain of dense convolutions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from backends.onnxruntime import cp, tucker
from backends.onnxruntime.model import Link
from backends.onnxruntime.tucker import Double
from harness.contract import InputError, KernelSpec, PlanRequest, Problem
from harness.contract.plan import Array
from perfmodel.methods.low_rank import ranks_at

DEFAULT_ERROR = 0.1
LEAST_ERROR = 1e-5
_RTOL = 1e-4
_NOISE = 1e-7
_ERROR = f"relative Frobenius error of the weights not to exceed, {LEAST_ERROR:g} to below 1 (default {DEFAULT_ERROR:g}); alone"
_SHARE = "ranks as a share of the full ones, above 0 to 1; alone"

TUCKER2 = KernelSpec(
    "tucker2",
    "low_rank",
    "Tucker-2 factors of the weights as Conv nodes: 1x1, kh x kw, 1x1",
    exact=False,
    rtol=_RTOL,
    model="low_rank/tucker2",
    options={
        "rank": "input and output channels between the 1x1 convolutions, of one group: a whole number or a pair",
        "error": _ERROR,
        "share": _SHARE,
    },
)
CP = KernelSpec(
    "cp",
    "low_rank",
    "CP factors of the weights as Conv nodes: 1x1, kh x 1 and 1 x kw a channel, 1x1",
    exact=False,
    rtol=_RTOL,
    model="low_rank/cp",
    options={"rank": "channels between the 1x1 convolutions, of one group: a whole number", "error": _ERROR, "share": _SHARE},
)


class Chain(NamedTuple):
    """Convolutions to run, the weights (OIHW) that they amount to, and their ranks in words."""

    links: tuple[Link, ...]
    weight: Array
    words: str


def make_chain(request: PlanRequest) -> Chain:
    """Factorise the request's weights; raises :class:`InputError` for a wrong ``rank``, ``share`` or ``error``."""
    p = request.problem
    weight = request.weight.astype(np.float64).reshape(p.g, p.oc // p.g, p.ic // p.g, p.kh, p.kw)
    ranks, error = _ranks(request), _error(request.options)
    if request.kernel.name == CP.name:
        terms = cp.factorise(weight, ranks[0]) if ranks else cp.within(weight, p, error)
        return _cp_chain(p, cp.Cp(*map(_single, terms)))
    ranks = ranks or tucker.smallest_ranks(weight, p, error)
    return _tucker_chain(p, tucker.Tucker2(*map(_single, tucker.factorise(weight, *ranks))))


def _ranks(request: PlanRequest) -> tuple[int, ...]:
    """The ranks that ``rank`` or ``share`` ask for; empty where the error decides."""
    p, options, form = request.problem, request.options, request.kernel.name
    if len(given := [name for name in ("rank", "share", "error") if name in options]) > 1:
        raise InputError(f"{' and '.join(f'{name} is {options[name]!r}' for name in given)}; allowed: one of them")
    if "share" in options:
        share = options["share"]
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise InputError(f"share is {share!r}; allowed: a number above 0, at most 1")
        return ranks_at(form, p, float(share))
    if "rank" not in options:
        return ()
    rank = options["rank"]
    if form == CP.name:
        return _whole(rank, (rank,), (min(p.oc, p.ic) // p.g * p.kh * p.kw,))
    return _whole(rank, tuple(rank) if isinstance(rank, list | tuple) else (rank, rank), (p.ic // p.g, p.oc // p.g))


def _error(options: Mapping[str, Any]) -> float:
    error = options.get("error", DEFAULT_ERROR)
    if isinstance(error, bool) or not isinstance(error, int | float) or not LEAST_ERROR <= error < 1:
        raise InputError(f"error is {error!r}; allowed: a number from {LEAST_ERROR:g} to below 1")
    return float(error)


def _whole(given: object, ranks: tuple[Any, ...], most: tuple[int, ...]) -> tuple[int, ...]:
    """``ranks`` if they are whole numbers from 1 to ``most``; else :class:`InputError` about what was ``given``."""
    fits = len(ranks) == len(most) and all(type(r) is int and 1 <= r <= m for r, m in zip(ranks, most, strict=True))
    if not fits:
        pair = f"a whole number or a pair, from 1 to {most[0]} (in) and {most[-1]} (out)"
        raise InputError(f"rank is {given!r}; allowed: {pair if len(most) == 2 else f'a whole number from 1 to {most[0]}'}")
    return ranks


def _single(factor: Double) -> Double:
    """``factor`` as float32 holds it and without its noise, so that the error is that of the weights in use."""
    kept = np.where(np.abs(factor) > _NOISE * np.abs(factor).max(initial=0.0), factor, 0.0)
    rounded: Double = kept.astype(np.float32).astype(np.float64)
    return rounded


def _tucker_chain(p: Problem, factors: tucker.Tucker2) -> Chain:
    groups, r_out, r_in = factors.core.shape[:3]
    links = (
        Link(_conv(factors.into.transpose(0, 2, 1)[..., None, None]), groups=groups),
        Link.whole(p, _conv(factors.core)),
        Link(_conv(factors.out[..., None, None]), groups=groups),
    )
    return Chain(links, _conv(factors.weight()), f"ranks {r_in} (in) and {r_out} (out){_of_each(groups)}")


def _cp_chain(p: Problem, factors: cp.Cp) -> Chain:
    bottom, right = p.end_padding
    channels = p.g * factors.rank
    links = (
        Link(_conv(factors.into.transpose(0, 2, 1)[..., None, None]), groups=p.g),
        Link(
            _conv(factors.tall.transpose(0, 2, 1)[:, :, None, :, None]), (p.sh, 1), (p.ph, 0), (bottom, 0), (p.dh + 1, 1), groups=channels
        ),
        Link(_conv(factors.wide.transpose(0, 2, 1)[:, :, None, None, :]), (1, p.sw), (0, p.pw), (0, right), (1, p.dw + 1), groups=channels),
        Link(_conv(factors.out[..., None, None]), groups=p.g),
    )
    return Chain(links, _conv(factors.weight()), f"rank {factors.rank}{_of_each(p.g)}")


def _conv(grouped: Double) -> Array:
    """Weights (g, oc / g, ic / g, kh, kw) as float32 OIHW."""
    return np.ascontiguousarray(grouped.reshape(-1, *grouped.shape[2:]), np.float32)


def _of_each(groups: int) -> str:
    return f" of each of {groups} groups" if groups > 1 else ""
