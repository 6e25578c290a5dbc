"""Sparse weights times the lowered input: im2col, then a sparse by dense matrix product."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from perfmodel.hardware import Hardware
from perfmodel.kernel import KernelParameters
from perfmodel.methods.base import FLOAT, MethodModel, activation_bytes, byte_cost, call_cost, lowered_bytes
from perfmodel.problem import Problem

_INDEX_AND_VALUE = 8
# The lowered matrix of one image and group is read over and over; up to about this size it stays in L2.
_NEAR_BYTES = 256 * 1024


class LoweredSparse(MethodModel):
    """Terms of im2col + SpMM (the lowered variant of the paper's figure 3).

    ``multiply``: FLOP of the non-zeros over full vectors of pixels; ``gather``: bytes of lowered rows that the
    non-zeros read from beyond L2; ``nonzero``: non-zeros times images; ``lower``: bytes of the lowered input; ``weights``: bytes of
    values and indices; ``output``: bytes written; ``row``: output channels times images; ``call``: 1.
    """

    method = "lowered_sparse"
    kinds: ClassVar[Mapping[str, str]] = {
        "multiply": "compute",
        "gather": "bandwidth",
        "nonzero": "compute",
        "lower": "bandwidth",
        "weights": "bandwidth",
        "output": "bandwidth",
        "row": "overhead",
        "call": "overhead",
    }

    def flops(self, problem: Problem, density: float) -> float:
        """FLOP of the non-zeros."""
        return density * problem.flops

    def traffic(self, problem: Problem, density: float) -> dict[str, float]:
        """Operands once from memory, index and value 8 bytes; the lowered input written and read in L2."""
        x, y = activation_bytes(problem)
        lowered = lowered_bytes(problem)
        return {"memory": x + y + _INDEX_AND_VALUE * density * problem.weight_count, "l2": 2 * lowered + x + y}

    def terms(self, problem: Problem, density: float, kernel: KernelParameters) -> dict[str, float]:
        """Counts of the terms, as the class describes them."""
        p, nonzeros = problem, density * problem.weight_count
        pixels = p.oh * p.ow
        padded = -(-pixels // kernel.lanes) * kernel.lanes
        matrix = FLOAT * (p.ic // p.g) * p.kh * p.kw * pixels
        far = max(0.0, 1.0 - _NEAR_BYTES / matrix)
        return {
            "multiply": 2.0 * nonzeros * padded * p.mb,
            "gather": FLOAT * nonzeros * pixels * p.mb * far,
            "nonzero": nonzeros * p.mb,
            "lower": lowered_bytes(p),
            "weights": _INDEX_AND_VALUE * nonzeros * p.mb,
            "output": activation_bytes(p)[1],
            "row": float(p.oc * p.mb),
            "call": 1.0,
        }

    def first_costs(self, hardware: Hardware, kernel: KernelParameters) -> dict[str, float]:
        """Costs from first principles."""
        alpha = kernel.alpha if kernel.alpha is not None else 2.0
        return {
            "multiply": alpha,
            "gather": byte_cost(hardware, "l3"),
            "nonzero": 4.0 * kernel.lanes,
            "lower": 2 * byte_cost(hardware, "l3"),
            "weights": byte_cost(hardware, "l3"),
            "output": byte_cost(hardware, "l3"),
            "row": 40.0 * kernel.lanes,
            "call": call_cost(hardware),
        }
