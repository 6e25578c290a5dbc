"""Convolution by real two-dimensional FFTs of overlapping tiles (overlap-save), weights transformed at prepare.

With X, W the transforms of a tile and of a kernel padded to the tile, Y = sum over c of X conj(W) gives the
correlation; of a tile of t pixels the first t - k + 1 are free of wrap-around. One complex matrix product
a frequency: (oc/g x ic/g) times (ic/g x tiles). Mathieu, Henaff, LeCun 2014, sec. 2; Vasilache et al. 2015.
"""

from __future__ import annotations

import ctypes
import time

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from backends.host.lowering import Buffer, Scratch, aligned
from backends.mkl.dfti import RealTransform
from backends.mkl.library import NO_TRANSPOSE, ROW_MAJOR, thread_setter
from harness.contract import KernelClock, KernelSpec, Limits, Plan, PlanRequest, Problem, Support
from harness.contract.plan import Array

SPEC = KernelSpec(
    "fft",
    "fft",
    "real 2-D FFTs of overlapping tiles by MKL's DFT, one complex product a frequency",
    limits=Limits(unit_stride=True, no_dilation=True),
    rtol=1e-4,
)

_SIZES = (4, 6, 8, 10, 12, 15, 16, 20, 24, 28, 32, 40, 48, 64)
# In units of one complex multiply-add, as measured with 1 to 100 tiles on 3x3 and 5x5 layers: bringing a weight into a product,
# and transforming one frequency of one channel of a tile.
_WEIGHT_COST, _TRANSFORM_COST = 10, 70
_MOST_WEIGHT_BYTES = 2**31
_ONE, _ZERO = (ctypes.c_float * 2)(1.0, 0.0), (ctypes.c_float * 2)(0.0, 0.0)


