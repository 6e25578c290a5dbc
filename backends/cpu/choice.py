"""What a plan is free to choose, and every choice that makes sense for a problem."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from backends.cpu import _kernels
from backends.cpu.isa import Build
from perfmodel.problem import Problem

DENSE_CHANNELS = 4
"""Output channels that one call of the dense kernel computes (BK_DENSE_CHANNELS in conv.h)."""

LAYOUTS = {"slide": (0, 1), "copies": (0, 0), "flat-slide": (1, 1), "flat-copies": (1, 0)}
"""Variant name to (flat, slide)."""

_BLOCK_BYTES = (10 << 10, 16 << 10, 20 << 10, 26 << 10, 32 << 10, 44 << 10, 128 << 10, 500 << 10)
_TAP_LIMIT = 65535
_SPARSE_PLANES = 8 * 65535
"""Bytes that the 16-bit offsets of the sparse kernel reach (MAX_SPARSE_PLANES in plan.c)."""


class Layout(NamedTuple):
    """Sizes of a choice's planes, as the C code computes them; lengths in floats."""

    pitch: int
    plane_rows: int
    row_planes: int
    column_planes: int
    channel: int
    segments: int
    slide: int
    usable: int
    tiles_x: int
    tiles_y: int

    @property
    def tiles(self) -> int:
        """Tiles of one output channel, over the whole batch."""
        return self.tiles_x * self.tiles_y


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to run a problem; see docs/kernels.md for the words.

    ``layout`` is a key of :data:`LAYOUTS`; ``lanes`` floats of a vector; the tile is ``rows`` x ``vectors``;
    ``channel_block`` input channels are packed at a time; ``chunks`` cuts each group's output channels.
    """

    layout: str
    lanes: int
    rows: int
    vectors: int
    channel_block: int
    chunks: int = 1

    @property
    def fields(self) -> tuple[int, ...]:
        """The numbers in the order of ``struct bk_choice``."""
        return (*LAYOUTS[self.layout], self.rows, self.vectors, self.channel_block, self.chunks)

    @property
    def tile(self) -> int:
        """Vectors of sums in one tile."""
        return self.rows * self.vectors


def collapse(problem: Problem) -> Problem:
    """A 1x1 convolution without stride or padding sees each image as one long row."""
    p = problem
    if (p.kh, p.kw, p.sh, p.sw, p.ph, p.pw) != (1, 1, 1, 1, 0, 0):
        return p
    return dataclasses.replace(p, ih=1, iw=p.ih * p.iw, oh=1, ow=p.oh * p.ow)


def problem_fields(problem: Problem) -> tuple[int, ...]:
    """The numbers in the order of ``struct bk_problem``: dilation as a step, 1 for none."""
    p = problem
    return (p.g, p.mb, p.ic, p.ih, p.iw, p.oc, p.oh, p.ow, p.kh, p.kw, p.sh, p.sw, p.ph, p.pw, p.dh + 1, p.dw + 1)


def layout_of(problem: Problem, choice: Choice) -> Layout | None:
    """Sizes of the planes, or None where the tile is too narrow for the kernel's shifts."""
    try:
        return Layout(*_kernels.layout(problem_fields(problem), choice.fields, choice.lanes))
    except ValueError:
        return None


def candidates(problem: Problem, build: Build, layout: str, dense: bool) -> Iterator[tuple[Choice, Layout]]:
    """Every tile and channel block worth a look for one layout on one build, with the sizes it leads to."""
    most = build.max_tile // DENSE_CHANNELS if dense else build.max_tile
    for rows in _row_counts(1 if LAYOUTS[layout][0] else min(problem.oh, most), problem.oh):
        for vectors in range(1, most // rows + 1):
            shape = Choice(layout, build.lanes, rows, vectors, 1)
            sizes = layout_of(problem, shape)
            if sizes is None:
                continue
            if not dense and sizes.channel * 4 > _SPARSE_PLANES:
                continue
            for block in _channel_blocks(problem, sizes):
                yield dataclasses.replace(shape, channel_block=block), sizes
            if sizes.tiles_x == 1:
                break  # wider tiles would only hold unused lanes


def _row_counts(most: int, output_rows: int) -> list[int]:
    """Tile heights up to ``most`` that share the output rows evenly."""
    counts = {-(-output_rows // -(-output_rows // rows)) for rows in range(1, most + 1)}
    return sorted(rows for rows in counts if rows <= most)


def _channel_blocks(problem: Problem, sizes: Layout) -> list[int]:
    """Channel blocks whose planes fit the sizes in ``_BLOCK_BYTES``, of even length."""
    channels = problem.ic // problem.g
    most = max(1, min(channels, _TAP_LIMIT // (problem.kh * problem.kw)))
    blocks = {-(-channels // -(-channels // max(1, min(most, size // (4 * sizes.channel))))) for size in _BLOCK_BYTES}
    return sorted(blocks)
