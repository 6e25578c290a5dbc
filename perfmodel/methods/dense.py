"""Dense convolution: im2col and a matrix product, or direct loops over blocked channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from perfmodel.errors import InputError
from perfmodel.hardware import Hardware
from perfmodel.kernel import KernelParameters
from perfmodel.methods.base import FLOAT, MethodModel, activation_bytes, byte_cost, call_cost, lowered_bytes
from perfmodel.problem import Problem

_KEPT_BYTES = 4 * 1024 * 1024
# Allocators hand a larger array back to the system after each call (glibc's largest mmap threshold), so that all its pages come anew.
_FRESH_BYTES = 32 * 1024 * 1024
_FAULT_S_A_BYTE = 1e-6 / 4096


class Dense(MethodModel):
    """Terms of a dense kernel; its time does not depend on the density.

    ``multiply``: FLOP, output channels of a group rounded up to whole vectors (direct) or to the 4 rows of a register
    block (im2col); ``update``: bytes of sums loaded and stored, once for every 384 taps: what short reductions pay;
    ``lower``: bytes of the lowered input (im2col), or of input and output laid out in blocks (direct); ``weights``,
    ``activations``: bytes read and written; ``memory``: those beyond 4 MiB, more than caches, and pages kept for reuse, hold;
    ``fresh``: bytes of arrays of more than 32 MiB that a call makes (direct: input, weights, output, laid out anew; im2col: the
    lowered input), whose pages the system hands out one fault at a time;
    ``group``: matrix products (im2col) or groups (direct); ``call``: 1.
    """

    method = "dense"
    kinds: ClassVar[Mapping[str, str]] = {
        "multiply": "compute",
        "update": "bandwidth",
        "lower": "bandwidth",
        "weights": "bandwidth",
        "activations": "bandwidth",
        "memory": "bandwidth",
        "fresh": "overhead",
        "group": "overhead",
        "call": "overhead",
    }

    def __init__(self, algorithm: Literal["im2col", "direct"] = "direct") -> None:
        """Choose the algorithm; raises :class:`InputError` for another one."""
        if algorithm not in ("im2col", "direct"):
            raise InputError(f"algorithm is {algorithm!r}; allowed: im2col, direct")
        self.algorithm = algorithm

    def flops(self, problem: Problem, density: float) -> float:
        """The dense FLOP; zeros are multiplied too."""
        return float(problem.flops)

    def traffic(self, problem: Problem, density: float) -> dict[str, float]:
        """Operands once from memory; the lowered input twice through L2."""
        x, y = activation_bytes(problem)
        lowered = lowered_bytes(problem) if self.algorithm == "im2col" else 0.0
        return {"memory": x + y + FLOAT * problem.weight_count, "l2": x + 2 * lowered + y}

    def terms(self, problem: Problem, density: float, kernel: KernelParameters) -> dict[str, float]:
        """Counts of the terms, as the class describes them."""
        p, (x, y) = problem, activation_bytes(problem)
        width = 4 if self.algorithm == "im2col" else kernel.lanes
        out = p.oc // p.g
        depthwise = out == 1 and p.g > 1  # its vectors run along the pixels
        padded = 1.0 if depthwise else -(-out // width) * width / out
        reductions = -(-(p.ic // p.g) * p.kh * p.kw // 384)
        made = (lowered_bytes(p),) if self.algorithm == "im2col" else (x, float(FLOAT * p.weight_count), y)
        return {
            "multiply": padded * p.flops,
            "update": 2 * y * padded * reductions,
            "lower": lowered_bytes(p) if self.algorithm == "im2col" else x + y,
            "weights": float(FLOAT * p.weight_count),
            "activations": x + y,
            "memory": max(0.0, x + y - _KEPT_BYTES),
            "fresh": sum(size for size in made if size > _FRESH_BYTES),
            "group": float(p.g * (p.mb if self.algorithm == "im2col" else 1)),
            "call": 1.0,
        }

    def first_costs(self, hardware: Hardware, kernel: KernelParameters) -> dict[str, float]:
        """Costs from first principles."""
        return {
            "multiply": 1.15 if kernel.alpha is None else kernel.alpha,
            "update": byte_cost(hardware, "l2"),
            "lower": 2 * byte_cost(hardware, "l3") if self.algorithm == "im2col" else 0.0,
            "weights": byte_cost(hardware, "l3"),
            "activations": byte_cost(hardware, "l3"),
            "memory": byte_cost(hardware, "memory"),
            "fresh": _FAULT_S_A_BYTE * float(hardware.peak_flops),
            "group": 0.0,
            "call": call_cost(hardware),
        }
