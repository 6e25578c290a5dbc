"""A prepared convolution: weights bound, layout chosen, ready to run."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.contract.checks import check_array, check_output
from harness.contract.kernel import KernelSpec
from harness.contract.measurement import Clocks
from perfmodel.problem import Problem

Array = NDArray[np.float32]


class KernelClock(NamedTuple):
    """Seconds that the kernel itself took inside one call, and the device's event time if it has one."""

    wall_s: float
    device_s: float | None = None


@dataclass(frozen=True)
class PlanRequest:
    """Checked arguments of ``prepare``: everything a backend needs to build a plan.

    ``weight`` is float32 OIHW, C-contiguous and finite; ``bias`` is float32 of ``oc`` values or None.
    """

    problem: Problem
    kernel: KernelSpec
    weight: Array
    bias: Array | None = None
    relu: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def density(self) -> float:
        """Share of weights that are not zero."""
        return float(np.count_nonzero(self.weight)) / self.weight.size


class Plan(ABC):
    """A convolution with its weights bound. Implementers write ``_run`` and ``explain``.

    One plan may be used from several threads at once: keep scratch memory per call or per thread.
    ``approximation``: relative Frobenius error of the weights that a plan of an inexact kernel computes with,
    |W' - W| / |W|; None: not stated, and no speed-up is given. ``makes_output``: the engine makes the output array
    itself, so that ``out`` costs a copy; such plans are timed without it. ``checks_arrays``: ``_run`` refuses wrong arrays
    itself, by a call of :meth:`check`, before it reads or writes any.
    """

    makes_output: ClassVar[bool] = False
    checks_arrays: ClassVar[bool] = False
    prepare_s: float = 0.0
    approximation: float | None = None
    peak_probe: Callable[[], float | None] | None = None

    def __init__(self, request: PlanRequest, backend: str, threads: int = 1) -> None:
        self.problem, self.kernel = request.problem, request.kernel
        self.relu, self.density = request.relu, request.density
        self.backend, self.threads = backend, threads

    def run(self, x: Array, out: Array | None = None) -> Array:
        """Convolve ``x`` (float32 NCHW) into a new array, or into ``out`` and return that.

        Raises :class:`InputError` for a wrong shape, type or memory layout; nothing is copied silently.
        """
        return self.run_clocked(x, out)[0]

    def run_clocked(self, x: Array, out: Array | None = None) -> tuple[Array, Clocks]:
        """As :meth:`run`, with the clocks of this call."""
        start = time.perf_counter()
        if not self.checks_arrays:
            self.check(x, out)
        if out is None:
            out = np.empty(self.problem.output_shape, np.float32)
        kernel = self._run(x, out)
        total = time.perf_counter() - start
        if kernel is None:
            return out, Clocks(total, total)
        return out, Clocks(total, kernel) if isinstance(kernel, float) else Clocks(total, kernel.wall_s, kernel.device_s)

    def check(self, x: Array, out: Array | None) -> None:
        """Raise :class:`InputError` unless ``x``, and ``out`` if there is one, may be given to :meth:`run`."""
        check_array("x", x, self.problem.input_shape)
        if out is not None:
            check_output(out, self.problem.output_shape, x)

    @abstractmethod
    def _run(self, x: Array, y: Array) -> KernelClock | float | None:
        """Compute ``y`` from checked ``x``; return the kernel's own time, or its seconds alone, where the backend knows it."""

    def effective_weight(self) -> Array | None:
        """The weights W' (float32 OIHW) that a plan of an inexact kernel computes with; None: those it was given."""
        return None

    def explain(self) -> str:
        """The plan in words: layout, tile, variant, what bounds it."""
        return f"{self.backend} {self.kernel.name}: {self.kernel.summary}"
