"""Winograd convolution F(2 x 2, 3 x 3) and F(4 x 4, 3 x 3): transforms in C around one batch of SGEMMs a block of tiles.

Y = A^T [sum over c of (G g G^T) * (B^T d B)] A for each tile of m x m outputs (Lavin and Gray, "Fast Algorithms for
Convolutional Neural Networks", CVPR 2016, sec. 4). Points of a tile first: each is a product tiles x ic/g times ic/g x oc/g.
Weights are transformed at prepare, in double precision.
"""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from backends.host import _host
from backends.host.lowering import Buffer, Scratch, aligned
from backends.host.machine import this_machine
from backends.mkl.library import thread_setter
from harness.contract import InputError, KernelClock, KernelSpec, Limits, Plan, PlanRequest, Problem, Support
from harness.contract.plan import Array
from perfmodel.methods.winograd import best_tile

# Errors relative to the convolution of absolute values, as declared; test_winograd.py holds both tiles against float64.
RTOL = {2: 1e-5, 4: 1e-4}
SPEC = KernelSpec(
    "winograd",
    "winograd",
    "Winograd F(2x2,3x3) or F(4x4,3x3): transforms in C, one batch of MKL's SGEMM a block of tiles",
    limits=Limits(kernel_sizes=((3, 3),), unit_stride=True, no_dilation=True),
    rtol=max(RTOL.values()),
    options={"tile": "outputs of a tile along each side, 2 or 4; default: the one with less work in products, weights and transforms"},
)

_TRANSFORM: dict[int, NDArray[np.float64]] = {
    2: np.array([[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]]),
    4: np.array(
        [
            [1 / 4, 0, 0],
            [-1 / 6, -1 / 6, -1 / 6],
            [-1 / 6, 1 / 6, -1 / 6],
            [1 / 24, 1 / 12, 1 / 6],
            [1 / 24, -1 / 12, 1 / 6],
            [0, 0, 1],
        ]
    ),
}
_LANES = 16
# Measured on layers of 64 to 512 channels, batch 1 and 16: half and twice these are up to 15% slower.
_L2_SHARE = 1.0
_LEAST_TILES = 56
_MOST_BYTES = 2**31


def _padded(channels: int) -> int:
    return -(-channels // _LANES) * _LANES


def transformed_bytes(problem: Problem, tile: int) -> int:
    """Bytes of the transformed weights, channels padded to whole vectors."""
    return 4 * (tile + 2) ** 2 * problem.ic * _padded(problem.oc // problem.g)


def support(problem: Problem) -> Support:
    """What the declared limits do not say: no output of padding alone, transforms within memory."""
    p = problem
    if max(p.ph, p.pw, *p.end_padding) >= 3:
        return Support(False, "outputs that see padding alone, where Winograd leaves rounding errors instead of zeros")
    row = 4 * 36 * -(-p.ow // 4) * (_padded(p.ic // p.g) + _padded(p.oc // p.g))
    for what, needed in (("weights", transformed_bytes(p, 4)), ("tiles of one row", row)):
        if needed > _MOST_BYTES:
            return Support(False, f"transformed {what} of {needed / 2**30:.1f} GiB; this kernel does up to {_MOST_BYTES // 2**30}")
    return Support(True)


def transformed(weight: Array, tile: int) -> NDArray[np.float64]:
    """G g G^T of each OIHW kernel, points first: (tile+2)^2 x ic/g x oc."""
    matrix = _TRANSFORM[tile]
    points: NDArray[np.float64] = np.einsum("ir,ocrs,js->ijco", matrix, weight.astype(np.float64), matrix, optimize=True)
    return points.reshape(len(matrix) ** 2, *weight.shape[1::-1])


class WinogradPlan(Plan):
    """Transformed weights, one buffer a group; the loop over blocks of tiles is in C."""

    def __init__(self, request: PlanRequest, backend: str, threads: int, library: ctypes.CDLL, scratch: Scratch) -> None:
        super().__init__(request, backend, threads)
        p = self.problem
        self.tile = _chosen_tile(request)
        self._scratch, self._set_threads = scratch, thread_setter()
        self._bias = None if request.bias is None else request.bias.copy()
        self._across, self._rows_in_all = -(-p.ow // self.tile), p.mb * -(-p.oh // self.tile)
        self._inputs, self._outputs = _padded(p.ic // p.g), _padded(p.oc // p.g)
        self.rows = self._rows_a_block()
        self._weights = [self._group(weight) for weight in request.weight.reshape(p.g, -1, *p.weight_shape[1:])]
        self._addresses = np.array([weight.address for weight in self._weights], np.uint64)
        letters = (p.mb, p.g, p.ic, p.ih, p.iw, p.oc, p.oh, p.ow, p.ph, p.pw, self.tile, self.rows, self.relu)
        self._job = np.array(letters, np.int32)
        self._gemm = ctypes.cast(library.cblas_sgemm_batch_strided, ctypes.c_void_p).value or 0

    def _rows_a_block(self) -> int:
        """Rows of tiles whose transforms, in and out, stay in L2, yet enough tiles for the products; blocks about equal."""
        bytes_a_row = 4 * (self.tile + 2) ** 2 * (self._inputs + self._outputs) * self._across
        fitting = int(_L2_SHARE * self.threads * this_machine().caches[1]) // bytes_a_row
        rows = min(max(fitting, -(-_LEAST_TILES // self._across)), self._rows_in_all)
        return -(-self._rows_in_all // round(self._rows_in_all / rows))

    def _group(self, weight: Array) -> Buffer:
        """Points x ic/g x padded oc/g."""
        points = transformed(weight, self.tile)
        buffer = aligned(points.shape[0] * points.shape[1] * self._outputs)
        buffer.array[:] = 0
        buffer.array.reshape(*points.shape[:2], self._outputs)[:, :, : points.shape[2]] = points
        return buffer

    def _run(self, x: Array, y: Array) -> KernelClock:
        side, tiles = self.tile + 2, self.rows * self._across
        into = self._scratch.take("tiles", side**2 * (tiles * self._inputs + _LANES)).array
        product = self._scratch.take("product", side**2 * (tiles * self._outputs + _LANES)).array
        staging = self._scratch.take("staging", side * (self._across * self.tile + 2 + _LANES) * _LANES).array
        before = self._set_threads(self.threads)
        try:
            return KernelClock(_host.winograd(x, y, self._bias, into, product, staging, self._job, self._addresses, self._gemm))
        finally:
            self._set_threads(before)

    def explain(self) -> str:
        """Tile, blocks, size of the transformed weights."""
        blocks = -(-self._rows_in_all // self.rows)
        tiles = f"{self._rows_in_all * self._across} tiles in {blocks} block{'s' if blocks > 1 else ''}"
        megabytes = 1e-6 * transformed_bytes(self.problem, self.tile)
        return f"{self.backend} {self.kernel.name}: F({self.tile}x{self.tile},3x3), {tiles}, {megabytes:.1f} MB of transformed weights"


def _chosen_tile(request: PlanRequest) -> int:
    tile = request.options.get("tile")
    if tile is None:
        return best_tile(request.problem)
    if isinstance(tile, bool) or not isinstance(tile, int) or tile not in _TRANSFORM:
        raise InputError(f"option tile is {tile!r}; allowed: 2, 4")
    return tile
