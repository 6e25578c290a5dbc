"""From a request to a plan: choose variant and parameters, lay out the weights, set the kernels up."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from backends.opencl.planes import Planes
from backends.opencl.plans import DirectPlan, LoweredPlan, OpenclPlan, lowered_panels
from backends.opencl.rows import build_blocks, union_columns
from backends.opencl.session import Session
from backends.opencl.variants import VARIANTS, Choice, Machine, candidates, cost, pick
from harness.contract import InputError, PlanRequest, Problem

_WIDEST_TILE = 1024  # pixels; no variant's tile is larger


class Work(NamedTuple):
    """What the cost of a choice depends on: pixels to cover, and columns of the row blocks by height."""

    positions: int
    columns: Callable[[int], int]
    aligned: bool


def buffer_floats(kernel: str, problem: Problem) -> dict[str, int]:
    """Floats of the largest buffers besides input and output."""
    p = problem
    if kernel == "im2col_gemm":
        return {"one panel of the lowered input": p.ic * p.kh * p.kw * _WIDEST_TILE}
    return {"padded input": Planes(p, _WIDEST_TILE).floats}


def make_plan(session: Session, request: PlanRequest) -> OpenclPlan:
    """Build the plan of the cheapest choice; raises :class:`InputError` for an option that does not fit."""
    machine = Machine(session.vector_width, session.units, session.is_cpu)
    options = request.options
    wanted = str(options.get("variant") or "")
    pixels, height = (_parameter(options.get(name), name) for name in ("pixels", "height"))
    choices = [c for c in candidates(machine, wanted, pixels, height) if c.tile <= _WIDEST_TILE]
    work = _work(request)

    def price(choice: Choice) -> float:
        blocks = request.problem.g * -(-(request.problem.oc // request.problem.g) // choice.height)
        return cost(choice, machine, work.positions, blocks, work.columns(choice.height), work.aligned)

    return build_plan(session, request, pick(choices, price))


def build_plan(session: Session, request: PlanRequest, choice: Choice) -> OpenclPlan:
    """The plan of this choice."""
    p, weight = request.problem, request.weight
    if request.kernel.name == "im2col_gemm":
        taps = p.ic // p.g * p.kh * p.kw
        at_once = lowered_panels(p, choice.tile, session.largest_buffer)
        offsets = np.arange(taps, dtype=np.int64) * choice.tile
        blocks = build_blocks(p, weight, offsets, at_once * taps * choice.tile, choice.height, dense=True)
        return LoweredPlan(request, session, choice, blocks)
    planes = Planes(p, choice.tile)
    dense = request.kernel.name == "direct_dense"
    blocks = build_blocks(p, weight, planes.offsets, planes.group_stride, choice.height, dense)
    return DirectPlan(request, session, choice, planes, blocks, dense)


def _work(request: PlanRequest) -> Work:
    p = request.problem
    if request.kernel.sparse:
        known: dict[int, int] = {}

        def columns(height: int) -> int:
            if height not in known:
                known[height] = union_columns(p, request.weight, height)
            return known[height]

        return Work(Planes(p, 0).positions, columns, False)
    taps = p.ic // p.g * p.kh * p.kw

    def every(height: int) -> int:
        return p.g * -(-(p.oc // p.g) // height) * taps

    lowered = request.kernel.name == "im2col_gemm"
    return Work(p.mb * p.oh * p.ow if lowered else Planes(p, 0).positions, every, lowered)


def _parameter(value: object, name: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    allowed = sorted({n for v in VARIANTS.values() for n in (v.pixels if name == "pixels" else v.heights)})
    raise InputError(f"{name} is {value!r}; allowed: {', '.join(map(str, allowed))}")
