"""im2col: a convolution's input as the matrix that a GEMM or SpMM multiplies, whole or by blocks of output rows."""

from __future__ import annotations

import threading

import numpy as np

from backends.host import _host
from harness.contract import Problem
from harness.contract.plan import Array

_ALIGNMENT = 64


class Lowering:
    """Lowers one image and group of a problem to K = ic/g x kh x kw rows of output pixels."""

    def __init__(self, problem: Problem) -> None:
        p = problem
        self.problem = p
        self.channels = p.ic // p.g
        self.depth = self.channels * p.kh * p.kw
        letters = (p.ic, p.ih, p.iw, p.kh, p.kw, p.sh, p.sw, p.ph, p.pw, p.dh, p.dw, p.oh, p.ow)
        self._geometry = np.array(letters, np.int32)
        self._geometry.setflags(write=False)
        same_size = (p.oh, p.ow) == (p.ih, p.iw)
        # A 1x1 kernel of stride 1 on unpadded input: the image is its own matrix.
        self.identity = (p.kh, p.kw, p.sh, p.sw, p.ph, p.pw) == (1, 1, 1, 1, 0, 0) and same_size

    def columns(self, x: Array, image: int, group: int, y0: int, y1: int, scratch: Array) -> Array:
        """Matrix of output rows ``y0`` to ``y1``: (K, (y1 - y0) x ow), inside ``scratch`` or ``x`` itself."""
        p = self.problem
        if self.identity:
            first = group * self.channels
            return x[image, first : first + self.channels].reshape(self.depth, -1)[:, y0 * p.ow : y1 * p.ow]
        _host.im2col(x, scratch, self._geometry, image, group * self.channels, (group + 1) * self.channels, y0, y1)
        return scratch[: self.depth * (y1 - y0) * p.ow].reshape(self.depth, -1)


class Scratch(threading.local):
    """Float32 buffers that grow to what is asked, one set a Python thread."""

    def __init__(self) -> None:
        self._buffers: dict[str, Array] = {}

    def take(self, name: str, floats: int) -> Array:
        """At least ``floats`` numbers, 64-byte aligned, undefined; valid until the next call with this name."""
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < floats:
            buffer = self._buffers[name] = aligned(floats)
        return buffer


def aligned(floats: int) -> Array:
    """An undefined float32 vector that starts on a cache line."""
    raw = np.empty(4 * floats + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + 4 * floats].view(np.float32)
