"""From a request to a plan: choose variant and parameters, lay out the weights, set the kernels up."""

from __future__ import annotations

from functools import cache, partial

import numpy as np

from backends.opencl.planes import Planes
from backends.opencl.plans import DirectPlan, LoweredPlan, OpenclPlan, StagedPlan, lowered_panels
from backends.opencl.rows import Staging, build_blocks, build_staged, union_columns
from backends.opencl.session import Session
from backends.opencl.tune import question, tuned
from backends.opencl.variants import VARIANTS, Choice, Machine, Shape, candidates, cost, pick, staged_planes
from harness.contract import InputError, PlanRequest, Problem

_WIDEST_TILE = 1024  # pixels; no variant's tile is larger


def buffer_floats(kernel: str, problem: Problem) -> dict[str, int]:
    """Floats of the largest buffers besides input and output."""
    p = problem
    if kernel == "im2col_gemm":
        return {"one panel of the lowered input": p.ic * p.kh * p.kw * _WIDEST_TILE}
    return {"padded input": Planes(p, _WIDEST_TILE).floats}


def make_plan(session: Session, request: PlanRequest) -> OpenclPlan:
    """Build the plan of the cheapest choice; raises :class:`InputError` for an option that does not fit."""
    machine = _machine(session)
    options, shape = request.options, _shape(request)
    wanted = str(options.get("variant") or "")
    pixels, height = (_parameter(options.get(name), name) for name in ("pixels", "height"))
    choices = [c for c in candidates(machine, shape, wanted, pixels, height) if c.tile <= _WIDEST_TILE]

    def price(choice: Choice) -> float:
        return cost(choice, machine, shape)

    if not options.get("tune"):
        return build_plan(session, request, pick(choices, price))
    ranked = sorted(choices, key=price)
    pick(ranked, price)  # refuses an empty list
    asked = f"{question(request, session.units)} {wanted} {pixels} {height}"
    return build_plan(session, request, tuned(session.description, asked, ranked, lambda choice: build_plan(session, request, choice)))


def build_plan(session: Session, request: PlanRequest, choice: Choice) -> OpenclPlan:
    """The plan of this choice."""
    if request.kernel.name == "im2col_gemm":
        return _lowered(session, request, choice)
    p, weight, planes = request.problem, request.weight, Planes(request.problem, choice.tile)
    if choice.variant.sides:
        held, span = staged_planes(choice, _machine(session), _shape(request)), choice.tile + planes.reach
        taps = Staging(planes.tap_plane, planes.tap_inside, planes.group_planes, planes.group_stride, held, span)
        return StagedPlan(request, session, choice, planes, build_staged(p, weight, taps, choice.height * choice.variant.sides), taps)
    dense = request.kernel.name == "direct_dense"
    blocks = build_blocks(p, weight, planes.offsets, planes.group_stride, choice.height, dense)
    return DirectPlan(request, session, choice, planes, blocks, dense)


def _lowered(session: Session, request: PlanRequest, choice: Choice) -> LoweredPlan:
    p = request.problem
    taps = p.ic // p.g * p.kh * p.kw
    group_stride = lowered_panels(p, choice.tile, session.largest_buffer) * taps * choice.tile
    offsets = np.arange(taps, dtype=np.int64) * choice.tile
    return LoweredPlan(request, session, choice, build_blocks(p, request.weight, offsets, group_stride, choice.height, dense=True))


def _machine(session: Session) -> Machine:
    return Machine(session.vector_width, session.units, session.is_cpu, session.local_bytes)


def _shape(request: PlanRequest) -> Shape:
    """The work as the rule sees it."""
    p = request.problem
    planes = Planes(p, 0)
    if request.kernel.sparse:
        columns = cache(partial(union_columns, p, request.weight.reshape(p.oc, -1) != 0))
        return Shape(planes.positions, p.oc, p.g, columns, False, planes.group_planes, planes.reach)
    taps = p.ic // p.g * p.kh * p.kw

    def every(height: int) -> int:
        return p.g * -(-(p.oc // p.g) // height) * taps

    lowered = request.kernel.name == "im2col_gemm"
    return Shape(p.mb * p.oh * p.ow if lowered else planes.positions, p.oc, p.g, every, lowered)


def _parameter(value: object, name: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    allowed = sorted({n for v in VARIANTS.values() for n in (v.pixels if name == "pixels" else v.heights)})
    raise InputError(f"{name} is {value!r}; allowed: {', '.join(map(str, allowed))}")
