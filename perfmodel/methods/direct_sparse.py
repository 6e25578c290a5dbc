"""Direct sparse convolution: each non-zero multiplies shifted input vectors into sums held in registers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from perfmodel.hardware import Hardware
from perfmodel.kernel import KernelParameters
from perfmodel.methods.base import FLOAT, MethodModel, activation_bytes, byte_cost, call_cost
from perfmodel.problem import Problem
from perfmodel.tiling import Counts, best_counts

# Weights of one call that are read again for every tile stay in L2 up to about this size.
_NEAR_BYTES = 512 * 1024
# Activations of one call beyond this size come from memory, or from a cache that others use too.
_SHARED_BYTES = 8 * 1024 * 1024
_WEIGHT_BYTES = 8

CountsOf = Callable[[Problem, float], Counts]


class DirectSparse(MethodModel):
    """Terms of a register-tiled direct kernel (paper sec. 2.1; the counts are those of :mod:`perfmodel.tiling`).

    ``multiply``: FLOP of full vectors, lost lanes counted; ``reload``: those whose input comes from beyond L1; ``fetch``:
    non-zeros times tiles; ``row``: visits of an output channel, one a tile and block of input channels; ``spill``: bytes of
    sums stored and loaded at those visits; ``slide``: vectors moved by a lane; ``pack``: bytes of input packed;
    ``gather``: floats of it picked one by one, as strides need; ``output``: bytes written; ``line``: output rows written;
    ``stream``, ``outer``: bytes of weights, and of input and output, beyond L2; ``memory``: those of the latter
    beyond 8 MiB; ``call``: 1.
    """

    method = "direct_sparse"
    kinds: ClassVar[Mapping[str, str]] = {
        "multiply": "compute",
        "reload": "bandwidth",
        "fetch": "compute",
        "row": "overhead",
        "spill": "bandwidth",
        "slide": "compute",
        "pack": "bandwidth",
        "gather": "overhead",
        "output": "bandwidth",
        "line": "overhead",
        "stream": "bandwidth",
        "outer": "bandwidth",
        "memory": "bandwidth",
        "call": "overhead",
    }

    def __init__(self, counts: CountsOf | None = None) -> None:
        """``counts``: what the backend's own planner would do for a problem at a density; None lets the model guess."""
        self._counts = counts

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
        c = self._counts(p, density) if self._counts else best_counts(p, density, kernel)
        vector, (x, y) = float(FLOAT * c.lanes), activation_bytes(p)
        far = max(0.0, 1.0 - _NEAR_BYTES / (_WEIGHT_BYTES * nonzeros)) if nonzeros else 0.0
        multiply = 2.0 * c.lanes * nonzeros * c.vectors
        return {
            "multiply": multiply,
            "reload": c.far * multiply,
            "fetch": nonzeros * c.tiles * c.wait,
            "row": p.oc * c.tiles * c.blocks,
            "spill": 2 * vector * p.oc * c.vectors * (c.blocks - 1),
            "slide": p.oc * c.vectors * c.blocks * c.halo,
            "pack": p.ic * c.packed * vector,
            "gather": p.ic * c.packed * c.lanes if p.sw > 1 else 0.0,
            "output": y,
            "line": float(p.mb * p.oc * p.oh),
            "stream": far * _WEIGHT_BYTES * nonzeros * c.tiles,
            "outer": max(0.0, x + y - _NEAR_BYTES),
            "memory": max(0.0, x + y - _SHARED_BYTES),
            "call": 1.0,
        }

    def first_costs(self, hardware: Hardware, kernel: KernelParameters) -> dict[str, float]:
        """Costs from first principles."""
        vector = 2.0 * kernel.lanes
        alpha = kernel.alpha if kernel.alpha is not None else 1.5
        return {
            "multiply": alpha,
            "reload": 0.7 * alpha,
            "fetch": vector,
            "row": 20.0 * vector,
            "spill": byte_cost(hardware, "l1"),
            "slide": 2.0 * vector,
            "pack": 2.0 * byte_cost(hardware, "l2"),
            "gather": vector,
            "output": byte_cost(hardware, "l2"),
            "line": 4.0 * vector,
            "stream": byte_cost(hardware, "l3"),
            "outer": byte_cost(hardware, "l3"),
            "memory": byte_cost(hardware, "memory"),
            "call": call_cost(hardware),
        }
