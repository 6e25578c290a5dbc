"""What a register-tiled direct kernel does for a problem: its best tile, and the counts that follow from it.

A kernel keeps a tile of sums of one output channel in registers: ``rows`` x ``vectors`` of ``lanes`` floats. It runs through
that channel's non-zeros once a tile and block of input channels, on input packed into planes. Its freedoms, as in
the kernels of the paper and of its successors:

- *stacked* rows: each output row starts a vector, a tile is several rows high; *flat* rows: rows follow each other in
  the lanes, a tile is one long row, and the input is packed once for each kernel row;
- *sliding*: the sums move by a lane between kernel columns, which costs a halo of lanes at the end of a tile; or *copies*: one
  packed copy for each kernel column;
- the block of input channels: small planes stay in L1, large ones save visits of the output channels.

All tiles are weighed at once (numpy); the kernel is taken to choose the cheapest by the costs of a typical core.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from perfmodel.kernel import KernelParameters
from perfmodel.problem import Problem

Vector = NDArray[np.float64]

FLOAT = 4
_BLOCK_BYTES = np.array([[26.0], [128.0], [512.0]]) * 1024
_NEAR_BYTES = 0.85 * 32 * 1024
# Cycles of a typical core: a visit of an output channel, a vector slid by a lane, spilled, packed; the least a
# non-zero takes while its tile waits for its own sums; loads from L2 against L1.
_ROW, _SLIDE, _SPILL, _PACK, _LEAST, _FAR = 14.0, 1.0, 2.5, 4.0, 4.0, 1.7


class Counts(NamedTuple):
    """What the chosen tile does over the whole batch; ``vectors`` and ``tiles`` are for one output channel."""

    lanes: int
    vectors: float  # vectors of sums
    tiles: float  # passes over the non-zeros
    packed: float  # vectors packed of one input channel
    halo: float  # lanes that the sums slide by in a pass
    blocks: float  # blocks of input channels of a group
    far: float  # share of loads that come from beyond L1
    wait: float  # non-zeros' fetches a pass: 1, more where the tile is too small to hide its own latency


class _Tiles(NamedTuple):
    """Every tile of a kernel, as flat arrays of equal length."""

    lanes: Vector
    rows: Vector
    vectors: Vector
    flat: NDArray[np.bool_]
    slide: NDArray[np.bool_]


@lru_cache(maxsize=64)
def _tiles(widths: tuple[int, ...], most: int, layouts: tuple[str, ...]) -> _Tiles:
    shapes = [(rows, vectors) for rows in range(1, most + 1) for vectors in range(1, most // rows + 1)]
    found = [
        (lanes, rows, vectors, layout == "flat", slide)
        for lanes in widths
        for layout in layouts
        for slide in (True, False)
        for rows, vectors in shapes
        if layout == "stacked" or rows == 1
    ]
    lanes, rows, vectors, flat, slides = (np.array(column, dtype=float) for column in zip(*found, strict=True))
    return _Tiles(lanes, rows, vectors, flat > 0, slides > 0)


class _Plans(NamedTuple):
    """The tiles laid over one problem; rows of zeros' worth are left out."""

    lanes: Vector
    vectors: Vector
    tiles: Vector
    plane: Vector  # vectors of the planes of one input channel in one tile
    halo: Vector


@lru_cache(maxsize=4096)
def _plans(problem: Problem, tiles: tuple[tuple[int, ...], int, tuple[str, ...]], images: int) -> _Plans:
    """Lay every tile over the problem; tiles too narrow for their halo are left out."""
    p, t = _collapsed(problem), _tiles(*tiles)
    reach = (p.kw - 1) * (p.dw + 1) // p.sw
    shared = min(-(-p.pw // p.sw), -(-p.end_padding[1] // p.sw), reach)
    halo = np.where(t.slide, float(reach), 0.0)
    period = p.ow + np.where(t.slide, reach - shared, 0.0)
    length = (np.where(t.flat, images * p.oh, images) - 1) * period + p.ow
    pitch = t.vectors * t.lanes
    room = pitch - halo
    usable = np.where(length <= room + np.where(t.slide, shared, 0), length, room)
    fits = usable >= 1
    across = np.ceil(length / np.where(fits, usable, 1.0))
    down = np.where(t.flat, 1.0, np.ceil(p.oh / t.rows))
    needed = np.minimum(across * t.vectors, np.ceil((length + across * halo) / t.lanes) + (across - 1) * 0.5)
    vectors = np.where(t.flat, 1.0, p.oh) * np.where(t.rows == 1, needed, across * t.vectors)
    high = np.where(t.flat, p.kh, min(p.sh, p.kh) * (np.minimum(t.rows, p.oh) + (p.kh - 1) * (p.dh + 1) // p.sh))
    wide = np.where(t.slide, min(p.sw, p.kw), p.kw)
    useful = fits & (t.rows <= p.oh)
    return _Plans(*(column[useful] for column in (t.lanes, vectors, across * down, high * wide * t.vectors, halo)))


def _collapsed(problem: Problem) -> Problem:
    """A 1x1 convolution without stride or padding sees each image as one long row."""
    p = problem
    if (p.kh, p.kw, p.sh, p.sw, p.ph, p.pw) != (1, 1, 1, 1, 0, 0):
        return p
    return dataclasses.replace(p, ih=1, iw=p.ih * p.iw, oh=1, ow=p.oh * p.ow, dh=0, dw=0)


def best_counts(problem: Problem, density: float, kernel: KernelParameters) -> Counts:
    """The counts of the cheapest tile and block of input channels for ``problem`` at ``density``."""
    images = problem.mb if kernel.across_images else 1
    plans = _plans(problem.with_batch(images), (kernel.widths, kernel.tile, kernel.layouts), images)
    channels = problem.ic // problem.g
    # Planes for each size of block, one row a size; blocks of even length.
    bytes_a_channel = FLOAT * plans.lanes * plans.plane
    blocks = np.minimum(channels, np.ceil(channels / np.maximum(1.0, np.floor(_BLOCK_BYTES / bytes_a_channel))))
    planes = np.ceil(channels / blocks) * bytes_a_channel
    far = np.maximum(0.0, 1.0 - _NEAR_BYTES / planes)
    width = plans.lanes / kernel.lanes
    taps = density * problem.weight_count / problem.oc
    tile = plans.vectors / plans.tiles * width
    sums = taps * np.maximum(tile * (1 + (_FAR - 1) * far) + 1.0, _LEAST)
    visit = blocks * (_ROW + tile * (plans.halo * _SLIDE + np.where(blocks > 1, _SPILL, 1.0)))
    cost = plans.tiles * (problem.oc * (sums + visit) + problem.ic * plans.plane * width * _PACK)
    block, best = np.unravel_index(int(np.argmin(cost)), cost.shape)
    times = problem.mb // images
    return Counts(
        lanes=int(plans.lanes[best]),
        vectors=float(plans.vectors[best]) * times,
        tiles=float(plans.tiles[best]) * times,
        packed=float(plans.tiles[best] * plans.plane[best]) * times,
        halo=float(plans.halo[best]),
        blocks=float(blocks[block, best]),
        far=float(far[block, best]),
        wait=max(1.0, _LEAST - float(tile[best])),
    )
