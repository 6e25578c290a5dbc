"""Where a tap of the kernel finds its pixel: the padded, de-strided input as flat planes.

The input is copied once a call into planes, one for each input channel and each phase (a, b) of the stride,
so that a tap (r, s) of the kernel is one constant offset for every output pixel, whatever stride, padding and
dilation (Park et al. 2017, sec. 2.1: column indices that are addresses). All images lie in one plane, one
after the other, and an output pixel is a position q = (image * rows + y) * pitch + x in it:

    plane[c, a, b][q + u * pitch + v] = input[image][c][y * sh + r * (dh + 1) - ph][x * sw + s * (dw + 1) - pw]
    with r * (dh + 1) = u * sh + a and s * (dw + 1) = v * sw + b

At stride 1 the zeros before a row serve as the zeros after the row above it (SkimCaffe's trick), images likewise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness.contract import Problem


@dataclass(frozen=True)
class Planes:
    """The planes of one problem. Lengths are in floats; ``slack`` floats after the last pixel may be read.

    Where vectors of images take the place of single images (lanes.py), the batch counts such vectors and lengths are in
    vectors. ``odd``: the pitch is made odd, so that the rows of an image start in different banks of local memory.
    """

    problem: Problem
    slack: int
    odd: bool = False

    @cached_property
    def _taps(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Offset in input pixels of each kernel row and column."""
        p = self.problem
        return np.arange(p.kh) * (p.dh + 1), np.arange(p.kw) * (p.dw + 1)

    @cached_property
    def phases(self) -> list[tuple[int, int]]:
        """The phases (a, b) that any tap uses."""
        rows, columns = self._taps
        return sorted({(int(a), int(b)) for a in rows % self.problem.sh for b in columns % self.problem.sw})

    @cached_property
    def columns(self) -> int:
        """Pixels of a plane's row that any tap reads."""
        return self.problem.ow + int(self._taps[1].max()) // self.problem.sw

    @cached_property
    def pitch(self) -> int:
        """Distance between rows of a plane."""
        shared = min(self.problem.pw, self.problem.end_padding[1]) if self.problem.sw == 1 else 0
        return max(self.problem.ow, self.columns - shared) | int(self.odd)

    @cached_property
    def rows(self) -> int:
        """Distance between images, in rows."""
        p = self.problem
        shared = min(p.ph, p.end_padding[0]) if p.sh == 1 else 0
        return max(p.oh, p.oh + int(self._taps[0].max()) // p.sh - shared)

    @cached_property
    def positions(self) -> int:
        """Positions from the first output pixel to the last, those between rows and images included."""
        p = self.problem
        return ((p.mb - 1) * self.rows + p.oh - 1) * self.pitch + p.ow

    @cached_property
    def reach(self) -> int:
        """The largest offset of a tap inside its plane."""
        rows, columns = self._taps
        return int(rows.max()) // self.problem.sh * self.pitch + int(columns.max()) // self.problem.sw

    @cached_property
    def length(self) -> int:
        """Floats of one plane, a multiple of 16 so that planes start aligned."""
        return -(-(self.positions + self.reach + self.slack) // 16) * 16

    @property
    def floats(self) -> int:
        """Floats of all planes."""
        return self.problem.ic * len(self.phases) * self.length

    @cached_property
    def tap_plane(self) -> NDArray[np.int64]:
        """Plane of each tap of each channel of a group, shape (ic / g, kh, kw)."""
        p = self.problem
        rows, columns = self._taps
        index = {phase: i for i, phase in enumerate(self.phases)}
        phase = np.array([[index[int(a), int(b)] for b in columns % p.sw] for a in rows % p.sh], np.int64)
        return np.arange(p.ic // p.g)[:, None, None] * len(self.phases) + phase

    @cached_property
    def tap_inside(self) -> NDArray[np.int64]:
        """Offset of each tap inside its plane, same shape."""
        rows, columns = self._taps
        inside = (rows // self.problem.sh * self.pitch)[:, None] + columns // self.problem.sw
        return np.broadcast_to(inside, self.tap_plane.shape)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Offset of each tap of each channel of a group from the group's first plane, same shape."""
        return self.tap_plane * self.length + self.tap_inside

    @property
    def group_planes(self) -> int:
        """Planes of one group."""
        return self.problem.ic // self.problem.g * len(self.phases)

    @property
    def group_stride(self) -> int:
        """Floats from one group's first plane to the next group's."""
        return self.group_planes * self.length
