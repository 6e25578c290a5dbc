"""What the study is for: guides against each other at equal accuracy, and the best speed-up for a small loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from harness.prune.pictures import CONTROL
from harness.study.cells import Cell
from harness.study.curves import Curve, Estimate, Point, interval, log_speedup_at, make_curve, mean_gain, mean_log_ratio
from harness.study.runs import Run

BASELINES = ("none", "skip_ends")
PLANNED, RULED = "budget", "gsl"

# Which convolutions a figure counts, and where a run has it.
SCOPES: dict[str, Callable[[Run], float]] = {"all": lambda run: run.measured, "all but the first": lambda run: run.measured_rest}


@dataclass(frozen=True)
class Comparison:
    """``guide`` against ``other`` under one pruner: a ratio of speed-ups at equal loss, or a gain of accuracy at equal speed-up."""

    net: str
    pruner: str
    guide: str
    other: str
    scope: str
    estimate: Estimate


@dataclass(frozen=True)
class Best:
    """The most speed-up of a curve for a loss of at most ``most``: of the ``cell`` chosen on the validation split (None where no strength
    keeps within it there), and ``at_most`` as read on the curve of test losses at exactly that loss (nan beyond its ends)."""

    net: str
    pruner: str
    guide: str
    curve: str
    cell: Cell | None
    at_most: dict[str, float]


CurveKey = tuple[str, str, str, str]


def curves_of(cells: Sequence[Cell]) -> dict[CurveKey, list[Cell]]:
    """The cells of each curve: one network, pruner, guide, and everything but the strength."""
    found: dict[CurveKey, list[Cell]] = {}
    for cell in cells:
        if cell.pruner != CONTROL:
            found.setdefault((cell.net, cell.pruner, cell.guide, cell.curve), []).append(cell)
    return found


def mean_curve(cells: Sequence[Cell], read: Callable[[Run], float]) -> Curve:
    """The curve through the seeds' means."""
    return make_curve([Point(cell.loss, _log(cell.speedup(read))) for cell in cells])


def seed_curve(cells: Sequence[Cell], seed: int, read: Callable[[Run], float]) -> Curve:
    """The curve of one seed alone."""
    runs = [(run, loss) for cell in cells for run, loss in zip(cell.runs, cell.losses, strict=True) if run.seed == seed]
    return make_curve([Point(loss, _log(read(run))) for run, loss in runs])


def ratios(cells: Sequence[Cell], window: tuple[float, float]) -> list[Comparison]:
    """Each guide's speed-up over that of each baseline guide at equal loss inside ``window``, for each scope."""

    def compare(curve: Curve, other: Curve) -> tuple[float, tuple[float, float]] | None:
        found = mean_log_ratio(curve, other, window)
        return (math.exp(found[0]), found[1]) if found else None

    pairs = [(a, b) for a, b in _pairs(cells) if b[2] in BASELINES and _rank(a[2]) > _rank(b[2])]
    return _compare(cells, pairs, compare, logs=True)


def gains(cells: Sequence[Cell]) -> list[Comparison]:
    """Accuracy that the guide with a budget gains over the paper's rules at equal measured speed-up of all convolutions."""
    pairs = [(a, b) for a, b in _pairs(cells) if (a[2], b[2]) == (PLANNED, RULED)]
    return [c for c in _compare(cells, pairs, mean_gain) if c.scope == "all"]


def best(cells: Sequence[Cell], most: float) -> list[Best]:
    """For each curve the cell with the most speed-up whose *validation* loss is at most ``most``, and the test curve there."""
    found = []
    for key, curve in curves_of(cells).items():
        measured = [cell for cell in curve if cell.speedup(SCOPES["all"]) > 0]
        allowed = [cell for cell in measured if cell.validation_loss <= most]
        chosen = max(allowed, key=lambda cell: cell.speedup(SCOPES["all"])) if allowed else None
        at = {scope: log_speedup_at(mean_curve(measured, read), most) for scope, read in SCOPES.items()}
        if chosen or any(x is not None for x in at.values()):
            found.append(Best(*key, chosen, {scope: math.nan if x is None else math.exp(x) for scope, x in at.items()}))
    return found


def _pairs(cells: Sequence[Cell]) -> Iterator[tuple[CurveKey, CurveKey]]:
    """Curves of one network and pruner; those with further options are compared where these are the same."""
    keys = list(curves_of(cells))
    for a in keys:
        for b in keys:
            if a[:2] == b[:2] and a[2] != b[2] and _shared(a[3]) == _shared(b[3]):
                yield a, b


def _shared(curve: str) -> str:
    """The options of a curve that are not its guide's own."""
    return " ".join(word for word in curve.split() if not word.startswith("guide."))


def _rank(guide: str) -> int:
    return BASELINES.index(guide) if guide in BASELINES else len(BASELINES)


def _compare(
    cells: Sequence[Cell],
    pairs: Sequence[tuple[CurveKey, CurveKey]],
    compare: Callable[[Curve, Curve], tuple[float, tuple[float, float]] | None],
    logs: bool = False,
) -> list[Comparison]:
    curves, found = curves_of(cells), []
    for a, b in pairs:
        seeds = _seeds(curves[a]) & _seeds(curves[b])
        ours, others = ([part for cell in curves[key] if (part := cell.only(seeds))] for key in (a, b))
        for scope, read in SCOPES.items():
            whole = compare(mean_curve(ours, read), mean_curve(others, read))
            if whole is None:
                continue
            each = [compare(seed_curve(ours, seed, read), seed_curve(others, seed, read)) for seed in sorted(seeds)]
            values = tuple(value[0] for value in each if value)
            low, high = interval([math.log(v) for v in values] if logs else values)
            estimate = Estimate(whole[0], whole[1], values, *((math.exp(low), math.exp(high)) if logs else (low, high)))
            found.append(Comparison(a[0], a[1], _named(a), _named(b), scope, estimate))
    return found


def _seeds(curve: Sequence[Cell]) -> set[int]:
    return {run.seed for cell in curve for run in cell.runs}


def _named(key: CurveKey) -> str:
    return f"{key[2]} {key[3]}".strip()


def _log(speedup: float) -> float:
    return math.log(speedup) if speedup > 0 else math.nan
