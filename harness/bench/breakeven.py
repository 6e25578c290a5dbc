"""From which sparsity on does a sparse kernel win: measured, by bisection."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.bench.cases import Case, case_at
from harness.bench.contenders import Contender, Field
from harness.bench.entry import Entry
from harness.bench.race import race
from harness.config import RunConfig
from harness.contract import Baseline, BreakevenError
from harness.networks import Layer
from harness.weights import WeightSource
from perfmodel.regression import huber_fit

SPARSEST, DENSEST = 0.005, 1.0
STEPS = 7
NEAR, FEWEST = 1.4, 4
"""Steps whose ratio is within this factor of 1 tell where it crosses 1, and no fewer than so many."""

Step = tuple[float, float]


@dataclass(frozen=True)
class BreakEven:
    """Between ``low`` and ``high`` density the sparse kernel stops paying, as far as the scatter of the steps allows to tell.

    ``sparsity`` is 1 minus their middle. ``steps`` holds (density, baseline seconds / sparse seconds) as measured. When it pays
    everywhere or nowhere ``sparsity`` is None and ``reason`` says which.
    """

    layer: str
    kernel: str
    baseline: Baseline | None
    low: float | None
    high: float | None
    steps: tuple[Step, ...]
    reason: str = ""

    @property
    def sparsity(self) -> float | None:
        """Break-even sparsity, the middle of the bracket."""
        return None if self.low is None or self.high is None else 1 - (self.low + self.high) / 2


def find_break_even(
    layer: Layer, batch: int, contender: Contender, field: Field, source: WeightSource, config: RunConfig, tick: Callable[[], None]
) -> BreakEven:
    """Bisect the density of ``layer`` at which ``contender`` takes as long as the fastest dense kernel.

    Baseline and sparse kernel are timed in turn at every step. Near break-even a single step says little, as a few percent decide it,
    so the result is where a line through the steps crosses 1. Raises :class:`BreakevenError` when either kernel fails.
    """
    first = case_at(layer, batch, 0.1, source, config)
    rival, baseline = _fastest_dense(first, field, config)
    steps: list[Step] = []

    def pays(density: float) -> bool:
        ratio = _ratio(case_at(layer, batch, density, source, config), contender, rival, field, config)
        steps.append((density, ratio))
        tick()
        return ratio >= 1

    def result(low: float | None, high: float | None, reason: str = "") -> BreakEven:
        return BreakEven(layer.name, contender[1].name, baseline, low, high, tuple(steps), reason)

    if pays(DENSEST):
        return result(None, None, "pays at every density, even with no zeros")
    if not pays(SPARSEST):
        return result(None, None, f"does not pay even at density {SPARSEST}")
    low, high = SPARSEST, DENSEST
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if pays(middle) else (low, middle)
    return result(*crossing(steps, low, high))


def crossing(steps: Sequence[Step], low: float, high: float) -> tuple[float, float]:
    """Densities between which the times are equal, from the ratios measured in ``steps`` and the last bracket ``low``, ``high``.

    The sparse kernel's time over the dense one's rises about linearly with the density. The middle is where a robust line through the
    steps near 1 crosses it; the width is its standard error, no less than the bracket's. The bracket itself where no line rises.
    """
    nearest = sorted(steps, key=lambda step: abs(math.log(step[1])))
    count = max(FEWEST, sum(1 / NEAR <= ratio <= NEAR for _, ratio in steps))
    densities, ratios = np.array(nearest[:count]).T
    fit = huber_fit(np.column_stack([np.ones(len(densities)), densities]), 1 / ratios)
    fixed, rise = map(float, fit.costs)
    if rise <= 0:
        return low, high
    middle = min(max((1 - fixed) / rise, SPARSEST), DENSEST)
    scatter = float(np.median(np.abs(fit.ratios - 1))) / 0.6745
    half = max(scatter / rise / math.sqrt(max(len(densities) - 2, 1)), (high - low) / 2)
    half = min(half, middle, 1 - middle)
    return middle - half, middle + half


def _fastest_dense(case: Case, field: Field, config: RunConfig) -> tuple[Contender, Baseline]:
    entries = [e for e in race(case, field.dense(), field.oracle, config.measure, lambda: None) if e.status == "passed" and e.measurement]
    if not entries:
        raise BreakevenError(
            f"{case.layer.name}: no dense kernel of any installed engine could be measured; task=doctor says what is missing"
        )
    best = min(entries, key=_seconds)
    return (best.team, best.kernel), Baseline(best.team.spec.name, best.kernel.name, _seconds(best))


def _ratio(case: Case, contender: Contender, rival: Contender, field: Field, config: RunConfig) -> float:
    """Baseline seconds over sparse seconds, measured in turn."""
    sparse, dense = race(case, [contender, rival], field.oracle, config.measure, lambda: None)
    for entry in (sparse, dense):
        if entry.measurement is None or entry.status != "passed":
            raise BreakevenError(f"{case.layer.name}: {entry.team.spec.name} {entry.kernel.name} {entry.status}: {entry.reason}")
    return _seconds(dense) / _seconds(sparse)


def _seconds(entry: Entry) -> float:
    assert entry.measurement is not None
    return entry.measurement.median_s


def as_json(found: BreakEven) -> dict[str, object]:
    """Plain values for the record."""
    return {**dataclasses.asdict(found), "sparsity": found.sparsity}
