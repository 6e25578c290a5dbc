"""How a register-tiled direct kernel covers an output map: vectors, tiles, and what it copies of the input.

A kernel keeps up to ``tile`` vectors of sums of one output channel in registers and runs through that channel's
non-zeros once a tile. Lanes are lost at the ends of rows, and a halo of input columns at the ends of tiles.
Two layouts are considered, as in the kernels of the paper and of its successors: *stacked* rows (each output row
starts a vector) and *flat* rows (rows follow each other in the lanes, which needs one copy of the input a kernel row).
"""

from __future__ import annotations

from typing import NamedTuple

from perfmodel.kernel import KernelParameters
from perfmodel.problem import Problem


class Tiling(NamedTuple):
    """Counts for one group's output channel and one input channel, over the whole batch."""

    vectors: int  # vectors of sums of one output channel
    tiles: int  # passes over the channel's non-zeros
    packed: int  # vectors copied of one input channel
    halo: int  # lanes by which the columns of a kernel row differ


def tilings(problem: Problem, kernel: KernelParameters) -> tuple[Tiling, ...]:
    """One tiling of ``problem`` for each layout that ``kernel`` has."""
    images = problem.mb if kernel.across_images else 1
    makers = {"stacked": _stacked, "flat": _flat}
    found = (makers[layout](problem, images, kernel.lanes, kernel.tile) for layout in kernel.layouts)
    times = problem.mb // images
    return tuple(Tiling(t.vectors * times, t.tiles * times, t.packed * times, t.halo) for t in found)


def best_tiling(problem: Problem, density: float, kernel: KernelParameters) -> Tiling:
    """The cheapest layout: multiply-adds of the output channels against copies of the input channels."""
    nonzeros = density * problem.weight_count

    def cost(t: Tiling) -> float:
        return nonzeros * (t.vectors + t.tiles) + 2.0 * problem.ic * t.packed

    return min(tilings(problem, kernel), key=cost)


def _halo_and_period(problem: Problem) -> tuple[int, int]:
    """Lanes of halo, and lanes from one row to the next: padding at a row's end serves the start of the next."""
    halo = (problem.kw - 1) * (problem.dw + 1) // problem.sw
    shared = min(-(-problem.pw // problem.sw), -(-problem.end_padding[1] // problem.sw), halo)
    return halo, problem.ow + halo - shared


def _along(length: int, halo: int, lanes: int, tile: int) -> tuple[int, int]:
    """Vectors and tiles for ``length`` output lanes in one line."""
    if length + halo <= tile * lanes:
        return -(-(length + halo) // lanes), 1
    usable = max(1, tile * lanes - halo)
    tiles = -(-length // usable)
    return -(-(length + tiles * halo) // lanes), tiles


def _stacked(problem: Problem, images: int, lanes: int, tile: int) -> Tiling:
    halo, period = _halo_and_period(problem)
    across, tiles_x = _along((images - 1) * period + problem.ow, halo, lanes, tile)
    rows = max(1, tile // across) if tiles_x == 1 else 1
    tiles_y = -(-problem.oh // rows)
    input_rows = (min(rows, problem.oh) - 1) * problem.sh + (problem.kh - 1) * (problem.dh + 1) + 1
    return Tiling(problem.oh * across, tiles_x * tiles_y, tiles_y * input_rows * across * min(problem.sw, problem.kw), halo)


def _flat(problem: Problem, images: int, lanes: int, tile: int) -> Tiling:
    halo, period = _halo_and_period(problem)
    vectors, tiles = _along((images * problem.oh - 1) * period + problem.ow, halo, lanes, tile)
    return Tiling(vectors, tiles, problem.kh * vectors * min(problem.sw, problem.kw), halo)
