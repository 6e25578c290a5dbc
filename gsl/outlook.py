"""What the guide knows of a layer: its dense time, its projected time against density, its useful range."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from perfmodel import Hardware, InputError, Problem, UsefulRange, project_paper, useful_range_paper
from perfmodel.useful import density_at, solve_range


@dataclass(frozen=True)
class LayerOutlook:
    """One prunable layer as the guide sees it.

    ``dense_s``: seconds unpruned by its best kernel, measured where possible (C/F is off by a factor of 5 for a first
    layer with one input channel). ``seconds``: projected seconds of its sparse kernel at a density.
    ``useful``: the densities between which pruning pays. ``kernels``: names of the unpruned and the sparse kernel.
    """

    name: str
    dense_s: float
    seconds: Callable[[float], float]
    useful: UsefulRange
    kernels: tuple[str, str] = ("dense", "sparse")

    def __post_init__(self) -> None:
        if not 0.0 < self.dense_s < math.inf:
            raise InputError(f"dense_s of layer {self.name!r} is {self.dense_s!r}; allowed: positive seconds")

    def best_s(self, density: float) -> float:
        """Projected seconds by the cheaper of the unpruned and the sparse kernel."""
        return min(self.dense_s, self.seconds(density))

    def kernel(self, density: float) -> str:
        """The kernel that a layer of ``density`` runs on."""
        return self.kernels[1] if self.seconds(density) < self.dense_s else self.kernels[0]

    @property
    def saving_s(self) -> float:
        """Seconds that pruning to the low end of the useful range saves; 0 without a range."""
        return 0.0 if self.useful.low is None else self.dense_s - self.best_s(self.useful.low)


def narrowed(outlook: LayerOutlook, spare_s: float) -> LayerOutlook:
    """The same layer with its range ending, if that is sooner, where all further pruning would save less than ``spare_s`` seconds.

    A layer's own range knows nothing of the others: the last tenth of a small layer's time may be a hundredth of the network's.
    """
    useful = outlook.useful
    if useful.low is None or useful.high is None:
        return outlook
    low = min(useful.high, density_at(outlook.seconds, outlook.seconds(0.0) + spare_s))
    if low <= useful.low:
        return outlook
    reason = f"{useful.reason.split(';')[0]}; below {low:.3g} less than {spare_s:.2g} s is left to save"
    return dataclasses.replace(outlook, useful=dataclasses.replace(useful, low=low, reason=reason))


def paper_outlook(name: str, problem: Problem, hardware: Hardware, alpha: float | None = None, beta: float = 2.0) -> LayerOutlook:
    """The outlook of one layer by the paper's model alone; errors as :func:`perfmodel.project_paper`."""

    def seconds(density: float) -> float:
        return project_paper(problem, density, hardware, alpha, beta).median_s

    dense_s = project_paper(problem, 1.0, hardware, alpha, beta).dense_s
    return LayerOutlook(name, dense_s, seconds, useful_range_paper(problem, hardware, alpha, beta))


def measured_outlook(
    name: str, dense_s: float, curve: Mapping[float, float], kernels: tuple[str, str] = ("dense", "sparse"), reach: float = 2 / 3
) -> LayerOutlook:
    """The outlook of a layer from measured seconds: unpruned by the best dense kernel, and the sparse kernel's at some densities.

    Between the measured densities seconds are interpolated, below the least the line is carried on (to no less than a fifth of the least
    time); a time never falls with the density. Where ``curve`` holds density 1 and the sparse kernel is faster there, it is
    the unpruned kernel. ``reach`` as in :func:`perfmodel.useful.solve_range`.
    Raises :class:`InputError` for fewer than two densities or times that are not positive.
    """
    if len(curve) < 2 or any(not 0 < x <= 1 or not 0 < seconds < math.inf for x, seconds in curve.items()):
        raise InputError(f"curve of layer {name!r} is {dict(curve)}; allowed: positive seconds at two or more densities in (0, 1]")
    densities = sorted(curve)
    rising = [min(curve[x] for x in densities[i:]) for i in range(len(densities))]  # disturbances only ever add time
    slope = (rising[1] - rising[0]) / (densities[1] - densities[0])
    points = [(0.0, max(rising[0] - slope * densities[0], 0.2 * rising[0])), *zip(densities, rising, strict=True)]

    def seconds(density: float) -> float:
        for (x0, s0), (x1, s1) in itertools.pairwise(points):
            if density <= x1:
                return s0 + (s1 - s0) * (density - x0) / (x1 - x0)
        return points[-1][1] + (density - points[-1][0]) * max(0.0, slope)

    unpruned, by = dense_s, kernels[0]
    if 1.0 in curve and curve[1.0] < dense_s:
        unpruned, by = curve[1.0], kernels[1]
    return LayerOutlook(name, unpruned, seconds, solve_range(seconds, unpruned, reach), (by, kernels[1]))


def combined_outlook(outlooks: Sequence[LayerOutlook], reach: float = 2 / 3) -> LayerOutlook:
    """One layer on several devices: times add up, each device running its best kernel at each density."""
    first, *others = outlooks
    if any(other.name != first.name for other in others):
        raise InputError(f"layers are {', '.join(outlook.name for outlook in outlooks)}; allowed: one layer, seen from several devices")

    def seconds(density: float) -> float:
        return sum(outlook.best_s(density) for outlook in outlooks)

    dense_s = sum(outlook.dense_s for outlook in outlooks)
    names = [" + ".join(dict.fromkeys(outlook.kernels[i] for outlook in outlooks)) for i in (0, 1)]
    return LayerOutlook(first.name, dense_s, seconds, solve_range(seconds, dense_s, reach), (names[0], names[1]))
