"""Projections: seconds and speed-up of a layer at a density, with the band that the model's error allows."""

from __future__ import annotations

from dataclasses import dataclass

from perfmodel.hardware import Hardware
from perfmodel.paper import paper_projection, paper_useful_range
from perfmodel.problem import Problem
from perfmodel.useful import UsefulRange

# Where nobody knows alpha: the middle of what the paper measured (1.2 Atom, 3 Xeon, about 3.6 Xeon Phi), and a
# band that holds them all. Where it is known the paper's own figures miss by up to 27 % (Atom, x = 0.09).
UNKNOWN_ALPHA = 2.0
UNKNOWN_BAND = 2.0
KNOWN_BAND = 1.5


@dataclass(frozen=True, slots=True)
class Projection:
    """Seconds that a kernel will take, for the whole batch.

    ``low_s`` to ``high_s`` is the band; ``bound`` names what limits the kernel (compute, bandwidth, overhead);
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
    if middle.low is None or middle.high is None:
        return middle
    optimist = paper_useful_range(problem, hardware, known / band, beta)
    pessimist = paper_useful_range(problem, hardware, known * band, beta)
    lows, highs = zip(*((r.low or 0.0, r.high or 0.0) for r in (optimist, middle, pessimist)), strict=True)
    reason = f"{middle.reason}; {note}" if note else middle.reason
    return UsefulRange(middle.low, middle.high, reason, middle.max_speedup, (min(lows), max(lows)), (min(highs), max(highs)))


def _alpha(hardware: Hardware, alpha: float | None) -> tuple[float, str, float]:
    """The compute overhead to use, what had to be assumed, and the factor of its band."""
    if alpha is not None:
        return alpha, "", KNOWN_BAND
    if "alpha" in hardware.numbers:
        return float(hardware.numbers["alpha"]), "", KNOWN_BAND
    return UNKNOWN_ALPHA, f"alpha unknown: {UNKNOWN_ALPHA:g} assumed, band of factor {UNKNOWN_BAND:g}", UNKNOWN_BAND
