"""The paper's baseline: im2col in C, one SGEMM an image and group (Park et al. 2017, sec. 1 and 3)."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.host import _host
from backends.host.lowering import Buffer, Lowering, Scratch, aligned
from backends.mkl import library as mkl
from backends.mkl.library import thread_setter
from harness.contract import InputError, KernelClock, KernelSpec, Plan, PlanRequest
from harness.contract.plan import Array

SPEC = KernelSpec(
    "im2col_sgemm",
    "dense",
    "im2col in C, then MKL's SGEMM for each image and group; the fastest of four forms of the product",
    paper_baseline=True,
    model="dense/im2col",
    options={
        "variant": "form of the product: plain, packed, transposed or transposed_packed; default: the fastest as timed at prepare",
        "tune": "False takes the plain form without timing",
    },
)

_TUNE_FROM_FLOPS = 2_000_000
_TUNE_CALLS = 4


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
    """Weights as M x K matrices, one a group, in the chosen form; the loop around the products is in C."""

    def __init__(
        self, request: PlanRequest, backend: str, threads: int, library: ctypes.CDLL, scratch: Scratch, form: Form, weights: list[Buffer]
    ) -> None:
        super().__init__(request, backend, threads)
        p = self.problem
        self.form, self._library, self._scratch = form, library, scratch
        self._bias = None if request.bias is None else request.bias.copy()
        self._lowering = Lowering(p, threads)
        self._channels = p.oc // p.g
        self._weights = [self._pack(weight) for weight in weights] if form.packed else weights
        self._addresses = np.array([weight.address for weight in self._weights], np.uint64)
        self._job = self._job_for(p.mb)
        self._set_threads = thread_setter()
        function = library.cblas_sgemm_compute if form.packed else library.cblas_sgemm
        self._gemm = ctypes.cast(function, ctypes.c_void_p).value or 0

    def _job_for(self, images: int) -> NDArray[np.int32]:
        """The job as the binding takes it: mb g oc identity blocks transposed packed relu."""
        p, lowering, form = self.problem, self._lowering, self.form
        return np.array([images, p.g, p.oc, lowering.identity, len(lowering.blocks), form.transposed, form.packed, self.relu], np.int32)

    def _run(self, x: Array, y: Array) -> KernelClock:
        before = self._set_threads(self.threads)
        try:
            return KernelClock(self._convolve(x, y, self._job))
        finally:
            self._set_threads(before)

    def first_image(self, x: Array, y: Array) -> None:
        """Convolve one image: what the choice of a form is timed with."""
        self._convolve(x, y, self._job_for(1))

    def _convolve(self, x: Array, y: Array, job: NDArray[np.int32]) -> float:
        columns = self._scratch.take("columns", self._lowering.floats).array
        product = self._scratch.take("product", self._channels * self._lowering.widest if self.form.transposed else 0).array
        return _host.im2col_gemm(x, y, self._bias, columns, product, self._lowering.geometry, job, self._addresses, self._gemm)

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

    before = thread_setter()(threads)
    try:
        if variant is not None:
            return plan(FORMS[variant])
        if not tune or p.flops // p.mb < _TUNE_FROM_FLOPS:
            return plan(FORMS["plain"])
        return _fastest([plan(form) for form in FORMS.values()])
    finally:
        thread_setter()(before)


def _fastest(plans: list[Im2colSgemmPlan]) -> Im2colSgemmPlan:
    """The plan with the shortest call on one random image, timed in turns."""
    p = plans[0].problem.with_batch(1)
    x = np.random.default_rng(0).random(p.input_shape, np.float32)
    y = np.empty(p.output_shape, np.float32)
    # One thread's CPU time leaves out what other processes take meanwhile.
    clock = time.thread_time if plans[0].threads == 1 else time.perf_counter
    shortest = [float("inf")] * len(plans)
    for turn in range(_TUNE_CALLS + 1):
        for index, plan in enumerate(plans):
            start = clock()
            plan.first_image(x, y)
            if turn:
                shortest[index] = min(shortest[index], clock() - start)
    return plans[shortest.index(min(shortest))]
