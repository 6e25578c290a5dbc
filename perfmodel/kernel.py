"""What the model knows of one kernel: its vector shape, its overheads, and what calibration found out about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from perfmodel.errors import InputError


@dataclass(frozen=True, slots=True)
class KernelParameters:
    """Parameters of a kernel for the method models; raises :class:`InputError` for a value out of range.

    ``lanes``: floats of one vector; ``tile``: vectors of sums that it keeps in registers; ``narrower``: lanes of
    shorter vectors that it uses where they waste less; ``across_images``: whether
    vectors run on from one image into the next; ``layouts``: its ways of laying rows in vectors (:mod:`perfmodel.tiling`).
    ``alpha``, ``beta``: the paper's compute and storage overheads.
    ``costs``: calibrated cost of each term of the method, in peak FLOP per unit (seconds = sum of cost x term / peak);
    empty: first principles are used. ``band``: factors on the projected seconds between which 80 % of held-out probes lie.
    ``probed``: (least, greatest) of each quantity among the probes; ``probes``: their descriptors and densities; ``residuals``: measured
    over predicted seconds of each, predicted without its problem.
    """

    lanes: int = 8
    tile: int = 12
    narrower: tuple[int, ...] = ()
    across_images: bool = True
    layouts: tuple[str, ...] = ("stacked", "flat")
    alpha: float | None = None
    beta: float = 2.0
    costs: Mapping[str, float] = field(default_factory=dict)
    band: tuple[float, float] | None = None
    probed: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    probes: tuple[str, ...] = ()
    residuals: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("lanes", "tile"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name} is {value!r}; allowed: a whole number from 1")
        if any(isinstance(n, bool) or not isinstance(n, int) or not 1 <= n < self.lanes for n in self.narrower):
            raise InputError(f"narrower is {self.narrower!r}; allowed: whole numbers from 1 below {self.lanes} lanes")
        for name, value in (("alpha", self.alpha), ("beta", self.beta)):
            if value is not None and not 0.0 < value < math.inf:
                raise InputError(f"{name} is {value!r}; allowed: a positive number")
        if not self.layouts or any(layout not in ("stacked", "flat") for layout in self.layouts):
            raise InputError(f"layouts is {self.layouts!r}; allowed: stacked, flat or both")
        for name, value in self.costs.items():
            if not 0.0 <= value < math.inf:
                raise InputError(f"cost of {name} is {value!r}; allowed: 0 or more")
        if self.band is not None and not 0.0 < self.band[0] <= self.band[1] < math.inf:
            raise InputError(f"band is {self.band!r}; allowed: (least, greatest), both positive")

    @property
    def widths(self) -> tuple[int, ...]:
        """Lanes of every vector that the kernel uses, widest first."""
        return (self.lanes, *self.narrower)

    @property
    def shape(self) -> tuple[object, ...]:
        """What the kernel is built like, calibration apart."""
        return self.lanes, self.tile, self.narrower, self.across_images, self.layouts
