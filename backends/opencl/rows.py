"""Weights as blocks of rows: the form in which the sparse and the dense kernels read them.

A block holds ``height`` output channels of one group and the union of the columns where any of them is not
zero; each column is an offset and ``height`` values. Height 1 is CSR with pre-offset indices (Park et al. 2017,
sec. 2.1); with all columns kept it is a packed dense matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.contract import Problem

Ints = NDArray[np.int32]
_ONES = np.array([n.bit_count() for n in range(256)], np.uint16)  # bits of each byte


@dataclass(frozen=True)
class RowBlocks:
    """``start[b]`` to ``start[b + 1]`` are block b's columns; ``offset`` one each, ``value`` (columns, height).

    ``channel`` (blocks, height) is the output channel of each row, -1 for a row that pads the last block of
    a group; ``base[b]`` is added to the offsets of block b (its group's first plane).
    """

    height: int
    start: Ints
    offset: Ints
    value: NDArray[np.float32]
    channel: Ints
    base: Ints

    @property
    def blocks(self) -> int:
        """Number of row blocks."""
        return len(self.base)


def row_order(problem: Problem, counts: NDArray[np.intp], height: int) -> Ints:
    """Output channels by block, (blocks, height): within a group the longest rows first, so that work ends evenly.

    ``counts`` are the weights of each row that are not zero.
    """
    p = problem
    per_group = p.oc // p.g
    order = np.argsort(-counts.reshape(p.g, per_group), axis=1, kind="stable") + np.arange(p.g)[:, None] * per_group
    padded = np.full((p.g, -(-per_group // height) * height), -1, np.int64)
    padded[:, :per_group] = order
    return padded.reshape(-1, height).astype(np.int32)


def build_blocks(
    problem: Problem, weight: NDArray[np.float32], offsets: NDArray[np.int64], group_stride: int, height: int = 1, dense: bool = False
) -> RowBlocks:
    """Lay out OIHW ``weight``; ``offsets`` has one entry a column of a group (any shape of ic / g * kh * kw entries)."""
    p = problem
    rows = weight.reshape(p.oc, -1)
    used = rows != 0
    channel = row_order(p, np.count_nonzero(used, axis=1), height)
    blocks, columns = len(channel), rows.shape[1]
    group = np.maximum(channel[:, 0], 0) // (p.oc // p.g)
    base = (group * group_stride).astype(np.int32)
    if dense:
        start = (np.arange(blocks + 1) * columns).astype(np.int32)
        flat = np.vstack([rows, np.zeros((1, columns), np.float32)])  # channel -1: the row of zeros
        value = np.ascontiguousarray(flat[channel].transpose(0, 2, 1)).reshape(-1, height)
        return RowBlocks(height, start, offsets.reshape(-1).astype(np.int32), value, channel, base)
    any_row = used[channel[:, 0]] if height == 1 else (used[channel] & (channel >= 0)[:, :, None]).any(axis=1)
    block, column = np.divmod(np.flatnonzero(any_row).astype(np.int32), np.int32(columns))
    start = np.concatenate([[0], np.cumsum(np.bincount(block, minlength=blocks))]).astype(np.int32)
    rows_of = channel[block]
    value = rows.reshape(-1)[np.maximum(rows_of, 0) * np.int64(columns) + column[:, None]]
    if (channel < 0).any():
        value[rows_of < 0] = 0
    return RowBlocks(height, start, offsets.reshape(-1)[column].astype(np.int32), value, channel, base)


@dataclass(frozen=True)
class StagedRows:
    """CSR cut into blocks of planes: ``bound[row, b]`` is row's first entry in block b; ``entry`` (tap, value's bits), one spare."""

    bound: Ints
    entry: Ints
    channel: Ints
    base: Ints


def build_staged(problem: Problem, weight: NDArray[np.float32], taps: Staging, height: int) -> StagedRows:
    """Lay out OIHW ``weight`` for staged.cl in groups of ``height`` rows."""
    p = problem
    channel = row_order(p, np.count_nonzero(weight.reshape(p.oc, -1), axis=1), height)
    base = np.maximum(channel[:, 0], 0) // (p.oc // p.g) * taps.group_stride
    flat = np.vstack([weight.reshape(p.oc, -1), np.zeros((1, weight[0].size), np.float32)])[channel.reshape(-1)]
    plane = taps.plane.reshape(-1)
    by_plane = np.argsort(plane, kind="stable")  # a row's entries in the order in which planes are staged
    row, column = np.nonzero(flat[:, by_plane])
    column = by_plane[column]
    block = plane[column] // taps.block_planes
    blocks = -(-taps.planes // taps.block_planes)
    counts = np.bincount(row * blocks + block, minlength=len(flat) * blocks).reshape(len(flat), blocks)
    ends = np.cumsum(counts.reshape(-1)).reshape(counts.shape)
    bound = np.hstack([ends[:, :1] - counts[:, :1], ends])
    tap = (plane[column] % taps.block_planes) * taps.span + taps.inside.reshape(-1)[column]
    entry = np.zeros((len(tap) + 1, 2), np.int32)  # the kernel reads one entry ahead
    entry[:-1, 0], entry[:-1, 1] = tap, flat[row, column].view(np.int32)
    return StagedRows(bound.astype(np.int32), entry, channel, base.astype(np.int32))


class Staging(NamedTuple):
    """Where each tap of a group lies: its plane, and its offset inside.

    ``block_planes`` planes, ``span`` apart, are staged at once; all of a group's, a plane's length apart, where none are staged.
    """

    plane: NDArray[np.int64]
    inside: NDArray[np.int64]
    planes: int
    group_stride: int
    block_planes: int
    span: int


class UnionColumns:
    """Columns over all blocks of some rows: what sharing input loads between rows costs in zeros."""

    def __init__(self, problem: Problem, weight: NDArray[np.float32]) -> None:
        self._problem = problem
        used = weight.reshape(problem.oc, -1) != 0
        self._counts = np.count_nonzero(used, axis=1)
        self._bits = np.vstack([np.packbits(used, axis=1), np.zeros((1, -(-used.shape[1] // 8)), np.uint8)])  # row -1: nothing

    def __call__(self, height: int) -> int:
        """Columns over all blocks of ``height`` rows."""
        if height == 1:
            return int(self._counts.sum())
        return int(_ONES[np.bitwise_or.reduce(self._bits[row_order(self._problem, self._counts, height)], axis=1)].sum())
