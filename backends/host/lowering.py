"""im2col: a convolution's input as the matrix that a GEMM or SpMM multiplies."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np

from backends.host import _host
from harness.contract import Problem
from harness.contract.plan import Array

_ALIGNMENT = 64


class Buffer(NamedTuple):
    """A float32 vector and where it starts; asking NumPy for the address costs more than a small kernel."""

    array: Array
    address: int


class Lowering:
    """Lowers one image and group of a problem to K = ic/g x kh x kw rows of output pixels."""

    def __init__(self, problem: Problem) -> None:
        p = problem
        self.problem = p
        self.channels = p.ic // p.g
        self.depth = self.channels * p.kh * p.kw
        self.pixels = p.oh * p.ow
        letters = (p.ic, p.ih, p.iw, p.kh, p.kw, p.sh, p.sw, p.ph, p.pw, p.dh, p.dw, p.oh, p.ow)
        self._geometry = np.array(letters, np.int32)
        self._geometry.setflags(write=False)
        same_size = (p.oh, p.ow) == (p.ih, p.iw)
        # A 1x1 kernel of stride 1 on unpadded input: the image is its own matrix.
        self.identity = (p.kh, p.kw, p.sh, p.sw, p.ph, p.pw) == (1, 1, 1, 1, 0, 0) and same_size

    def lower(self, x: Array, x_address: int, image: int, group: int, buffer: Buffer) -> int:
        """Address of the matrix K x (oh x ow) of one image and group: inside ``x`` itself, or filled into ``buffer``."""
        first = group * self.channels
        if self.identity:
            return x_address + 4 * (image * self.problem.ic + first) * self.pixels
        _host.im2col(x, buffer.array, self._geometry, image, first, first + self.channels, 0, self.problem.oh)
        return buffer.address

    @property
    def floats(self) -> int:
        """Numbers that the buffer must hold."""
        return 0 if self.identity else self.depth * self.pixels


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
    """Undefined float32 numbers that start on a cache line."""
    raw = np.empty(4 * floats + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    array = raw[start : start + 4 * floats].view(np.float32)
    return Buffer(array, array.ctypes.data)
