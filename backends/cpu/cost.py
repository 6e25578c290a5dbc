"""A small cost model: cycles of a plan, good enough to choose between tiles and channel blocks.

Per output channel, tile and block of input channels, with T vectors in the tile:

    non-zeros x max(load x (T + broadcast), latency) + segments x branch + row + T x load x (slides x shift + spill)

To that come packing (per vector and per row of a plane) and writing the output (likewise). The constants
were fitted to 20 000 timings on a Zen 4 server (docs/kernels.md); ``tune=True`` measures instead.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from backends.cpu.choice import DENSE_CHANNELS, LAYOUTS, Choice, Layout
from perfmodel.problem import Problem


@dataclass(frozen=True, slots=True)
class Core:
    """What the model knows of a core, in cycles; ``load`` is per vector, for each number of lanes.

    ``spill``: keep the sums of a tile from one channel block to the next; ``beyond_l1``: extra time of a
    load that misses L1; ``gather``: pick one value of a strided row; ``flat``: factor for rows side by side,
    which share no input; ``*_row``: per row of a plane or tile; the rest is per vector, times ``load``.
    """

    l1_bytes: int
    l2_bytes: int
    load: dict[int, float]
    latency: float = 3.0
    broadcast: float = 1.6
    branch: float = 14.0
    row: float = 8.0
    shift: float = 0.5
    spill: float = 1.8
    beyond_l1: float = 0.8
    pack: float = 6.0
    gather: float = 1.2
    flat: float = 1.12
    pack_row: float = 12.0
    unpack: float = 3.0
    unpack_row: float = 20.0


# Fitted to 800 timings of 14 layers at density 0.1 with 16 registers: half the sums of a tile, so rows end twice as often.
_AVX2: dict[str, Any] = {
    "broadcast": 2.3,
    "branch": 3.0,
    "row": 15.0,
    "shift": 1.3,
    "spill": 2.9,
    "beyond_l1": 0.9,
    "pack": 6.8,
    "pack_row": 1.9,
    "unpack": 7.6,
    "unpack_row": 6.5,
}


def core(caches: tuple[int, int, int], vendor: str, isa: str, dense: bool = False) -> Core:
    """The model of this machine's core for sparse or dense weights: AMD cores split a 64-byte load in two, Intel servers do not."""
    wide = 1.0 if vendor == "AMD" else 0.5
    found = Core(caches[0], caches[1], {16: wide, 8: 0.5, 4: 1.0 if isa == "portable" else 0.5})
    return dataclasses.replace(found, **_AVX2) if isa == "avx2" and not dense else found


def cycles(problem: Problem, choice: Choice, sizes: Layout, density: float, core: Core, dense: bool) -> float:
    """Estimated cycles of one call on one thread."""
    p, c = problem, choice
    load = core.load[c.lanes]
    vectors = _vectors(p, c, sizes)
    blocks = -(-p.ic // p.g // c.channel_block)
    taps = p.ic // p.g * p.kh * p.kw
    slowdown = _slowdown(c.channel_block * sizes.channel * 4, core)
    if dense:
        sums = taps * load * (vectors * (1 + (slowdown - 1) / DENSE_CHANNELS) + 1)
    else:
        sums = taps * density * max(load * (vectors * slowdown + core.broadcast), core.latency)
    per_block = sizes.segments * core.branch + core.row + vectors * load * (sizes.slide * core.shift + (core.spill if blocks > 1 else 1))
    rows_in, rows_out = _rows(p, c, sizes)
    copy = load * core.pack + (core.gather * c.lanes if p.sw > 1 else 0)
    pack = p.ic * (sizes.tiles * sizes.channel / c.lanes * copy + rows_in * core.pack_row) * c.chunks
    unpack = p.oc * (sizes.tiles * vectors * load * core.unpack + rows_out * core.unpack_row)
    flat = core.flat if LAYOUTS[c.layout][0] and p.kh > 1 else 1
    return p.oc * sizes.tiles * (sums + blocks * per_block) * flat + pack + unpack


def _vectors(p: Problem, c: Choice, sizes: Layout) -> float:
    """Vectors a tile computes on average: the last tile of a column or row is shorter."""
    if c.rows == 1:
        return min(float(c.vectors), (sizes.usable * sizes.tiles_x + sizes.slide) / c.lanes / sizes.tiles_x + 0.5)
    return c.vectors * p.oh / sizes.tiles_y


def _rows(p: Problem, c: Choice, sizes: Layout) -> tuple[int, int]:
    """Pieces of rows copied in per input channel, and written per output channel."""
    planes = sizes.row_planes * sizes.column_planes
    if LAYOUTS[c.layout][0]:
        pieces = max(p.mb * p.oh, sizes.tiles_x)
        return planes * pieces, pieces
    across = max(p.mb, sizes.tiles_x)
    return planes * sizes.plane_rows * sizes.tiles_y * across, p.oh * across


def _slowdown(planes: int, core: Core) -> float:
    """Load time relative to L1 when the planes take so many bytes."""
    missing = max(0.0, 1 - 0.95 * core.l1_bytes / planes)
    return 1 + missing * core.beyond_l1 * (1 if planes <= core.l2_bytes // 2 else 3)
