"""What PyTorch's convolution costs on one thread: oneDNN, or a plain matrix product where PyTorch prefers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from perfmodel.hardware import Hardware
from perfmodel.kernel import KernelParameters
from perfmodel.methods import Dense
from perfmodel.methods.base import FLOAT, activation_bytes, byte_cost
from perfmodel.problem import Problem

# PyTorch hands 1x1 convolutions to oneDNN from this batch on; smaller ones are matrix products on one thread.
_LEAST_BATCH = 16
_BLOCK = 16
_PLAIN_CHANNELS = 3


class OneThreadConv(Dense):
    """Terms of :class:`perfmodel.methods.Dense`, input channels rounded up to blocks of 16 (first layers of up to 3 excepted).

    Of 1x1 layers without stride at batches below 16: ``product``: FLOP; ``operands``: bytes of input and output; ``products``: calls.
    """

    kinds: ClassVar[Mapping[str, str]] = {
        **Dense.kinds,
        "product": "compute",
        "operands": "bandwidth",
        "products": "overhead",
    }

    def terms(self, problem: Problem, density: float, kernel: KernelParameters) -> dict[str, float]:
        """Counts of the terms, as the class describes them."""
        p, terms = problem, super().terms(problem, density, kernel)
        if (p.kh, p.kw, p.sh, p.sw) == (1, 1, 1, 1) and p.mb < _LEAST_BATCH:
            kept = ("weights", "memory", "fresh", "call")
            product = {"product": float(p.flops), "operands": sum(activation_bytes(p)), "products": float(p.mb * p.g)}
            return dict.fromkeys(self.kinds, 0.0) | {name: terms[name] for name in kept} | product
        inputs = p.ic // p.g
        if inputs > _PLAIN_CHANNELS:
            terms["multiply"] *= -(-inputs // _BLOCK) * _BLOCK / inputs
        return terms | {"product": 0.0, "operands": 0.0, "products": 0.0}

    def first_costs(self, hardware: Hardware, kernel: KernelParameters) -> dict[str, float]:
        """Costs from first principles."""
        product = {"product": 1.15, "operands": byte_cost(hardware, "l3"), "products": 50.0 * 2 * FLOAT * kernel.lanes}
        return super().first_costs(hardware, kernel) | product