def frequencies(size: int) -> int:
    """Complex numbers that a real tile of size x size transforms to."""
    return size * (size // 2 + 1)


def tile_grid(problem: Problem, size: int) -> tuple[int, int]:
    """Tiles down and across that cover the output."""
    return -(-problem.oh // (size - problem.kh + 1)), -(-problem.ow // (size - problem.kw + 1))


def tile_size(problem: Problem) -> int | None:
    """The tile with the least work in products, weights and transforms; None where the kernel is larger than every tile."""
    p = problem
    fitting = [size for size in _SIZES if size >= max(p.kh, p.kw)]

    def cost(size: int) -> int:
        down, across = tile_grid(p, size)
        tiles = p.mb * down * across
        return frequencies(size) * (p.oc * p.ic // p.g * (tiles + _WEIGHT_COST) + _TRANSFORM_COST * (p.ic + p.oc) * tiles)

    return min(fitting, key=cost, default=None)


def support(problem: Problem) -> Support:
    """What the declared limits do not say: kernels within a tile, weights within memory, no output of padding alone."""
    p = problem
    size = tile_size(p)
    if size is None:
        return Support(False, f"kernel {p.kh}x{p.kw}; this kernel does up to {_SIZES[-1]}x{_SIZES[-1]}")
    if max(p.ph, p.end_padding[0]) >= p.kh or max(p.pw, p.end_padding[1]) >= p.kw:
        return Support(False, "outputs that see padding alone, where an FFT leaves rounding errors instead of zeros")
    if (needed := 8 * frequencies(size) * p.oc * p.ic // p.g) > _MOST_WEIGHT_BYTES:
        return Support(False, f"transformed weights of {needed / 2**30:.1f} GiB; this kernel does up to {_MOST_WEIGHT_BYTES // 2**30}")
    return Support(True)


class FftPlan(Plan):
    """Weights as (group, frequency, oc/g, ic/g) complex numbers, conjugated and scaled."""

    def __init__(self, request: PlanRequest, backend: str, threads: int, library: ctypes.CDLL, scratch: Scratch) -> None:
        super().__init__(request, backend, threads)
        p = self.problem
        size = tile_size(p)
        assert size is not None
        self._library, self._scratch, self._set_threads = library, scratch, thread_setter()
        self._bias = None if request.bias is None else request.bias.copy()
        self._size, self._grid = size, tile_grid(p, size)
        self._tiles = p.mb * self._grid[0] * self._grid[1]
        self._inputs, self._outputs = p.ic // p.g, p.oc // p.g
        before = self._set_threads(threads)
        try:
            self._forward = RealTransform(library, size, self._inputs * self._tiles)
            self._backward = RealTransform(library, size, self._outputs * self._tiles, inverse=True)
            self._weights = [self._transformed(group) for group in request.weight.reshape(p.g, -1, p.kh, p.kw)]
        finally:
            self._set_threads(before)

    def _transformed(self, kernels: Array) -> Buffer:
        """conj(FFT) of each kernel over the number of pixels of a tile, frequency first."""
        count = len(kernels)
        tiles, spectrum = np.zeros((count, self._size, self._size), np.float32), aligned(2 * frequencies(self._size) * count)
        tiles[:, : self.problem.kh, : self.problem.kw] = kernels / self._size**2
        RealTransform(self._library, self._size, count).run(tiles.ctypes.data, spectrum.address)
        values = spectrum.array.view(np.complex64)
        np.conjugate(values, out=values)
        return spectrum

    def _run(self, x: Array, y: Array) -> KernelClock:
        p, size, seconds = self.problem, self._size, 0.0
        windows = self._windows(x)
        pixels = self._scratch.take("tiles", max(self._inputs, self._outputs) * self._tiles * size * size)
        before_product = self._scratch.take("spectrum", 2 * frequencies(size) * self._inputs * self._tiles)
        product = self._scratch.take("product", 2 * frequencies(size) * self._outputs * self._tiles)
        before = self._set_threads(self.threads)
        try:
            for group in range(p.g):
                tiles = _shaped(pixels.array, (self._inputs, p.mb, *self._grid, size, size))
                tiles[...] = windows[group * self._inputs : (group + 1) * self._inputs]
                start = time.perf_counter()
                self._forward.run(pixels.address, before_product.address)
                self._multiply(self._weights[group].address, before_product.address, product.address)
                self._backward.run(product.address, pixels.address)
                seconds += time.perf_counter() - start
                self._crop(_shaped(pixels.array, (self._outputs, p.mb, *self._grid, size, size)), y, group)
        finally:
            self._set_threads(before)
        self._finish(y)
        return KernelClock(seconds)

    def _windows(self, x: Array) -> NDArray[np.float32]:
        """View on a padded copy of ``x``: (ic, mb, down, across, size, size), windows overlapping by kernel - 1."""
        p, (down, across) = self.problem, self._grid
        steps = self._size - p.kh + 1, self._size - p.kw + 1
        height, width = (down - 1) * steps[0] + self._size, (across - 1) * steps[1] + self._size
        padded = _shaped(self._scratch.take("padded", p.mb * p.ic * height * width).array, (p.mb, p.ic, height, width))
        padded[...] = 0
        rows, columns = min(p.ih, height - p.ph), min(p.iw, width - p.pw)
        padded[:, :, p.ph : p.ph + rows, p.pw : p.pw + columns] = x[:, :, :rows, :columns]
        image, channel, row, column = padded.strides
        strides = (channel, image, steps[0] * row, steps[1] * column, row, column)
        return as_strided(padded, (p.ic, p.mb, down, across, self._size, self._size), strides, writeable=False)

    def _multiply(self, weights: int, spectrum: int, product: int) -> None:
        """One complex product a frequency."""
        m, n, k = self._outputs, self._tiles, self._inputs
        sizes = (m, n, k, _ONE, weights, k, m * k, spectrum, n, k * n, _ZERO, product, n, m * n, frequencies(self._size))
        self._library.cblas_cgemm_batch_strided(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, *sizes)

    def _crop(self, tiles: Array, y: Array, group: int) -> None:
        """Write the pixels without wrap-around to the output."""
        p, (down, across) = self.problem, self._grid
        high, wide = self._size - p.kh + 1, self._size - p.kw + 1
        target = y[:, group * self._outputs : (group + 1) * self._outputs]
        for i in range(down):
            for j in range(across):
                part = target[:, :, i * high : (i + 1) * high, j * wide : (j + 1) * wide]
                part[...] = tiles[:, :, i, j, : part.shape[2], : part.shape[3]].swapaxes(0, 1)

    def _finish(self, y: Array) -> None:
        if self._bias is not None:
            y += self._bias[:, None, None]
        if self.relu:
            np.maximum(y, 0, out=y)

    def explain(self) -> str:
        """Tile, number of tiles, size of the transformed weights."""
        megabytes = 8e-6 * frequencies(self._size) * self.problem.g * self._outputs * self._inputs
        tiles = f"{self._tiles} tiles of {self._size}x{self._size} a channel"
        return f"{self.backend} {self.kernel.name}: {tiles}, {megabytes:.1f} MB of transformed weights"


def _shaped(buffer: Array, shape: tuple[int, ...]) -> Array:
    """The first numbers of ``buffer`` in this shape."""
    return buffer[: int(np.prod(shape))].reshape(shape)
