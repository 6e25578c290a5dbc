"""The rule that ranks variants on GPUs, in cycles of one compute unit; only the order matters.

A unit multiplies 128 scalars a cycle, reads 32 words of local memory or first-level cache, and issues four instructions of
32 lanes (NVIDIA since Volta; AMD's ratios are the same). docs/opencl.md derives what follows from that.
"""

from __future__ import annotations

import math

from backends.opencl.variants import Choice, Machine, Shape, staged_planes

_THROUGH_CACHE = 1.25  # a shifted read of vectors cuts one more cache line than it fills
_HIDING_WARPS = 16  # resident warps from which on a unit hides its latencies
_SEGMENT = 12.0  # cycles of a warp around the non-zeros of one row in one block of planes
_FETCH = 0.5  # multiply-adds a cycle and pipe that instruction fetch feeds in straight code


def gpu_cost(choice: Choice, machine: Machine, shape: Shape) -> float:
    """Cycles until the busiest compute unit is done."""
    rows = shape.row_groups(choice.rows)
    groups = shape.tiles(choice) * rows
    warps = choice.variant.group * choice.variant.sides / 32
    turns = groups / machine.units
    turns = math.ceil(turns) if turns < 8 else turns + 0.5
    per_group = {"rows": _rows, "tiled": _tiled, "literal": _literal}.get(choice.variant.kind, _staged)
    idle = _HIDING_WARPS / min(_HIDING_WARPS, max(1.0, turns) * warps)
    return per_group(choice, machine, shape) / rows * turns * idle


def _rows(choice: Choice, machine: Machine, shape: Shape) -> float:
    """Cycles of the work-groups of one tile, all rows: loads of pixels, offset and values against multiply-adds."""
    p, h = choice.pixels, choice.height
    values = h / 4 if h % 4 == 0 else h
    column = max(_THROUGH_CACHE * p + 1 + values, (p * h + p + 3) / 4)
    return shape.columns(h) * column * choice.variant.group / 32


def _staged(choice: Choice, machine: Machine, shape: Shape) -> float:
    """A read of local memory for every multiply-add, one for every entry, and the copies of the windows."""
    v, p, words = choice.variant, choice.pixels, choice.pixels * choice.images
    broadcast = 0.0 if v.kind == "constant" else 1.0
    loads = words * (_THROUGH_CACHE if v.kind == "cached" else 1.0) + broadcast
    entry = max(loads, (words + 2 * p + 4) / 4)
    warps = v.group / 32
    held = shape.planes if v.kind == "cached" else staged_planes(choice, machine, shape)
    segments = -(-shape.planes // held) * shape.rows * _SEGMENT
    copied = 0.0 if v.kind == "cached" else 2.0 * shape.planes * (choice.tile + shape.reach) * choice.images / 32
    return (shape.columns(1) * entry + segments) * warps + copied * shape.row_groups(choice.rows)


def _literal(choice: Choice, machine: Machine, shape: Shape) -> float:
    """A load for each column that any row of the block uses, and multiply-adds as fast as their code arrives."""
    words, warps = choice.pixels * choice.images, choice.variant.group / 32
    loads = shape.columns(choice.height) * words * _THROUGH_CACHE
    return warps * max(loads, shape.columns(1) * words / 4 / _FETCH)


def _tiled(choice: Choice, machine: Machine, shape: Shape) -> float:
    """Multiply-adds, or the reads of both factors from local memory."""
    p, h = choice.pixels, choice.height
    return shape.columns(choice.rows) * max(p * h / 4, (p + h) / 1.5) * choice.variant.group * choice.variant.sides / 32
