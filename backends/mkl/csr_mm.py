"""Sparse weights (CSR) times the lowered input by MKL's inspector-executor sparse BLAS."""

from __future__ import annotations

import ctypes
import itertools
import time
import weakref

import numpy as np

from backends.host import _host
from backends.host.lowering import Lowering, Scratch
from backends.mkl.library import Description, thread_setter
from harness.contract import InputError, KernelClock, KernelSpec, Plan, PlanRequest
from harness.contract.plan import Array

SPEC = KernelSpec("csr_mm", "lowered_sparse", "im2col in C, then MKL's sparse matrix times dense matrix for each image and group")

_SUCCESS, _ZERO_BASED, _NO_TRANSPOSE, _ROW_MAJOR = 0, 0, 10, 101
_EXPECTED_CALLS = 1000
_GENERAL = Description(20, 0, 50)


class CsrMatrix:
    """A handle of MKL's on one group's weights (rows x columns), with the arrays that it points into."""

    def __init__(self, library: ctypes.CDLL, weight: Array, width: int) -> None:
        self.rows, self.columns = weight.shape
        row_of, self._index = (part.astype(np.int32) for part in np.nonzero(weight))
        self._value = weight[row_of, self._index].copy()
        self._start = np.zeros(self.rows + 1, np.int32)
        np.cumsum(np.bincount(row_of, minlength=self.rows), out=self._start[1:])
        self.handle = ctypes.c_void_p()
        starts = self._start.ctypes.data
        pointers = (starts, starts + self._start.itemsize, self._index.ctypes.data, self._value.ctypes.data)
        _check(library.mkl_sparse_s_create_csr(ctypes.byref(self.handle), _ZERO_BASED, self.rows, self.columns, *pointers))
        weakref.finalize(self, library.mkl_sparse_destroy, self.handle)
        library.mkl_sparse_set_mm_hint(self.handle, _NO_TRANSPOSE, _GENERAL, _ROW_MAJOR, width, _EXPECTED_CALLS)
        _check(library.mkl_sparse_optimize(self.handle))


class CsrMmPlan(Plan):
    """One CSR matrix a group; its indices are made here from the weights, so they are within bounds."""

    def __init__(self, request: PlanRequest, backend: str, threads: int, library: ctypes.CDLL, scratch: Scratch) -> None:
        super().__init__(request, backend, threads)
        p = self.problem
        self._library, self._scratch, self._lowering = library, scratch, Lowering(p, threads)
        self._bias = None if request.bias is None else request.bias.copy()
        self._channels = p.oc // p.g
        self._set_threads = thread_setter()
        groups = request.weight.reshape(p.g, self._channels, -1)
        self._matrices = [CsrMatrix(library, group, self._lowering.widest) if group.any() else None for group in groups]

    def _run(self, x: Array, y: Array) -> KernelClock:
        addresses = _host.addresses(x, y)
        parts = itertools.product(range(self.problem.mb * self.problem.g), self._lowering.blocks)
        before = self._set_threads(self.threads)
        try:
            return KernelClock(sum(self._block(x, y, *addresses, part, rows) for part, rows in parts))
        finally:
            self._set_threads(before)

    def _block(self, x: Array, y: Array, x_address: int, y_address: int, part: int, rows: tuple[int, int]) -> float:
        """Output rows of one image and group; returns the seconds of the product alone."""
        channels, lowering, seconds = self._channels, self._lowering, 0.0
        image, group = divmod(part, self.problem.g)
        target = part * channels * lowering.pixels + rows[0] * self.problem.ow
        width = (rows[1] - rows[0]) * self.problem.ow
        if (matrix := self._matrices[group]) is None:
            y[image, group * channels : (group + 1) * channels, rows[0] : rows[1]] = 0
        else:
            lowered = lowering.lower(x, x_address, image, group, rows, self._scratch.take("columns", lowering.floats))
            start = time.perf_counter()
            self._multiply(matrix, lowered, y_address + 4 * target, width)
            seconds = time.perf_counter() - start
        if self._bias is not None or self.relu:
            bias = None if self._bias is None else self._bias[group * channels : (group + 1) * channels]
            _host.finish(None, y, bias, channels, width, target, lowering.pixels, self.relu)
        return seconds

    def _multiply(self, matrix: CsrMatrix, columns: int, result: int, n: int) -> None:
        """Rows of the result lie all pixels apart."""
        multiply = self._library.mkl_sparse_s_mm
        _check(multiply(_NO_TRANSPOSE, 1.0, matrix.handle, _GENERAL, _ROW_MAJOR, columns, n, n, 0.0, result, self._lowering.pixels))

    def explain(self) -> str:
        """Sizes of the matrices and the density that they were made from."""
        m, n, k = self._channels, self._lowering.pixels, self._lowering.depth
        return f"{self.backend} {self.kernel.name}: {self.problem.g} x CSR {m} x {k} at density {self.density:.3g}, times {k} x {n}"


def _check(status: int) -> None:
    if status != _SUCCESS:
        raise InputError(f"MKL's sparse BLAS refused the weights with status {status}; allowed: matrices that it supports")
