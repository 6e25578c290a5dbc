"""How a kernel of written-out code lays a problem out: rows side by side, blocks of channels, tiles, strips, parts.

Outputs of an image are numbered row by row with a *pitch* that lets neighbouring rows share their padding. A *block* of up to
``SUMS`` output channels times a few vectors of outputs (a *tile*) is summed in registers; a *strip* of tiles has its
input packed at a time; the input channels may be walked in *parts* whose inputs stay in L1. All of this follows from the shape and the
number of non-zeros, in integers, as such a kernel's planner would work it out.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from perfmodel.problem import Problem

LANES = 16
SUMS = 28
_LINE = 64
_FLOAT = 4
CODE_BYTES = 15
"""Bytes of code and values a non-zero, about."""

_MOST_VECTORS = 8
# Bytes that the planes of a strip may occupy: without and with taps that reach into the next tile, and at most.
_LEAST_SHARE, _LEAST_REACHING, _MOST_SHARE = 96 << 10, 384 << 10, 2 << 20
# Parts: bytes of L1 for what a tile reads; multiply-adds a channel that hide L2 no more; least ones of a part, below
# and above that; least tiles of a strip.
_L1_SHARE, _FEW_FMAS, _LEAST_FMAS, _MANY_FMAS, _LEAST_TILES = 20 << 10, 16, 380, 4000, 6


class Frame(NamedTuple):
    """What the shape alone decides; lengths in floats."""

    inputs: int  # input channels of a group
    blocks: int  # of output channels of a group
    channels: float  # output channels of a block
    pitch: int
    phases: int  # planes of an input channel
    reach: int  # past a tile that taps read
    vectors: int  # of outputs a tile
    tiles: int  # an image
    rows: int  # input rows copied for an image and channel, over all its planes
    read: int  # lines of one input channel that a tile reads, all taps used
    fresh: int  # those that the tile before did not read
    touched: float  # taps that want a line, on average


class Strips(NamedTuple):
    """What the number of non-zeros decides on top."""

    strips: int  # an image
    plane: int  # floats of a plane
    parts: int  # of the input channels


def collapsed(problem: Problem) -> tuple[int, int, int, int]:
    """``ih, iw, oh, ow``; a 1x1 convolution without stride or padding sees each image as one long row."""
    p = problem
    if (p.kh, p.kw, p.sh, p.sw, p.ph, p.pw) == (1, 1, 1, 1, 0, 0) and (p.oh, p.ow) == (p.ih, p.iw):
        return 1, p.ih * p.iw, 1, p.oh * p.ow
    return p.ih, p.iw, p.oh, p.ow


def _phases(taps: int, dilation: int, stride: int) -> list[int]:
    """The stride phases that the taps of one axis use, in order of first use."""
    return list(dict.fromkeys(tap * (dilation + 1) % stride for tap in range(taps)))


def _pitch(p: Problem, iw: int, ow: int, phases: list[int]) -> int:
    """Shortest distance of rows at which what a tap reads past its row's end is zero, as it would be in padding."""
    width = ow + (p.kw - 1) * (p.dw + 1) // p.sw
    leading = min(-(-max(0, p.pw - phase) // p.sw) for phase in phases)
    end = max(-(-(iw + p.pw - phase) // p.sw) for phase in phases)
    return max(ow, min(width, max(end, width - leading)))


@lru_cache(maxsize=4096)
def frame(problem: Problem) -> Frame:
    """The part of the layout that does not depend on the weights."""
    p = problem
    ih, iw, oh, ow = collapsed(p)
    down, across = _phases(p.kh, p.dh, p.sh), _phases(p.kw, p.dw, p.sw)
    pitch = _pitch(p, iw, ow, across)
    reach = (p.kh - 1) * (p.dh + 1) // p.sh * pitch + (p.kw - 1) * (p.dw + 1) // p.sw
    out = p.oc // p.g
    blocks = -(-out // SUMS)
    needed = -(-((oh - 1) * pitch + ow) // LANES)
    tiles = -(-needed // min(SUMS // -(-out // blocks), _MOST_VECTORS))
    vectors = -(-needed // tiles)
    rows = len(across) * sum(len(range(-(-max(0, p.ph - phase) // p.sh), -(-(ih + p.ph - phase) // p.sh))) for phase in down)
    read, fresh, touched = _lines(p, pitch, vectors, down, across)
    return Frame(p.ic // p.g, blocks, out / blocks, pitch, len(down) * len(across), reach, vectors, tiles, rows, read, fresh, touched)


def _lines(p: Problem, pitch: int, vectors: int, down: list[int], across: list[int]) -> tuple[int, int, float]:
    """Lines that a tile reads of one channel, those among them that are new to it, and taps a line."""
    planes: dict[tuple[int, int], set[int]] = {}
    wanted = 0
    for r in range(p.kh):
        for s in range(p.kw):
            key = r * (p.dh + 1) % p.sh, s * (p.dw + 1) % p.sw
            offset = r * (p.dh + 1) // p.sh * pitch + s * (p.dw + 1) // p.sw
            lines = range(offset // LANES, (offset + LANES * vectors - 1) // LANES + 1)
            planes.setdefault(key, set()).update(lines)
            wanted += len(lines)
    read = sum(map(len, planes.values()))
    fresh = sum(len({line for line in lines if line + vectors not in lines}) for lines in planes.values())
    return read, fresh, wanted / read


def strips(problem: Problem, nonzeros: float) -> Strips:
    """Strips, planes and parts for so many non-zeros of all groups, on one thread."""
    f, p = frame(problem), problem
    lanes, beyond = f.vectors * LANES, -(-f.reach // LANES) * LANES
    code = nonzeros / p.g * CODE_BYTES
    least = _LEAST_REACHING if f.reach else _LEAST_SHARE
    share = min(max(least, (2 if f.reach else 4) * code), _MOST_SHARE)
    room = int(share / _FLOAT / (f.inputs * f.phases)) - beyond
    most = max(int(room / lanes), -(-2 * f.reach // lanes), 1)
    count = -(-f.tiles // most)
    tiles = -(-f.tiles // count)
    plane = tiles * lanes + beyond
    plane += LANES if plane // LANES % 2 == 0 else 0
    fmas = nonzeros * f.vectors / (p.g * f.blocks)
    wanted = -(-f.inputs * f.read * _LINE // _L1_SHARE)
    allowed = int(fmas / (_LEAST_FMAS if fmas < _FEW_FMAS * f.inputs else _MANY_FMAS))
    parts = 1 if f.reach == 0 or tiles < _LEAST_TILES else max(1, min(wanted, allowed, f.inputs))
    return Strips(math.ceil(f.tiles / tiles), plane, parts)
