"""``task=breakeven``: the break-even sparsity of each layer, measured by bisection."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.bench.breakeven import STEPS, BreakEven, as_json, find_break_even
from harness.bench.cases import batches, choose_layers
from harness.config import RunConfig
from harness.contract import BreakevenError, InputError, KernelSpec, Problem
from harness.modelling.calibrated import calibrated
from harness.modelling.patience import patient, watch
from harness.modelling.store import ModelledKernel
from harness.networks import Layer
from harness.runs import RunFolder
from harness.tasks import EXIT_OK, EXIT_ROW_FAILED
from harness.tasks.session import Session, run_session
from harness.weights import open_source
from perfmodel.project import useful_range

CLOSE = 0.05


def run(config: RunConfig) -> int:
    """Bisect, note each layer's result in the record's ``break_even`` block, print the table."""
    layers = choose_layers(config)
    source = open_source(config.weights)
    if not source.takes_density:
        raise InputError("task=breakeven varies the density; allowed: weights=random")
    total = len(layers) * (STEPS + 2)
    return run_session(config, f"{len(layers)} convolutions", total, lambda session: _bisect_all(layers, session), _conclude)


def _bisect_all(layers: Sequence[Layer], session: Session) -> None:
    measure = dataclasses.replace(patient(session.config.measure), cold=0)  # both kernels hot: each takes a call of its own first
    field, config = session.field, dataclasses.replace(session.config, measure=measure)
    watch(field.chosen, config.measure)
    source = open_source(config.weights)
    kernels: list[KernelSpec] = [kernel for kernel in field.chosen.kernels if kernel.sparse]
    if not kernels:
        raise InputError(f"backend {field.chosen.spec.name!r} has no sparse kernel among the chosen ones")
    finished = session.folder.record.extra.get("break_even", {})
    known = {kernel.name: kernel for team in field.teams() for kernel in calibrated(team, config.measure.timeout_s).values()}
    for number, layer in enumerate(layers, 1):
        session.describe(layer.name)
        for kernel in kernels:
            for batch in batches(layer, config):
                key = f"{layer.name} mb{batch} {kernel.name}"
                if key in finished:
                    continue
                try:
                    measured = find_break_even(layer, batch, (field.chosen, kernel), field, source, config, session.tick)
                    found = as_json(measured) | _projected(measured, layer.problem.with_batch(batch), field.chosen.spec.name, known)
                except BreakevenError as error:
                    found = {"layer": layer.name, "kernel": kernel.name, "error": str(error)}
                session.folder.note("break_even", key, found)
        session.complete(number * (STEPS + 2))


def _projected(measured: BreakEven, problem: Problem, backend: str, known: Mapping[str, ModelledKernel]) -> dict[str, object]:
    """Break-even sparsity by the model, and its band, against the dense kernel that was measured; None where one is not calibrated."""
    base = measured.baseline
    sparse, dense = known.get(f"{backend} {measured.kernel}"), known.get(f"{base.backend} {base.kernel}") if base else None
    if sparse is None or dense is None:
        return {"projected": None, "projected_band": None}
    found = useful_range(problem, sparse.hardware, sparse.contender, [dense.contender])
    if found.high is None:
        return {"projected": 1.0, "projected_band": None}
    low, high = found.high_band or (found.high, found.high)
    return {"projected": 1.0 - found.high, "projected_band": [1.0 - high, 1.0 - low]}


def _agreement(entries: Iterable[Mapping[str, Any]]) -> str:
    """How many projections lie within 5 points of the measurement; a kernel that pays everywhere breaks even at 0, nowhere at 1."""
    near = []
    for entry in entries:
        if entry.get("projected") is None or "error" in entry:
            continue
        measured = entry["sparsity"] if entry["sparsity"] is not None else (0.0 if "every" in str(entry["reason"]) else 1.0)
        near.append(abs(entry["projected"] - measured) <= CLOSE)
    return f"projected within {CLOSE * 100:.0f} points in {sum(near)} of {len(near)} layers ({sum(near) / len(near):.0%})" if near else ""


def _conclude(folder: RunFolder, console: Console) -> int:
    found = folder.record.extra.get("break_even", {})
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("layer", "dense us", "by", "break-even sparsity", "bracket", "projected", "note"):
        table.add_column(name, justify="right" if name in ("dense us", "break-even sparsity", "projected") else "left")
    for key, entry in found.items():
        table.add_row(*map(escape, (key, *_cells(entry))))
    console.print(table)
    known = [entry["sparsity"] for entry in found.values() if entry.get("sparsity") is not None]
    if known:
        console.print(f"median break-even sparsity {statistics.median(known):.0%} over {len(known)} of {len(found)}")
    if text := _agreement(found.values()):
        console.print(text)
    return EXIT_ROW_FAILED if any("error" in entry for entry in found.values()) else EXIT_OK


def _with_band(projected: object, band: object) -> str:
    """A projected sparsity, and the band that the model's error leaves it."""
    if not isinstance(projected, float):
        return "-"
    return f"{projected:.0%}" + (f" ({band[0]:.0%} to {band[1]:.0%})" if isinstance(band, list) else "")


def _cells(entry: dict[str, object]) -> list[str]:
    base, sparsity, low, high = (entry.get(name) for name in ("baseline", "sparsity", "low", "high"))
    named = isinstance(base, dict)
    return [
        f"{base['end_to_end_s'] * 1e6:,.0f}" if isinstance(base, dict) else "-",
        f"{base['backend']} {base['kernel']}" if named and isinstance(base, dict) else "-",
        f"{sparsity:.0%}" if isinstance(sparsity, float) else "-",
        f"{1 - high:.1%} to {1 - low:.1%}" if isinstance(low, float) and isinstance(high, float) else "-",
        _with_band(entry.get("projected"), entry.get("projected_band")),
        str(entry.get("error") or entry.get("reason") or ""),
    ]
