"""Plans: buffers, kernels with their arguments, and the launches of one call."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyopencl as cl

from backends.opencl.planes import Planes
from backends.opencl.rows import RowBlocks
from backends.opencl.session import Session, Step
from backends.opencl.variants import Choice
from harness.contract import KernelClock, Plan, PlanRequest, Problem
from harness.contract.plan import Array

_LOWERED_BYTES = 1 << 26  # a lowered input larger than this is made and used in passes


class Pixels(NamedTuple):
    """How flat positions map to output pixels: position = (image * rows + y) * pitch + x, for y < height and x < width."""

    pitch: int
    rows: int
    images: int
    height: int
    width: int

    def joined(self) -> Pixels:
        """The same mapping with each image as one long row, where no gaps lie between the rows."""
        if (self.pitch, self.rows) != (self.width, self.height):
            return self
        return Pixels(self.pitch * self.rows, 1, self.images, 1, self.width * self.height)


class OpenclPlan(Plan):
    """Input up, launches, output down; one call at a time, because the buffers belong to the plan."""

    def __init__(self, request: PlanRequest, session: Session, choice: Choice, words: str) -> None:
        super().__init__(request, "opencl", session.units)
        self._session, self.choice, self._words = session, choice, words
        self.build_s = 0.0  # seconds of prepare_s that went into building programs, from source or from the cache on disk
        self._bias = np.zeros(self.problem.oc, np.float32) if request.bias is None else request.bias
        self._x = session.floats(int(np.prod(self.problem.input_shape)))
        self._y = session.floats(int(np.prod(self.problem.output_shape)))
        self._steps: Sequence[Step] = ()
        self._lock = threading.Lock()

    def _run(self, x: Array, y: Array) -> KernelClock:
        with self._lock:
            if self._session.shares_memory:
                return self._run_in_place(x, y)
            cl.enqueue_copy(self._session.queue, self._x, x, is_blocking=True)
            clock = self._session.launch(self._steps)
            cl.enqueue_copy(self._session.queue, y, self._y, is_blocking=True)
        return clock

    def _run_in_place(self, x: Array, y: Array) -> KernelClock:
        """On a CPU device the kernels read and write the caller's arrays themselves, by their addresses where the device takes those.

        Else through buffers over them, which cost some 20 microseconds and more when caches are cold; READ_WRITE ones, because Intel's
        runtime copies the array of a READ_ONLY one. pyopencl refuses both for an array that cannot be written, so such an input is copied.
        """
        session = self._session
        if not x.flags.writeable:
            cl.enqueue_copy(session.queue, self._x, x, is_blocking=True)
        if session.takes_addresses:
            self._bind(cl.SVM(x) if x.flags.writeable else self._x, cl.SVM(y))
            return session.launch(self._steps)
        in_place = cl.mem_flags.READ_WRITE | cl.mem_flags.USE_HOST_PTR
        result = cl.Buffer(session.context, in_place, hostbuf=y)
        given = cl.Buffer(session.context, in_place, hostbuf=x) if x.flags.writeable else self._x
        self._bind(given, result)
        clock = session.launch(self._steps)
        mapped, _ = cl.enqueue_map_buffer(session.queue, result, cl.map_flags.READ, 0, y.shape, y.dtype, is_blocking=True)
        mapped.base.release(session.queue)
        return clock

    @cached_property
    def _places(self) -> list[tuple[Any, int, bool]]:
        """Where a step takes the input (True) or the output: how to set it, and which argument it is."""
        ours = {id(self._x): True, id(self._y): False}
        return [(s.kernel.set_arg, i, ours[id(a)]) for s in self._steps for i, a in enumerate(s.arguments) if id(a) in ours]

    def _bind(self, x: Any, y: Any) -> None:
        """Point every step that reads the input or writes the output at these; only those of the latest call are valid."""
        for set_arg, place, reads in self._places:
            set_arg(place, x if reads else y)

    def launch(self, times: int = 1) -> KernelClock:
        """The kernels alone, on the plan's own buffers, ``times`` in a row; the clock counts them all."""
        self._bind(self._x, self._y)
        return self._session.launch([*self._steps] * times)

    def poison(self) -> None:
        """Fill the output buffer with NaN, to show that every pixel is written."""
        cl.enqueue_fill_buffer(self._session.queue, self._y, np.float32(np.nan), 0, self._y.size).wait()

    def explain(self) -> str:
        """Device, layout, bound, variant and seconds of compilation in one line."""
        device = self._session.description
        return (
            f"opencl {self.kernel.name} on {device.name} by {device.platform}: {self._words}; {self.choice}; built in {self.build_s:.3f} s"
        )

    def _product(self, blocks: RowBlocks, shared: bool, source: cl.Buffer, tiles: tuple[int, int, int], pixels: Pixels) -> Step:
        """The launch of rows.cl or tiled.cl on ``tiles`` = (stride, first, count) of ``source``."""
        p, choice, session = self.problem, self.choice, self._session
        pixels = pixels.joined()
        stride, first, count = tiles
        group, sides = choice.variant.group, choice.variant.sides
        floor = np.float32(0 if self.relu else -np.inf)
        where = (stride, first, *pixels[:3], p.oc, *pixels[3:])
        rows = (blocks.channel, blocks.base, self._bias)
        if choice.variant.kind == "tiled":
            kernel, taps = session.kernel("tiled.cl", "tiled_rows", choice.defines()), len(blocks.offset)
            sizes = (group * count, sides * blocks.blocks)
            return session.step(kernel, sizes, (group, sides), source, blocks.offset, blocks.value, *rows, self._y, floor, taps, *where)
        kernel = session.kernel("rows.cl", "rows_times_planes", choice.defines(shared))
        sizes = (blocks.blocks, count) if choice.variant.width > 1 else (group * count, blocks.blocks)
        arrays = (blocks.start, blocks.offset, blocks.value, *rows)
        return session.step(kernel, sizes, (group, 1), source, *arrays, self._y, floor, *where)


