"""What the default kernel costs: generated code where the backend generates it, else the compiled kernels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from backends.cpu.generated import better_across_images, too_much_code
from perfmodel.hardware import Hardware
from perfmodel.kernel import KernelParameters
from perfmodel.methods import DirectSparse, GeneratedSparse
from perfmodel.methods.base import MethodModel
from perfmodel.problem import Problem

_TILED = "tiled "


class GeneratedOrTiled(MethodModel):
    """Both kernels' terms side by side, those of the compiled ones behind ``tiled``; a problem has one kind only."""

    method = "direct_sparse"
    kinds: ClassVar[Mapping[str, str]] = {
        **GeneratedSparse.kinds,
        **{_TILED + name: kind for name, kind in DirectSparse.kinds.items()},
    }

    def __init__(self) -> None:
        self._generated, self._tiled = GeneratedSparse(), DirectSparse()

    def flops(self, problem: Problem, density: float) -> float:
        """FLOP of the non-zeros."""
        return self._of(problem, density).flops(problem, density)

    def traffic(self, problem: Problem, density: float) -> dict[str, float]:
        """Bytes that pass each level, by the kernel in use."""
        return self._of(problem, density).traffic(problem, density)

    def terms(self, problem: Problem, density: float, kernel: KernelParameters) -> dict[str, float]:
        """Counts of the kernel in use; the other's are 0."""
        found, model = dict.fromkeys(self.kinds, 0.0), self._of(problem, density)
        prefix = _TILED if model is self._tiled else ""
        return found | {prefix + name: count for name, count in model.terms(problem, density, kernel).items()}

    def first_costs(self, hardware: Hardware, kernel: KernelParameters) -> dict[str, float]:
        """Both kernels' costs."""
        tiled = self._tiled.first_costs(hardware, kernel)
        return self._generated.first_costs(hardware, kernel) | {_TILED + name: cost for name, cost in tiled.items()}

    def _of(self, problem: Problem, density: float) -> GeneratedSparse | DirectSparse:
        compiled = too_much_code(problem, density) or better_across_images(problem)
        return self._tiled if compiled else self._generated
