"""Direct sparse convolution: each non-zero multiplies shifted input vectors into sums held in registers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from perfmodel.hardware import Hardware
from perfmodel.kernel import KernelParameters
from perfmodel.methods.base import FLOAT, MethodModel, activation_bytes, byte_cost, call_cost
from perfmodel.problem import Problem
from perfmodel.tiling import best_tiling

# Input planes of one block of channels are meant to stay in L1 beside the sums: three quarters of 32 KiB.
_BLOCK_BYTES = 24 * 1024
# Weights of one call that are read again for every tile stay in L2 up to about this size.
_NEAR_BYTES = 512 * 1024
_WEIGHT_BYTES = 8


class DirectSparse(MethodModel):
    """Terms of a register-tiled direct kernel (paper sec. 2.1; the vector counts are those of :mod:`perfmodel.tiling`).

    ``multiply``: FLOP of full vectors, lost lanes counted; ``fetch``: non-zeros times tiles; ``row``: visits of an
    output channel, one a tile and block of input channels; ``spill``: bytes of sums stored and loaded at those visits;
    ``slide``: vectors moved by a lane for the columns of a kernel row; ``pack``: bytes copied of the input; ``output``: bytes
    written; ``stream``: bytes of weights from beyond L2; ``call``: 1.
    """

    method = "direct_sparse"
    kinds: ClassVar[Mapping[str, str]] = {
        "multiply": "compute",
        "fetch": "compute",
        "row": "overhead",
        "spill": "bandwidth",
        "slide": "compute",
        "pack": "bandwidth",
        "output": "bandwidth",
        "stream": "bandwidth",
        "call": "overhead",
    }

    def flops(self, problem: Problem, density: float) -> float:
        """FLOP of the non-zeros."""
        return density * problem.flops

    def traffic(self, problem: Problem, density: float) -> dict[str, float]:
        """Operands once from memory, index and value 8 bytes; the packed input written and read in L2."""
        x, y = activation_bytes(problem)
        return {"memory": x + y + _WEIGHT_BYTES * density * problem.weight_count, "l2": 2 * x + y}

    def terms(self, problem: Problem, density: float, kernel: KernelParameters) -> dict[str, float]:
        """Counts of the terms, as the class describes them."""
        p, nonzeros = problem, density * problem.weight_count
        t = best_tiling(p, density, kernel)
        vector = FLOAT * kernel.lanes
        per_tile = -(-t.packed // t.tiles) * vector
        channels = p.ic // p.g
        blocks = min(channels, -(-channels * per_tile // _BLOCK_BYTES))
        far = max(0.0, 1.0 - _NEAR_BYTES / (_WEIGHT_BYTES * nonzeros)) if nonzeros else 0.0
        return {
            "multiply": 2.0 * kernel.lanes * nonzeros * t.vectors,
            "fetch": nonzeros * t.tiles,
            "row": float(p.oc * t.tiles * blocks),
            "spill": float(2 * vector * p.oc * t.vectors * blocks),
            "slide": float(p.oc * t.vectors * blocks * t.halo),
            "pack": float(p.ic * t.packed * vector),
            "output": activation_bytes(p)[1],
            "stream": far * _WEIGHT_BYTES * nonzeros * t.tiles,
            "call": 1.0,
        }

    def first_costs(self, hardware: Hardware, kernel: KernelParameters) -> dict[str, float]:
        """Costs from first principles."""
        vector = 2.0 * kernel.lanes
        alpha = kernel.alpha if kernel.alpha is not None else 1.5
        return {
            "multiply": alpha,
            "fetch": vector,
            "row": 20.0 * vector,
            "spill": byte_cost(hardware, "l1"),
            "slide": 2.0 * vector,
            "pack": 2.0 * byte_cost(hardware, "l2"),
            "output": byte_cost(hardware, "l2"),
            "stream": byte_cost(hardware, "l3"),
            "call": call_cost(hardware),
        }
