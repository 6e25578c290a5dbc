"""Which output pixels the work-items of a GPU work-group hold, so that their reads of local memory never collide.

Images lie in vectors: float4 holds one pixel of four images, so that every shift of a tap is a whole number of vectors and
each load is one aligned piece. A tile is a run of output pixels; its window in the planes starts at ``first`` and is at most
``span`` vectors wide, halo included. Inside the tile the pixels are dealt to the lanes so that lanes which are served
together find their vectors in different banks; a tap shifts all by the same, so that stays true for every tap.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends.opencl.planes import Planes

_BANKS = 32  # banks of 4 bytes of local memory on NVIDIA's GPUs and AMD's
Ints = NDArray[np.int32]


class Lanes(NamedTuple):
    """``first`` (tiles,): each tile's window; ``place`` and ``pixel`` (tiles, tile): offset in it, and output pixel or -1.

    An output pixel is numbered (vector of images * oh + y) * ow + x.
    """

    first: Ints
    place: Ints
    pixel: Ints
    span: int


def vectors_of(planes_batch: int, images: int) -> int:
    """Vectors of ``images`` that hold the whole batch."""
    return -(-planes_batch // images)


def deal_lanes(planes: Planes, tile: int, images: int) -> Lanes:
    """Cut the output pixels of ``planes`` (whose batch counts vectors of ``images``) into tiles and deal out each tile."""
    p = planes.problem
    pixels = p.mb * p.oh * p.ow
    tiles = -(-pixels // tile)
    pixel = np.minimum(np.arange(tiles * tile), pixels - 1)
    line, x = np.divmod(pixel, p.ow)
    vector, y = np.divmod(line, p.oh)
    position = ((vector * planes.rows + y) * planes.pitch + x).reshape(tiles, tile)
    pixel = np.where(np.arange(tiles * tile) < pixels, pixel, -1).reshape(tiles, tile)
    order = _bank_order(position % max(1, _BANKS // images))
    first = position[:, 0]
    place = np.take_along_axis(position - first[:, None], order, axis=1)
    span = int(place.max()) + planes.reach + 1
    return Lanes(first.astype(np.int32), place.astype(np.int32), np.take_along_axis(pixel, order, axis=1).astype(np.int32), span)


def _bank_order(bank: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row: one of each bank, then the second of each, and so on."""
    by_bank = np.argsort(bank, axis=1, kind="stable")
    ordered = np.take_along_axis(bank, by_bank, axis=1)
    at = np.arange(bank.shape[1])
    starts = np.maximum.accumulate(np.where(np.diff(ordered, axis=1, prepend=-1) != 0, at, 0), axis=1)
    turn = at - starts
    return np.take_along_axis(by_bank, np.argsort(turn, axis=1, kind="stable"), axis=1)
