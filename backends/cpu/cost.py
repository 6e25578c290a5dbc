"""A small cost model: cycles of a plan, good enough to choose between tiles and channel blocks.

Per output channel, tile and channel block:

    non-zeros x (T x load + broadcast) + T x (slides x shift + spill) + row

with T vectors in the tile, ``slides`` shifts of the sums by one lane, and ``spill`` counted only when
there is more than one channel block. To that come packing the planes and writing the output. The
constants are fits to timings on a Zen 4 server (docs/kernels.md); ``tune=True`` measures instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from backends.cpu.choice import DENSE_CHANNELS, Choice, Layout
from perfmodel.problem import Problem


@dataclass(frozen=True, slots=True)
class Core:
    """What the model knows of a core. ``load`` is in cycles a vector, per number of lanes."""

    l1_bytes: int
    l2_bytes: int
    load: dict[int, float]
    broadcast: float = 1.0
    shift: float = 1.0
    spill: float = 2.5
    row: float = 14.0
    pack: float = 4.0
    unpack: float = 3.0
    start: float = 3000.0


def core(caches: tuple[int, int, int], vendor: str, isa: str) -> Core:
    """The model of this machine's core: AMD cores split a 64-byte load in two, Intel servers do not."""
    wide = 1.0 if vendor == "AMD" else 0.5
    load = {16: wide, 8: 0.5, 4: 0.5 if isa != "portable" else 1.0}
    return Core(caches[0], caches[1], load)


def cycles(problem: Problem, choice: Choice, sizes: Layout, density: float, core: Core, dense: bool) -> float:
    """Estimated cycles of one call on one thread."""
    p, c = problem, choice
    inner = p.ic // p.g
    blocks = -(-inner // c.channel_block)
    planes = c.channel_block * sizes.channel * 4
    load = core.load[c.lanes] * _slowdown(planes, core)
    vectors = _vectors(p, c, sizes)
    taps = inner * p.kh * p.kw
    slides = blocks * sizes.slide
    spill = blocks * core.spill if blocks > 1 else 1.0
    scale = core.load[c.lanes]
    if dense:
        sums = taps * (DENSE_CHANNELS * (vectors * scale + core.broadcast)) / DENSE_CHANNELS
    else:
        sums = taps * density * max(vectors * load + core.broadcast, 4.0)
    row = sums + vectors * scale * (slides * core.shift + spill) + blocks * core.row * (1 if sizes.segments == 1 else sizes.segments**0.5)
    pack = p.ic * sizes.channel / c.lanes * scale * core.pack * c.chunks
    unpack = p.oc * vectors * scale * core.unpack
    return sizes.tiles * (p.oc * row + pack + unpack) + core.start * c.chunks


def _vectors(p: Problem, c: Choice, sizes: Layout) -> float:
    """Vectors a tile computes on average: the last tile of a column or row is shorter."""
    if c.rows == 1:
        return min(float(c.vectors), (sizes.usable * sizes.tiles_x + sizes.slide) / c.lanes / sizes.tiles_x + 0.5)
    return c.vectors * p.oh / sizes.tiles_y


def _slowdown(planes: int, core: Core) -> float:
    """Load time relative to L1 when the planes take so many bytes; they share L1 with weights and sums."""
    room = 0.85 * core.l1_bytes
    if planes <= room:
        return 1.0
    inside = room / planes
    beyond = 1.7 if planes <= core.l2_bytes // 2 else 4.0
    return inside + (1 - inside) * beyond
