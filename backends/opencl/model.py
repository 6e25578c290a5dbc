"""What the sparse kernel costs on a CPU device: the variant that the rule picks, laid over the planes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import ClassVar, NamedTuple

from backends.opencl.planes import Planes
from backends.opencl.variants import WIDEST_TILE, Choice, Machine, Shape, candidates, cpu_cost, pick
from perfmodel.hardware import Hardware
from perfmodel.kernel import KernelParameters
from perfmodel.methods.base import FLOAT, MethodModel, activation_bytes, byte_cost, call_cost
from perfmodel.problem import Problem

_NEAR_BYTES, _FAR_BYTES = 32 * 1024, 768 * 1024  # a tile's window of the planes beyond these is loaded from L2, from L3
_KEPT_BYTES = 4 * 1024 * 1024  # of all arrays of a call, so much is still in the caches at the next one
_COPIED = 8  # floats that pack.cl copies at once


class Packing(NamedTuple):
    """Launch of pack.cl: work-items, rows of planes that they copy, floats copied one by one or at a stride."""

    items: int
    lines: int
    picked: int


class PlanesSparse(MethodModel):
    """Terms of sparse rows times shifted planes (rows.cl), after the input was packed into those (pack.cl).

    ``load``: floats of planes loaded, one vector for each column of a block of rows and tile; vectors start anywhere, so most
    cross a cache line, and in that time two are multiplied: beyond two rows a block those count; ``near``, ``far``: bytes of
    them from beyond L1, from beyond L2, by the size of the window that a tile reads; ``column``: columns times tiles, their
    offset and values; ``row``: rows times tiles, each a start and an end; ``piece``: pieces of output rows stored;
    ``item``: work-items that pack, one a plane and image; ``line``: rows of planes written; ``pick``: floats of those that no
    vector copies; ``memory``: bytes of input, planes and three times the output (read, written back, in pieces that lie apart)
    that left the caches since the last call; ``call``: 1, two launches among it.
    """

    method = "direct_sparse"
    kinds: ClassVar[Mapping[str, str]] = {
        "load": "compute",
        "near": "bandwidth",
        "far": "bandwidth",
        "column": "compute",
        "row": "overhead",
        "piece": "overhead",
        "item": "overhead",
        "line": "overhead",
        "pick": "overhead",
        "memory": "bandwidth",
        "call": "overhead",
    }

    def flops(self, problem: Problem, density: float) -> float:
        """FLOP of the non-zeros."""
        return density * problem.flops

    def traffic(self, problem: Problem, density: float) -> dict[str, float]:
        """Operands once from memory, offset and value 8 bytes; planes written and read in L2."""
        x, y = activation_bytes(problem)
        return {"memory": x + y + 8 * density * problem.weight_count, "l2": x + 2 * FLOAT * _planes(problem).floats + y}

    def terms(self, problem: Problem, density: float, kernel: KernelParameters) -> dict[str, float]:
        """Counts of the terms, as the class describes them."""
        p, planes = problem, _planes(problem)
        choice, packing = planned(p, density, kernel.lanes), _packing(p)
        tiles = -(-planes.positions // choice.tile)
        columns = tiles * expected_columns(p, density, choice.height)
        loaded = float(columns * choice.tile)
        window = FLOAT * planes.group_planes * (choice.tile + planes.reach)
        (x, y), packed = activation_bytes(p), float(FLOAT * planes.floats)
        weights = FLOAT * (columns / tiles) * (1 + choice.height)
        gone = max(0.0, 1.0 - _KEPT_BYTES / (x + packed + y + weights))
        gapless = (planes.pitch, planes.rows) == (p.ow, p.oh)
        return {
            "load": loaded * max(1.0, choice.height / 2.0),
            "near": FLOAT * loaded * max(0.0, 1.0 - _NEAR_BYTES / window),
            "far": FLOAT * loaded * max(0.0, 1.0 - _FAR_BYTES / window),
            "column": float(columns),
            "row": float(tiles * p.oc),
            "piece": float(p.oc * (tiles + p.mb * (1 if gapless else p.oh))),
            "item": float(packing.items),
            "line": float(packing.lines),
            "pick": float(packing.picked),
            "memory": gone * (x + packed + 3.0 * y),
            "call": 1.0,
        }

    def first_costs(self, hardware: Hardware, kernel: KernelParameters) -> dict[str, float]:
        """Costs from first principles: cycles of a core that multiplies and adds one vector a cycle."""
        cycle = 2.0 * kernel.lanes
        return {
            "load": 2.0 * cycle / kernel.lanes,
            "near": 0.2 * byte_cost(hardware, "l2"),
            "far": byte_cost(hardware, "l3"),
            "column": cycle,
            "row": 100.0 * cycle,
            "piece": 20.0 * cycle,
            "item": 80.0 * cycle,
            "line": 15.0 * cycle,
            "pick": cycle,
            "memory": byte_cost(hardware, "memory"),
            "call": 3.0 * call_cost(hardware),
        }


def expected_columns(problem: Problem, density: float, height: int) -> int:
    """Columns of all blocks of ``height`` rows that are not zero in every row, where zeros fall by chance."""
    p = problem
    blocks, taps = p.g * -(-(p.oc // p.g) // height), p.ic // p.g * p.kh * p.kw
    return round(blocks * taps * (1.0 - (1.0 - density) ** height))


@lru_cache(maxsize=8192)
def planned(problem: Problem, density: float, lanes: int) -> Choice:
    """What the rule picks on one core of a CPU device with vectors of ``lanes`` floats."""
    p, planes, machine = problem, _planes(problem), Machine(lanes, 1, True)
    columns = partial(expected_columns, p, density)
    shape = Shape(planes.positions, p.oc, p.g, columns, False, planes.group_planes, planes.reach)
    choices = [choice for choice in candidates(machine, shape) if choice.tile <= WIDEST_TILE]
    return pick(choices, lambda choice: cpu_cost(choice, machine, shape))


@lru_cache(maxsize=1024)
def _planes(problem: Problem) -> Planes:
    return Planes(problem, 0)


@lru_cache(maxsize=1024)
def _packing(problem: Problem) -> Packing:
    p, planes = problem, _planes(problem)
    lines = picked = 0
    for top, left in ((a - p.ph, b - p.pw) for a, b in planes.phases):
        high = _inside(top, p.ih, p.sh, planes.rows)
        wide = _inside(left, p.iw, p.sw, min(planes.columns, planes.pitch))
        lines += high
        picked += high * (wide % _COPIED if p.sw == 1 else wide)
    images = p.mb * p.ic
    return Packing(images * len(planes.phases), images * lines, images * picked)


def _inside(start: int, size: int, stride: int, most: int) -> int:
    """How many of the first ``most`` places start, start + stride, ... lie from 0 to ``size``."""
    first = max(0, math.ceil(-start / stride))
    return max(0, min(most, math.ceil((size - start) / stride)) - first)
