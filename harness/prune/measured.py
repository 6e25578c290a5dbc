"""The pruned weights of a run on every kernel: the cases to race, and what the rows say of the network's time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.bench.cases import Case, case_at
from harness.config import RunConfig
from harness.contract import InputError, Problem, Row
from harness.networks import Layer
from harness.weights import open_source

SPARSE_METHODS = ("direct_sparse", "lowered_sparse")


def with_weights(config: RunConfig, csr: Path) -> RunConfig:
    """``config`` reading its weights from the folder ``csr``."""
    return dataclasses.replace(config, weights={"kind": "files", "path": str(csr)})


def weight_cases(problems: Mapping[str, Problem], config: RunConfig) -> list[Case]:
    """One case a layer, with the weights that ``config`` names; raises :class:`InputError` where a layer's are missing."""
    source = open_source(config.weights)
    cases = [case_at(Layer(name, problem), problem.mb, None, source, config) for name, problem in problems.items()]
    for case in cases:
        if case.skipped:
            raise InputError(f"{case.layer.name}: {case.skipped}; allowed: a file for each of {', '.join(problems)}")
    return cases


@dataclass(frozen=True)
class LayerTime:
    """Seconds of one layer: by the fastest dense kernel of any engine, and by the fastest kernel of any kind, in the same race."""

    dense_s: float
    best_s: float


def settled(rows: Iterable[Row]) -> bool:
    """Whether the rows of a layer hold a baseline and nothing that is doubtful or went wrong."""
    found = list(rows)
    return any(row.baseline for row in found) and all(row.status in ("passed", "unsupported") for row in found)


def layer_times(rows: Sequence[Row]) -> dict[str, LayerTime]:
    """The layers that have a trusted baseline and no doubtful sparse kernel, in the order of the rows."""
    found = {}
    for layer in dict.fromkeys(row.layer for row in rows):
        mine = [row for row in rows if row.layer == layer]
        timed = [row.end_to_end_s for row in mine if row.status == "passed" and row.end_to_end_s]
        baseline = next((row.baseline for row in mine if row.baseline), None)
        doubtful = any(row.status == "mistrusted" and row.method in SPARSE_METHODS for row in mine)
        if baseline and timed and not doubtful:
            found[layer] = LayerTime(baseline.end_to_end_s, min(timed))
    return found


def network_times(rows: Sequence[Row]) -> dict[str, float]:
    """All convolutions, and all but the first (``rest``): dense and best seconds, and the speed-up. Empty unless every layer is timed."""
    times, layers = layer_times(rows), list(dict.fromkeys(row.layer for row in rows))
    if not layers or len(times) < len(layers):
        return {}
    found = _total([times[name] for name in layers], "measured")
    return found | (_total([times[name] for name in layers[1:]], "measured_rest") if layers[1:] else {})


def _total(times: Sequence[LayerTime], name: str) -> dict[str, float]:
    dense, best = sum(time.dense_s for time in times), sum(time.best_s for time in times)
    return {f"{name}_dense_s": dense, f"{name}_s": best, f"{name}_speedup": dense / best}
