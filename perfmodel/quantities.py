"""What a calibration has seen: the range of each quantity among its probes, and what lies outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perfmodel.problem import Problem

_MARGIN = 1.25


def quantities(problem: Problem, density: float) -> dict[str, float]:
    """What a probe is a probe of."""
    p = problem
    return {
        "density": density,
        "channels_in": p.ic / p.g,
        "channels_out": p.oc / p.g,
        "pixels": float(p.oh * p.ow),
        "taps": float(p.kh * p.kw),
        "stride": float(max(p.sh, p.sw)),
        "batch": float(p.mb),
    }


def probed_ranges(probes: Sequence[tuple[Problem, float]]) -> dict[str, tuple[float, float]]:
    """(least, greatest) of each quantity over ``probes``, at least one."""
    rows = [quantities(problem, density) for problem, density in probes]
    return {name: (min(row[name] for row in rows), max(row[name] for row in rows)) for name in rows[0]}


def outside(probed: Mapping[str, tuple[float, float]], problem: Problem, density: float) -> tuple[str, ...]:
    """The quantities of ``problem`` more than a quarter outside ``probed``, in words; empty where nothing was probed."""
    found = []
    for name, value in quantities(problem, density).items():
        low, high = probed.get(name, (value, value))
        if not low / _MARGIN <= value <= high * _MARGIN:
            found.append(f"{name} {value:.4g} outside {low:.4g} to {high:.4g}")
    return tuple(found)
