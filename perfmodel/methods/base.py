"""What every method model answers: FLOPs, bytes per memory level, seconds."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from perfmodel.errors import InputError
from perfmodel.hardware import Hardware
from perfmodel.kernel import KernelParameters
from perfmodel.problem import Problem

FLOAT = 4
LEVELS = ("l1", "l2", "l3", "memory")


class Timing(NamedTuple):
    """Seconds of one call for the whole batch, and the share of each term."""

    seconds: float
    shares: Mapping[str, float]
    bound: str


class MethodModel(ABC):
    """One way to compute a convolution, as counts that a kernel's costs turn into seconds.

    ``kinds`` sorts every term into what it loads: ``compute``, ``bandwidth`` or ``overhead``. ``setting``: the option of ``prepare`` that
    stands in the place of the density, for a method whose time depends on that and not on the zeros of the weights.
    """

    method: ClassVar[str]
    setting: ClassVar[str] = ""
    kinds: ClassVar[Mapping[str, str]]

    @abstractmethod
    def flops(self, problem: Problem, density: float) -> float:
        """FLOP of the whole batch, 2 x MAC, transforms included."""

    @abstractmethod
    def traffic(self, problem: Problem, density: float) -> dict[str, float]:
        """Bytes of the whole batch that pass each memory level (``l2``, ``memory``), each operand counted where it must move."""

    @abstractmethod
    def terms(self, problem: Problem, density: float, kernel: KernelParameters) -> dict[str, float]:
        """The counts that the time is linear in: FLOP, bytes, or numbers of things done."""

    @abstractmethod
    def first_costs(self, hardware: Hardware, kernel: KernelParameters) -> dict[str, float]:
        """Cost of each term from first principles, in peak FLOP per unit, for a kernel that was never calibrated."""

    def seconds(self, problem: Problem, density: float, hardware: Hardware, kernel: KernelParameters) -> Timing:
        """Seconds on ``hardware``; raises :class:`InputError` for a density outside 0 to 1, and
        :class:`MissingNumberError` naming the number that the hardware lacks.
        """
        check_density(density)
        costs = kernel.costs or self.first_costs(hardware, kernel)
        parts = {name: costs.get(name, 0.0) * count for name, count in self.terms(problem, density, kernel).items()}
        total = math.fsum(parts.values())
        shares = {name: part / total if total else 0.0 for name, part in parts.items()}
        kinds = {
            kind: sum(share for name, share in shares.items() if self.kinds[name] == kind) for kind in ("compute", "bandwidth", "overhead")
        }
        return Timing(total / hardware.peak_flops, shares, max(kinds, key=lambda kind: kinds[kind]))


def check_density(density: float) -> None:
    """Raise :class:`InputError` unless ``density`` is from 0 to 1."""
    if not 0.0 <= density <= 1.0:
        raise InputError(f"density is {density!r}; allowed: 0 to 1")


def byte_cost(hardware: Hardware, level: str) -> float:
    """Peak FLOP that pass while one byte moves at ``level``; a level without a number takes the next one further out."""
    names = [f"bandwidth_{name}" for name in LEVELS[LEVELS.index(level) : -1]] + ["bandwidth"]
    name = next((name for name in names if name in hardware.numbers), "bandwidth")
    return float(hardware.peak_flops / hardware.number(name))


def call_cost(hardware: Hardware) -> float:
    """Peak FLOP that pass during the overhead of one call; 0 where the hardware names none."""
    return float(hardware.peak_flops * hardware.numbers["call_overhead"]) if "call_overhead" in hardware.numbers else 0.0


def activation_bytes(problem: Problem) -> tuple[float, float]:
    """Bytes of input and output of the whole batch."""
    return FLOAT * float(math.prod(problem.input_shape)), FLOAT * float(math.prod(problem.output_shape))


def lowered_bytes(problem: Problem) -> float:
    """Bytes of the lowered input (im2col) of the whole batch; 0 where the input already is that matrix."""
    p = problem
    if (p.kh, p.kw, p.sh, p.sw, p.ph, p.pw) == (1, 1, 1, 1, 0, 0):
        return 0.0
    return FLOAT * float(p.mb * p.ic * p.kh * p.kw * p.oh * p.ow)