class DirectPlan(OpenclPlan):
    """Pack into planes, then row blocks times shifted planes."""

    def __init__(self, request: PlanRequest, session: Session, choice: Choice, planes: Planes, blocks: RowBlocks, shared: bool) -> None:
        words = f"input packed into {planes.floats * 4 / 1024:.0f} KiB of planes, no lowering; bound by the loads of the shifted planes"
        super().__init__(request, session, choice, words)
        packed = session.floats(planes.floats, zeroed=True)
        p = self.problem
        tiles = (choice.tile, 0, -(-planes.positions // choice.tile))
        product = self._product(blocks, shared, packed, tiles, Pixels(planes.pitch, planes.rows, p.mb, p.oh, p.ow))
        self._steps = (_pack(session, planes, self._x, packed), product)
        self.launch()  # runtimes finish compiling at the first launch: that belongs to prepare


class LoweredPlan(OpenclPlan):
    """im2col into panels, then a GEMM with the packed weights, in passes if the lowered input is large."""

    def __init__(self, request: PlanRequest, session: Session, choice: Choice, blocks: RowBlocks) -> None:
        p = request.problem
        taps, tile = p.ic // p.g * p.kh * p.kw, choice.tile
        pixels = p.mb * p.oh * p.ow
        panels = -(-pixels // tile)
        at_once = lowered_panels(p, tile, session.largest_buffer)
        super().__init__(request, session, choice, f"input lowered in passes of {at_once} panels of {tile} pixels; bound by multiply-adds")
        lowered = session.floats(p.g * at_once * taps * tile)
        lanes = 64 if choice.variant.kind == "tiled" else choice.variant.group
        kernel = session.kernel("im2col.cl", "im2col", {"TILE": tile, "LANES": lanes})
        sizes = (p.ic, p.ih, p.iw, p.kh, p.kw, p.sh, p.sw, p.ph, p.pw, p.dh + 1, p.dw + 1, p.oh, p.ow, taps, pixels)
        steps = []
        for first in range(0, panels, at_once):
            count = min(at_once, panels - first)
            lower = session.step(kernel, (lanes * count, p.ic * p.kh * p.kw), (lanes, 1), self._x, lowered, *sizes, first, at_once)
            steps += [lower, self._product(blocks, True, lowered, (taps * tile, first, count), Pixels(p.ow, p.oh, p.mb, p.oh, p.ow))]
            kernel = session.kernel("im2col.cl", "im2col", {"TILE": tile, "LANES": lanes})
        self._steps = tuple(steps)
        self.launch()


def lowered_panels(problem: Problem, tile: int, largest: int) -> int:
    """Panels of ``tile`` pixels to lower at once so that the buffer stays small; 0 if not one fits into ``largest`` bytes."""
    p = problem
    panel_bytes = 4 * p.ic * p.kh * p.kw * tile
    wanted = min(largest, max(_LOWERED_BYTES, panel_bytes))
    return min(-(-p.mb * p.oh * p.ow // tile), wanted // panel_bytes)


def _pack(session: Session, planes: Planes, x: cl.Buffer, to: cl.Buffer) -> Step:
    """The launch that fills the planes."""
    p = planes.problem
    phase = np.array(planes.phases, np.int32)
    count = p.ic * len(planes.phases)
    numbers = (len(planes.phases), p.ic, p.ih, p.iw, p.sh, p.sw, p.ph, p.pw, planes.pitch, planes.rows, planes.columns, planes.length)
    if session.is_cpu:
        kernel = session.kernel("pack.cl", "pack_rows", {"CPU": 1})
        return session.step(kernel, (p.mb, count), (1, 1), x, to, phase, *numbers)
    kernel = session.kernel("pack.cl", "pack_pixels", {"CPU": 0})
    sizes = (-(-p.mb * planes.rows * planes.pitch // 64) * 64, count)
    return session.step(kernel, sizes, (64, 1), x, to, phase, *numbers, p.mb)
