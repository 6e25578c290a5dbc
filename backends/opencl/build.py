"""From a request to a plan: choose variant and parameters, lay out the weights, set the kernels up."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pyopencl as cl

from backends.opencl.gpu_plans import LiteralPlan, StagedPlan, image_planes
from backends.opencl.gpu_rule import gpu_cost
from backends.opencl.planes import Planes
from backends.opencl.plans import DirectPlan, LoweredPlan, OpenclPlan, lowered_panels
from backends.opencl.rows import UnionColumns, build_blocks
from backends.opencl.session import Session
from backends.opencl.tune import BUILDING_S, first_taken, question, tuned
from backends.opencl.variants import VARIANTS, WIDEST_TILE, Choice, Machine, Shape, candidates, cpu_cost, pick
from harness.contract import BreakevenError, InputError, PlanRequest, Problem


def buffer_floats(kernel: str, problem: Problem) -> dict[str, int]:
    """Floats of the largest buffers besides input and output."""
    p = problem
    if kernel == "im2col_gemm":
        return {"one panel of the lowered input": p.ic * p.kh * p.kw * WIDEST_TILE}
    return {"padded input": Planes(p, WIDEST_TILE).floats}


def make_plan(session: Session, request: PlanRequest) -> OpenclPlan:
    """Build the plan of the cheapest choice; raises :class:`InputError` for an option that does not fit."""
    machine = _machine(session)
    options, shape = request.options, _shape(request)
    wanted, patience = str(options.get("variant") or ""), _patience(options.get("tune"))
    given = {name: _parameter(options.get(name), name) for name in ("pixels", "height", "images")}
    found = candidates(machine, shape, wanted, patience > 0, **given)
    choices = [c for c in found if c.tile <= WIDEST_TILE and _planes_fit(c, request.problem, session)]

    def price(choice: Choice) -> float:
        return (cpu_cost if machine.is_cpu else gpu_cost)(choice, machine, shape)

    ranked = sorted(choices, key=price)
    pick(ranked, price)  # refuses an empty list
    started = session.build_s

    def build(choice: Choice) -> OpenclPlan:
        return _taken(session, request, choice)

    if patience:
        asked = f"{question(request, session.units)} {wanted} {given}"
        ranked = [tuned(session.description, asked, ranked, build, patience)]
    plan = first_taken(ranked, build)
    plan.build_s = session.build_s - started
    return plan


def _taken(session: Session, request: PlanRequest, choice: Choice) -> OpenclPlan:
    """The plan of this choice, launched once; raises :class:`BreakevenError` with the driver's words when the device refuses it."""
    try:
        return build_plan(session, request, choice)
    except cl.Error as error:
        reason = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
        raise BreakevenError(f"{session.description.name} refuses {request.kernel.name} as {choice}: {reason}") from error


def build_plan(session: Session, request: PlanRequest, choice: Choice) -> OpenclPlan:
    """The plan of this choice."""
    if request.kernel.name == "im2col_gemm":
        return _lowered(session, request, choice)
    if choice.variant.kind == "literal":
        return LiteralPlan(request, session, choice)
    if choice.variant.kind in ("staged", "cached", "constant"):
        return StagedPlan(request, session, choice, _machine(session), _shape(request))
    p, weight, planes = request.problem, request.weight, Planes(request.problem, choice.tile)
    dense = request.kernel.name == "direct_dense"
    blocks = build_blocks(p, weight, planes.offsets, planes.group_stride, _block_rows(choice), dense)
    return DirectPlan(request, session, choice, planes, blocks, dense)


def _block_rows(choice: Choice) -> int:
    """Output channels of a block of weights."""
    return choice.rows if choice.variant.kind == "tiled" else choice.height


def _planes_fit(choice: Choice, problem: Problem, session: Session) -> bool:
    """Vectors of images may make the planes larger than the single images that the limits were checked for."""
    return choice.images == 1 or 4 * choice.images * image_planes(problem, choice.images, WIDEST_TILE).floats <= session.largest_buffer


def _lowered(session: Session, request: PlanRequest, choice: Choice) -> LoweredPlan:
    p = request.problem
    taps = p.ic // p.g * p.kh * p.kw
    group_stride = lowered_panels(p, choice.tile, session.largest_buffer) * taps * choice.tile
    offsets = np.arange(taps, dtype=np.int64) * choice.tile
    return LoweredPlan(request, session, choice, build_blocks(p, request.weight, offsets, group_stride, _block_rows(choice), dense=True))


def _machine(session: Session) -> Machine:
    limits = (session.local_bytes, session.constant_bytes, session.group_items)
    return Machine(session.vector_width, session.units, session.is_cpu, *limits)


def _shape(request: PlanRequest) -> Shape:
    """The work as the rule sees it."""
    p = request.problem
    planes = Planes(p, 0)
    if request.kernel.sparse:
        columns = cache(UnionColumns(p, request.weight))
        return Shape(planes.positions, p.oc, p.g, columns, False, planes.group_planes, planes.reach, p.mb, p.oh * p.ow)
    taps = p.ic // p.g * p.kh * p.kw

    def every(height: int) -> int:
        return p.g * -(-(p.oc // p.g) // height) * taps

    lowered = request.kernel.name == "im2col_gemm"
    return Shape(p.mb * p.oh * p.ow if lowered else planes.positions, p.oc, p.g, every, lowered)


def _patience(tune: object) -> float:
    """Seconds after which tuning builds nothing more; 0 without tuning."""
    if isinstance(tune, int | float) and not isinstance(tune, bool) and 0 < tune < math.inf:
        return float(tune)
    if tune in (None, True, False):
        return BUILDING_S if tune else 0.0
    raise InputError(f"tune is {tune!r}; allowed: True, False, or the seconds that building candidates may take")


def _parameter(value: object, name: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    allowed = sorted({n for v in VARIANTS.values() for n in {"pixels": v.pixels, "height": v.heights, "images": v.images}[name]})
    raise InputError(f"{name} is {value!r}; allowed: {', '.join(map(str, allowed))}")
