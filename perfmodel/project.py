"""Projections: seconds and speed-up of a layer at a density, with the band that the model's error allows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from perfmodel.errors import InputError
from perfmodel.hardware import Hardware
from perfmodel.kernel import KernelParameters
from perfmodel.methods.base import MethodModel
from perfmodel.paper import paper_projection, paper_useful_range
from perfmodel.problem import Problem
from perfmodel.quantities import outside
from perfmodel.useful import UsefulRange, solve_range

# Where nobody knows alpha: the middle of what the paper measured (1.2 Atom, 3 Xeon, about 3.6 Xeon Phi), and a
# band that holds them all. Where it is known the paper's own figures miss by up to 27 % (Atom, x = 0.09).
UNKNOWN_ALPHA = 2.0
UNKNOWN_BAND = 2.0
KNOWN_BAND = 1.5


@dataclass(frozen=True, slots=True)
class Projection:
    """Seconds that a kernel will take, for the whole batch.

    ``low_s`` to ``high_s`` is the band; ``bound`` names what takes most of the time (compute, bandwidth, overhead);
    ``dense_s`` is the dense time that ``speedup`` refers to. ``extrapolated``: outside what the calibration probed.
    ``model`` says which model spoke, ``note`` what it had to assume.
    """

    median_s: float
    low_s: float
    high_s: float
    bound: str
    speedup: float
    method: str
    dense_s: float
    density: float
    model: str = "paper"
    extrapolated: bool = False
    note: str = ""
    name: str = ""


@dataclass(frozen=True)
class Contender:
    """A kernel that may be chosen: its name, its method's model, its parameters."""

    name: str
    model: MethodModel
    kernel: KernelParameters = field(default_factory=KernelParameters)


@dataclass(frozen=True, slots=True)
class Choice:
    """The fastest contender, and its margin: time of the second over its own, infinite where there is none."""

    best: Projection
    margin: float
    others: tuple[Projection, ...]


def project_paper(problem: Problem, density: float, hardware: Hardware, alpha: float | None = None, beta: float = 2.0) -> Projection:
    """Project a direct sparse kernel by the paper's model; ``alpha`` None asks the hardware, then takes 2 with a band of factor 2.

    Raises :class:`InputError` for a density outside 0 to 1, :class:`MissingNumberError` without ``peak_flops`` or ``bandwidth``.
    """
    known, note, band = _alpha(hardware, alpha)
    one = paper_projection(problem, density, hardware, known, beta)
    median, dense = one.t_sparse * problem.mb, one.t_dense * problem.mb
    return Projection(median, median / band, median * band, one.bound, one.speedup, "direct_sparse", dense, density, note=note)


def useful_range_paper(problem: Problem, hardware: Hardware, alpha: float | None = None, beta: float = 2.0) -> UsefulRange:
    """Useful range by the paper's model, with bands from dividing and multiplying ``alpha`` by its uncertainty; errors as above."""
    known, note, band = _alpha(hardware, alpha)
    middle = paper_useful_range(problem, hardware, known, beta)
    if not middle.exists:
        return middle
    others = [paper_useful_range(problem, hardware, known * factor, beta) for factor in (1 / band, band)]
    return _banded(dataclasses.replace(middle, reason=f"{middle.reason}; {note}" if note else middle.reason), others)


def project(problem: Problem, density: float, hardware: Hardware, contender: Contender, dense: Sequence[Contender] | float) -> Projection:
    """Project ``contender`` by its method's model, calibrated where its parameters hold costs.

    ``dense``: the dense kernels to compare with, the fastest of which counts, or measured seconds. Raises :class:`InputError`
    for a density outside 0 to 1 or a problem that the method does not do, :class:`MissingNumberError` for a missing hardware number.
    """
    return _project(problem, density, hardware, contender, _dense_s(problem, hardware, dense))


def useful_range(problem: Problem, hardware: Hardware, contender: Contender, dense: Sequence[Contender] | float) -> UsefulRange:
    """Useful range of ``contender`` against the fastest of ``dense``; its bands come from the band of the projection. Errors as above."""
    dense_s = _dense_s(problem, hardware, dense)

    def seconds(density: float) -> float:
        return contender.model.seconds(problem, density, hardware, contender.kernel).seconds

    middle = solve_range(seconds, dense_s)
    if middle.low is not None:
        bound = contender.model.seconds(problem, middle.low, hardware, contender.kernel).bound
        middle = dataclasses.replace(middle, reason=f"{middle.reason} ({bound} bound there)")
    return _banded(middle, [solve_range(seconds, dense_s / factor) for factor in _band(contender.kernel)])


def choose(
    problem: Problem, density: float, hardware: Hardware, contenders: Sequence[Contender], dense: Sequence[Contender] | float
) -> Choice:
    """The fastest of ``contenders`` that can do ``problem``; raises :class:`InputError` where none can. Other errors as above."""
    dense_s, found, reasons = _dense_s(problem, hardware, dense), [], []
    for contender in contenders:
        try:
            found.append(_project(problem, density, hardware, contender, dense_s))
        except InputError as error:
            reasons.append(f"{contender.name}: {error}")
    if not found:
        raise InputError(f"no kernel can do {problem}: {'; '.join(reasons) or 'none was given'}")
    best, *others = sorted(found, key=lambda projection: projection.median_s)
    return Choice(best, others[0].median_s / best.median_s if others else math.inf, tuple(others))


def _project(problem: Problem, density: float, hardware: Hardware, contender: Contender, dense_s: float) -> Projection:
    kernel, method = contender.kernel, contender.model.method
    timing = contender.model.seconds(problem, density, hardware, kernel)
    low, high = _band(kernel)
    beyond = outside(kernel.probed, problem, density)
    note = "; ".join(beyond) if kernel.costs else f"never calibrated: first principles, band of factor {UNKNOWN_BAND:g}"
    t = timing.seconds
    model = "calibrated" if kernel.costs else "first principles"
    return Projection(t, t * low, t * high, timing.bound, dense_s / t, method, dense_s, density, model, bool(beyond), note, contender.name)


def _dense_s(problem: Problem, hardware: Hardware, dense: Sequence[Contender] | float) -> float:
    if isinstance(dense, int | float):
        if not 0.0 < dense < math.inf:
            raise InputError(f"dense is {dense!r}; allowed: positive seconds, or dense kernels")
        return float(dense)
    return choose(problem, 1.0, hardware, dense, 1.0).best.median_s


def _band(kernel: KernelParameters) -> tuple[float, float]:
    """Least and greatest of measured over predicted seconds."""
    return kernel.band or (1 / UNKNOWN_BAND, UNKNOWN_BAND)


def _banded(middle: UsefulRange, others: Sequence[UsefulRange]) -> UsefulRange:
    """``middle`` with the bands that it spans together with ``others``; a missing range counts as 0."""
    if not middle.exists:
        return middle
    lows, highs = zip(*((r.low or 0.0, r.high or 0.0) for r in (middle, *others)), strict=True)
    return dataclasses.replace(middle, low_band=(min(lows), max(lows)), high_band=(min(highs), max(highs)))


def _alpha(hardware: Hardware, alpha: float | None) -> tuple[float, str, float]:
    """The compute overhead to use, what had to be assumed, and the factor of its band."""
    if alpha is not None:
        return alpha, "", KNOWN_BAND
    if "alpha" in hardware.numbers:
        return float(hardware.numbers["alpha"]), "", KNOWN_BAND
    return UNKNOWN_ALPHA, f"alpha unknown: {UNKNOWN_ALPHA:g} assumed, band of factor {UNKNOWN_BAND:g}", UNKNOWN_BAND
