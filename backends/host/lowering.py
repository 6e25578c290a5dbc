"""im2col: a convolution's input as the matrix that a GEMM or SpMM multiplies, in blocks that stay in the caches."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import threading
from typing import NamedTuple

import numpy as np

from backends.host import _host
from backends.host.machine import this_machine
from harness.contract import Problem
from harness.contract.plan import Array

_ALIGNMENT = 64
_HUGE_PAGE = 1 << 21
_LARGE = 1 << 18
# Measured on 3x3, 5x5 and 11x11 layers: from 0.75 to 1.75 times the L2 cache within 2% of each other, the whole matrix 5 to 20% slower.
_L2_SHARE = 1.25


class Buffer(NamedTuple):
    """A float32 vector and where it starts; asking NumPy for the address costs more than a small kernel."""

    array: Array
    address: int


class Lowering:
    """Lowers one image and group of a problem to K = ic/g x kh x kw rows of output pixels.

    ``blocks`` are the ranges of output rows to lower at a time: about as much as the L2 caches of ``threads``
    cores hold, so that the product reads what im2col wrote from there, yet wide enough for the product.
    """

    def __init__(self, problem: Problem, threads: int = 1) -> None:
        p = problem
        self.problem = p
        self.channels = p.ic // p.g
        self.depth = self.channels * p.kh * p.kw
        self.pixels = p.oh * p.ow
        letters = (p.ic, p.ih, p.iw, p.kh, p.kw, p.sh, p.sw, p.ph, p.pw, p.dh, p.dw, p.oh, p.ow)
        self.geometry = np.array(letters, np.int32)
        self.geometry.setflags(write=False)
        same_size = (p.oh, p.ow) == (p.ih, p.iw)
        # A 1x1 kernel of stride 1 on unpadded input: the image is its own matrix.
        self.identity = (p.kh, p.kw, p.sh, p.sw, p.ph, p.pw) == (1, 1, 1, 1, 0, 0) and same_size

        size = 4 * self.depth * self.pixels
        count = 1 if self.identity else min(p.oh, max(1, round(size / (_L2_SHARE * threads * this_machine().caches[1]))))
        edges = [p.oh * i // count for i in range(count + 1)]
        self.blocks = tuple(itertools.pairwise(edges))

    def lower(self, x: Array, x_address: int, image: int, group: int, rows: tuple[int, int], buffer: Buffer) -> int:
        """Address of the matrix K x (rows x ow) of one image and group: inside ``x`` itself, or filled into ``buffer``."""
        first = group * self.channels
        if self.identity:
            return x_address + 4 * (image * self.problem.ic + first) * self.pixels
        _host.im2col(x, buffer.array, self.geometry, image, first, first + self.channels, *rows)
        return buffer.address

    @property
    def widest(self) -> int:
        """Pixels of the widest block."""
        return max(y1 - y0 for y0, y1 in self.blocks) * self.problem.ow

    @property
    def floats(self) -> int:
        """Numbers that the buffer must hold."""
        return 0 if self.identity else self.depth * self.widest


class Scratch(threading.local):
    """Buffers that grow to what is asked, one set a Python thread."""

    def __init__(self) -> None:
        self._buffers: dict[str, Buffer] = {}

    def take(self, name: str, floats: int) -> Buffer:
        """At least ``floats`` undefined numbers; valid until the next call with this name."""
        buffer = self._buffers.get(name)
        if buffer is None or buffer.array.size < floats:
            buffer = self._buffers[name] = aligned(floats)
        return buffer


def aligned(floats: int) -> Buffer:
    """Undefined float32 numbers that start on a cache line; larger arrays on a huge page where the system has them.

    Pages of 4 KiB lie at random in memory, and where many share the sets of a cache, a kernel is up to a fifth slower as long as it keeps
    them: of four processes one had such weights.
    """
    size = 4 * floats
    if size >= _LARGE and hasattr(mmap, "MADV_HUGEPAGE"):
        memory = mmap.mmap(-1, -(-size // _HUGE_PAGE) * _HUGE_PAGE + _HUGE_PAGE)
        with contextlib.suppress(OSError):  # kernels built without them
            memory.madvise(mmap.MADV_HUGEPAGE)
        raw, boundary = np.frombuffer(memory, np.uint8), _HUGE_PAGE
    else:
        raw, boundary = np.empty(size + _ALIGNMENT, np.uint8), _ALIGNMENT
    start = -raw.ctypes.data % boundary
    array = raw[start : start + size].view(np.float32)
    return Buffer(array, array.ctypes.data)
