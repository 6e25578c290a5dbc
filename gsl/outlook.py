"""What the guide knows of a layer: its dense time, its projected time against density, its useful range."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from perfmodel import Hardware, InputError, Problem, UsefulRange, project_paper, useful_range_paper


@dataclass(frozen=True)
class LayerOutlook:
    """One prunable layer as the guide sees it.

    ``dense_s``: seconds unpruned by its best kernel, measured where possible (C/F is off by a factor of 5 for a first
    layer with one input channel). ``seconds``: projected seconds of its sparse kernel at a density.
    ``useful``: the densities between which pruning pays.
    """

    name: str
    dense_s: float
    seconds: Callable[[float], float]
    useful: UsefulRange

    def __post_init__(self) -> None:
        if not 0.0 < self.dense_s < math.inf:
            raise InputError(f"dense_s of layer {self.name!r} is {self.dense_s!r}; allowed: positive seconds")

    def best_s(self, density: float) -> float:
        """Projected seconds by the cheaper of the unpruned and the sparse kernel."""
        return min(self.dense_s, self.seconds(density))

    @property
    def saving_s(self) -> float:
        """Seconds that pruning to the low end of the useful range saves; 0 without a range."""
        return 0.0 if self.useful.low is None else self.dense_s - self.best_s(self.useful.low)


def paper_outlook(name: str, problem: Problem, hardware: Hardware, alpha: float | None = None, beta: float = 2.0) -> LayerOutlook:
    """The outlook of one layer by the paper's model alone; errors as :func:`perfmodel.project_paper`."""

    def seconds(density: float) -> float:
        return project_paper(problem, density, hardware, alpha, beta).median_s

    dense_s = project_paper(problem, 1.0, hardware, alpha, beta).dense_s
    return LayerOutlook(name, dense_s, seconds, useful_range_paper(problem, hardware, alpha, beta))
