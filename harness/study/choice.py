"""Strengths for a comparison on fresh seeds, chosen without a look at the test set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from harness.study.cells import Cell
from harness.study.comparisons import curves_of


@dataclass(frozen=True)
class Choice:
    """A ``cell`` whose strength was chosen, to lose about ``aim`` on the validation split."""

    aim: float
    cell: Cell


def choose(cells: Sequence[Cell], aims: Sequence[float]) -> list[Choice]:
    """For each curve as many strengths as ``aims``, those whose mean *validation* losses come closest to them (least sum of distances).

    Curves with fewer strengths of known validation loss are left out.
    """
    found = []
    for curve in curves_of(cells).values():
        known = sorted((cell for cell in curve if not math.isnan(cell.validation_loss)), key=lambda cell: cell.validation_loss)
        sets = list(combinations(known, len(aims)))
        if sets:
            found += [Choice(*pair) for pair in min((list(zip(sorted(aims), chosen, strict=True)) for chosen in sets), key=_distance)]
    return found


def _distance(pairs: Sequence[tuple[float, Cell]]) -> float:
    return sum(abs(cell.validation_loss - aim) for aim, cell in pairs)
