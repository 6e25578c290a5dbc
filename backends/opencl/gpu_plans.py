"""Plans on vectors of images, for GPUs: sparse rows with planes in local memory or cache, or written into the source."""

from __future__ import annotations

import numpy as np
import pyopencl as cl

from backends.opencl.lanes import Ints, Lanes, deal_lanes, vectors_of
from backends.opencl.literal import generated_cases
from backends.opencl.planes import Planes
from backends.opencl.plans import OpenclPlan
from backends.opencl.rows import Staging, build_blocks, build_staged
from backends.opencl.session import Session, Step
from backends.opencl.variants import Choice, Machine, Shape, staged_planes
from harness.contract import PlanRequest, Problem


def image_planes(problem: Problem, images: int, slack: int = 0) -> Planes:
    """Planes whose elements are vectors of ``images``."""
    return Planes(problem.with_batch(vectors_of(problem.mb, images)), slack, odd=True)


class ImagesPlan(OpenclPlan):
    """Pack the input into planes of vectors of images; subclasses multiply."""

    def __init__(self, request: PlanRequest, session: Session, choice: Choice, words: str) -> None:
        super().__init__(request, session, choice, words)
        images = choice.images
        self._lanes: Lanes = deal_lanes(image_planes(self.problem, images), choice.tile, images)
        self._planes = image_planes(self.problem, images, self._lanes.span)
        self._packed = session.floats(self._planes.floats * images, zeroed=True)
        self._floor = np.float32(0 if self.relu else -np.inf)

    def _finish(self, product: Step) -> None:
        """Both launches, run once: some runtimes finish compiling at the first launch, and that belongs to prepare."""
        self._steps = (self._pack(), product)
        self.launch()

    def _pack(self) -> Step:
        p, planes, session = self.problem, self._planes, self._session
        phases, count = np.array(planes.phases, np.int32), self.problem.ic * len(planes.phases)
        kernel = session.kernel("pack_images.cl", "pack_images", {"IMAGES": self.choice.images})
        vectors = planes.problem.mb
        sizes = (-(-vectors * planes.rows * planes.pitch // 64) * 64, count)
        numbers = (len(planes.phases), p.ic, p.ih, p.iw, p.sh, p.sw, p.ph, p.pw, planes.pitch, planes.rows, planes.columns, planes.length)
        return session.step(kernel, sizes, (64, 1), self._x, self._packed, phases, *numbers, vectors, p.mb)

    def _lane_arrays(self) -> tuple[Ints, ...]:
        return self._lanes.first, self._lanes.place, self._lanes.pixel

    def _sizes(self) -> tuple[int, int, int]:
        """Batch, channels and pixels of the output."""
        return self.problem.mb, self.problem.oc, self.problem.oh * self.problem.ow


class StagedPlan(ImagesPlan):
    """Sparse rows times planes that are staged in local memory, or read through the cache."""

    def __init__(self, request: PlanRequest, session: Session, choice: Choice, machine: Machine, shape: Shape) -> None:
        super().__init__(request, session, choice, "")
        planes, v, span = self._planes, choice.variant, self._lanes.span
        staged = v.kind != "cached"
        held = max(1, staged_planes(choice, machine, shape, span)) if staged else planes.group_planes
        apart = span if staged else planes.length
        self._words = f"{held} planes of {span} vectors in local memory at a time; bound by reads of local memory"
        if not staged:
            self._words = f"{planes.floats * choice.images * 4 / 1024:.0f} KiB of planes; bound by reads of the first-level cache"
        taps = Staging(planes.tap_plane, planes.tap_inside, planes.group_planes, planes.group_stride, held, apart)
        rows = build_staged(self.problem, request.weight, taps, choice.rows)
        local = (cl.LocalMemory(4 * choice.images * held * span), span, held) if staged else ()
        kernel = session.kernel(("lanes.h", "staged.cl"), "staged_rows", choice.defines())
        sizes = (v.group * len(self._lanes.first), v.sides * len(rows.base))
        arrays = (rows.bound, rows.entry, rows.channel, rows.base, self._bias, *self._lane_arrays())
        numbers = (planes.group_planes, planes.length, *self._sizes())
        self._finish(session.step(kernel, sizes, (v.group, v.sides), self._packed, *arrays, self._y, self._floor, *local, *numbers))


class LiteralPlan(ImagesPlan):
    """Sparse rows whose pattern and weights are in the kernel's source."""

    def __init__(self, request: PlanRequest, session: Session, choice: Choice) -> None:
        super().__init__(request, session, choice, "weights in the kernel's code; bound by instruction fetch")
        planes, group = self._planes, choice.variant.group
        blocks = build_blocks(self.problem, request.weight, planes.offsets, planes.group_stride, choice.height)
        source = {"GENERATED_CASES": generated_cases(blocks)}
        kernel = session.kernel(("lanes.h", "literal.cl"), "literal_rows", choice.defines(), source)
        sizes = (group * len(self._lanes.first), blocks.blocks)
        arrays = (blocks.channel, blocks.base, self._bias, *self._lane_arrays())
        self._finish(session.step(kernel, sizes, (group, 1), self._packed, *arrays, self._y, self._floor, *self._sizes()))
