"""FFT convolution: real transforms of tiles, complex products for each frequency."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from perfmodel.errors import InputError
from perfmodel.hardware import Hardware
from perfmodel.kernel import KernelParameters
from perfmodel.methods.base import FLOAT, MethodModel, activation_bytes, byte_cost, call_cost
from perfmodel.problem import Problem

_COMPLEX_MAC = 8


class Fft(MethodModel):
    """Overlap-save convolution over tiles of ``size`` x ``size`` real points (None: one tile holds the padded image).

    A real transform of N points takes about 2.5 N log2 N FLOP, half of the complex 5 N log2 N; it has N/2 + size/2 complex
    points to multiply, 8 FLOP each. Strides compute all pixels and drop some. Transforms of the weights happen in ``prepare``.

    ``multiply``: FLOP of the products; ``transform``: FLOP of the transforms; ``spectra``: bytes of spectra written and
    read; ``weights``: bytes of transformed weights; ``activations``: bytes of input and output; ``call``: 1.
    """

    method = "fft"
    kinds: ClassVar[Mapping[str, str]] = {
        "multiply": "compute",
        "transform": "compute",
        "spectra": "bandwidth",
        "weights": "bandwidth",
        "activations": "bandwidth",
        "call": "overhead",
    }

    def __init__(self, size: int | None = None) -> None:
        """Choose the tile; raises :class:`InputError` unless it is a whole number from 2, or None."""
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 2):
            raise InputError(f"size is {size!r}; allowed: a whole number from 2, or None for the whole image")
        self.size = size

    def _grid(self, problem: Problem) -> tuple[float, float, float]:
        """Tiles of one image, real points of a tile, complex points of its spectrum."""
        p = problem
        span_h, span_w = (p.kh - 1) * (p.dh + 1) + 1, (p.kw - 1) * (p.dw + 1) + 1
        high, wide = (p.oh - 1) * p.sh + 1, (p.ow - 1) * p.sw + 1
        size_h, size_w = (self.size, self.size) if self.size else (high + span_h - 1, wide + span_w - 1)
        if size_h < span_h or size_w < span_w:
            raise InputError(f"size is {self.size}; allowed for a kernel that covers {span_h}x{span_w}: {max(span_h, span_w)} or more")
        tiles = -(-high // (size_h - span_h + 1)) * -(-wide // (size_w - span_w + 1))
        return float(tiles), float(size_h * size_w), float(size_h * (size_w // 2 + 1))

    def flops(self, problem: Problem, density: float) -> float:
        """Products and transforms; raises :class:`InputError` for a tile smaller than the kernel."""
        terms = self.terms(problem, density, KernelParameters())
        return terms["multiply"] + terms["transform"]

    def traffic(self, problem: Problem, density: float) -> dict[str, float]:
        """Operands and transformed weights from memory; spectra through L2."""
        terms = self.terms(problem, density, KernelParameters())
        return {"memory": terms["activations"] + terms["weights"], "l2": terms["activations"] + terms["spectra"]}

    def terms(self, problem: Problem, density: float, kernel: KernelParameters) -> dict[str, float]:
        """Counts of the terms, as the class describes them."""
        p, (tiles, points, bins) = problem, self._grid(problem)
        transforms = p.mb * tiles * (p.ic + p.oc)
        return {
            "multiply": _COMPLEX_MAC * p.mb * tiles * bins * p.oc * p.ic / p.g,
            "transform": 2.5 * points * math.log2(points) * transforms if points > 1 else 0.0,
            "spectra": 2 * 2 * FLOAT * bins * transforms,
            "weights": 2 * FLOAT * bins * p.oc * p.ic / p.g,
            "activations": sum(activation_bytes(p)),
            "call": 1.0,
        }

    def first_costs(self, hardware: Hardware, kernel: KernelParameters) -> dict[str, float]:
        """Costs from first principles."""
        return {
            "multiply": kernel.alpha if kernel.alpha is not None else 1.5,
            "transform": 4.0,
            "spectra": byte_cost(hardware, "l2"),
            "weights": byte_cost(hardware, "l3"),
            "activations": byte_cost(hardware, "l3"),
            "call": call_cost(hardware),
        }
