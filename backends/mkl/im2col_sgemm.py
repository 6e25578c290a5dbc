"""The paper's baseline: im2col in C, one SGEMM an image and group (Park et al. 2017, sec. 1 and 3)."""

from __future__ import annotations

import ctypes
import itertools
import time
from dataclasses import dataclass

import numpy as np

from backends.host import _host
from backends.host.lowering import Buffer, Lowering, Scratch, aligned
from backends.mkl import library as mkl
from backends.mkl.library import thread_count
from harness.contract import InputError, KernelClock, KernelSpec, Plan, PlanRequest
from harness.contract.plan import Array

SPEC = KernelSpec(
    "im2col_sgemm",
    "dense",
    "im2col in C, then MKL's SGEMM for each image and group; the fastest of four forms of the product",
    paper_baseline=True,
    options={
        "variant": "form of the product: plain, packed, transposed or transposed_packed; default: the fastest as timed at prepare",
        "tune": "False takes the plain form without timing",
    },
)

_TUNE_FROM_FLOPS = 2_000_000
_TUNE_CALLS = 3


@dataclass(frozen=True, slots=True)
class Form:
    """How the product is written: W x columns, or its transpose (output channels along the vectors), weights packed or not."""

    name: str
    transposed: bool
    packed: bool


FORMS = {
    form.name: form
    for form in (
        Form("plain", False, False),
        Form("packed", False, True),
        Form("transposed", True, False),
        Form("transposed_packed", True, True),
    )
}


class Im2colSgemmPlan(Plan):
    """Weights as M x K matrices, one a group, in the chosen form."""

    def __init__(
        self, request: PlanRequest, backend: str, threads: int, library: ctypes.CDLL, scratch: Scratch, form: Form, weights: list[Buffer]
    ) -> None:
        super().__init__(request, backend, threads)
        self.form, self._library, self._scratch, self._weights = form, library, scratch, weights
        self._bias = None if request.bias is None else request.bias.copy()
        self._lowering = Lowering(self.problem, threads)
        self._channels = self.problem.oc // self.problem.g
        if form.packed:
            self._weights = [self._pack(weight) for weight in weights]

    def _run(self, x: Array, y: Array) -> KernelClock:
        with thread_count(self.threads):
            return self.convolve(x, y, self.problem.mb)

    def convolve(self, x: Array, y: Array, images: int) -> KernelClock:
        """Write the first images of ``y``; the clock is that of the products alone."""
        channels, lowering, seconds = self._channels, self._lowering, 0.0
        x_address, y_address = _host.addresses(x, y)
        columns = self._scratch.take("columns", lowering.floats)
        product = self._scratch.take("product", channels * lowering.pixels) if self.form.transposed else None
        for part, rows in itertools.product(range(images * self.problem.g), lowering.blocks):
            image, group = divmod(part, self.problem.g)
            width = (rows[1] - rows[0]) * self.problem.ow
            target = part * channels * lowering.pixels + rows[0] * self.problem.ow
            matrix = lowering.lower(x, x_address, image, group, rows, columns)
            start = time.perf_counter()
            self._multiply(self._weights[group].address, matrix, product.address if product else y_address + 4 * target, width)
            seconds += time.perf_counter() - start
            if product is not None or self._bias is not None or self.relu:
                bias = None if self._bias is None else self._bias[group * channels : (group + 1) * channels]
                source = product.array if product else None
                _host.finish(source, y, bias, channels, width, target, lowering.pixels, self.relu)
        return KernelClock(seconds)

    def _multiply(self, weight: int, columns: int, result: int, n: int) -> None:
        """Product for ``n`` pixels; the result is M x n with rows of all pixels apart, or n x M where transposed."""
        m, k, pixels = self._channels, self._lowering.depth, self._lowering.pixels
        row, no, yes = mkl.ROW_MAJOR, mkl.NO_TRANSPOSE, mkl.TRANSPOSE
        match self.form.transposed, self.form.packed:
            case False, False:
                self._library.cblas_sgemm(row, no, no, m, n, k, 1.0, weight, k, columns, n, 0.0, result, pixels)
            case False, True:
                self._library.cblas_sgemm_compute(row, mkl.PACKED, no, m, n, k, weight, k, columns, n, 0.0, result, pixels)
            case True, False:
                self._library.cblas_sgemm(row, yes, yes, n, m, k, 1.0, columns, n, weight, k, 0.0, result, m)
            case True, True:
                self._library.cblas_sgemm_compute(row, yes, mkl.PACKED, n, m, k, columns, n, weight, k, 0.0, result, m)

    def _pack(self, weight: Buffer) -> Buffer:
        """Weights in MKL's own order, made once."""
        m, n, k = self._channels, self._lowering.pixels, self._lowering.depth
        side, rows, columns, transpose = (
            (mkl.B_MATRIX, n, m, mkl.TRANSPOSE) if self.form.transposed else (mkl.A_MATRIX, m, n, mkl.NO_TRANSPOSE)
        )
        packed = aligned(self._library.cblas_sgemm_pack_get_size(side, rows, columns, k) // 4 + 1)
        self._library.cblas_sgemm_pack(mkl.ROW_MAJOR, side, transpose, rows, columns, k, 1.0, weight.address, k, packed.address)
        return packed

    def explain(self) -> str:
        """Form of the product and sizes of its matrices."""
        m, n, k = self._channels, self._lowering.pixels, self._lowering.depth
        blocks = len(self._lowering.blocks)
        lowered = f"im2col matrix of {4e-6 * k * n:.2f} MB in {blocks} block{'s' if blocks > 1 else ''}"
        if self._lowering.identity:
            lowered = "the image itself, no im2col"
        return f"{self.backend} {self.kernel.name}: {self.problem.g} x SGEMM {m} x {n} x {k} an image, {self.form.name} form; {lowered}"


def prepare(request: PlanRequest, backend: str, threads: int, library: ctypes.CDLL, scratch: Scratch) -> Im2colSgemmPlan:
    """The plan in the form that the options name, else in the one that is fastest on random data."""
    p = request.problem
    weights = [aligned(p.weight_count // p.g) for _ in range(p.g)]
    for group, buffer in enumerate(weights):
        buffer.array[:] = request.weight.reshape(p.g, -1)[group]
    variant, tune = request.options.get("variant"), request.options.get("tune", True)
    if variant is not None and variant not in FORMS:
        raise InputError(f"option variant is {variant!r}; allowed: {', '.join(FORMS)}")
    if not isinstance(tune, bool):
        raise InputError(f"option tune is {tune!r}; allowed: True, False")

    def plan(form: Form) -> Im2colSgemmPlan:
        return Im2colSgemmPlan(request, backend, threads, library, scratch, form, weights)

    with thread_count(threads):
        if variant is not None:
            return plan(FORMS[variant])
        if not tune or p.flops // p.mb < _TUNE_FROM_FLOPS:
            return plan(FORMS["plain"])
        return _fastest([plan(form) for form in FORMS.values()])


def _fastest(plans: list[Im2colSgemmPlan]) -> Im2colSgemmPlan:
    """The plan with the shortest call on one random image, timed in turns."""
    p = plans[0].problem.with_batch(1)
    x = np.random.default_rng(0).random(p.input_shape, np.float32)
    y = np.empty(p.output_shape, np.float32)
    shortest = [float("inf")] * len(plans)
    for turn in range(_TUNE_CALLS + 1):
        for index, plan in enumerate(plans):
            start = time.perf_counter()
            plan.convolve(x, y, 1)
            if turn:
                shortest[index] = min(shortest[index], time.perf_counter() - start)
    return plans[shortest.index(min(shortest))]
