"""``task=breakeven``: the break-even sparsity of each layer, measured by bisection."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from harness.bench.breakeven import STEPS, as_json, find_break_even
from harness.bench.cases import choose_layers
from harness.config import RunConfig, as_list
from harness.contract import BreakevenError, InputError, KernelSpec
from harness.networks import Layer
from harness.runs import RunFolder
from harness.tasks import EXIT_OK, EXIT_ROW_FAILED
from harness.tasks.session import Session, run_session
from harness.weights import open_source


def run(config: RunConfig) -> int:
    """Bisect, note each layer's result in the record's ``break_even`` block, print the table."""
    layers = choose_layers(config)
    source = open_source(config.weights)
    if not source.takes_density:
        raise InputError("task=breakeven varies the density; allowed: weights=random")
    total = len(layers) * (STEPS + 2)
    return run_session(config, f"{len(layers)} convolutions", total, lambda session: _bisect_all(layers, session), _conclude)


def _bisect_all(layers: Sequence[Layer], session: Session) -> None:
    config, field = session.config, session.field
    source = open_source(config.weights)
    kernels: list[KernelSpec] = [kernel for kernel in field.chosen.kernels if kernel.sparse]
    if not kernels:
        raise InputError(f"backend {field.chosen.spec.name!r} has no sparse kernel among the chosen ones")
    finished = session.folder.record.extra.get("break_even", {})
    for number, layer in enumerate(layers, 1):
        session.describe(layer.name)
        for kernel in kernels:
            for batch in as_list(config.batch):
                key = f"{layer.name} mb{batch} {kernel.name}"
                if key in finished:
                    continue
                try:
                    found = as_json(find_break_even(layer, batch, (field.chosen, kernel), field, source, config, session.tick))
                except BreakevenError as error:
                    found = {"layer": layer.name, "kernel": kernel.name, "error": str(error)}
                session.folder.note("break_even", key, found)
        session.complete(number * (STEPS + 2))


def _conclude(folder: RunFolder, console: Console) -> int:
    found = folder.record.extra.get("break_even", {})
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("layer", "dense us", "by", "break-even sparsity", "bracket", "note"):
        table.add_column(name, justify="right" if name in ("dense us", "break-even sparsity") else "left")
    for key, entry in found.items():
        table.add_row(key, *_cells(entry))
    console.print(table)
    known = [entry["sparsity"] for entry in found.values() if entry.get("sparsity") is not None]
    if known:
        console.print(f"median break-even sparsity {statistics.median(known):.0%} over {len(known)} of {len(found)}")
    return EXIT_ROW_FAILED if any("error" in entry for entry in found.values()) else EXIT_OK


def _cells(entry: dict[str, object]) -> list[str]:
    base, sparsity, low, high = (entry.get(name) for name in ("baseline", "sparsity", "low", "high"))
    named = isinstance(base, dict)
    return [
        f"{base['end_to_end_s'] * 1e6:,.0f}" if isinstance(base, dict) else "-",
        f"{base['backend']} {base['kernel']}" if named and isinstance(base, dict) else "-",
        f"{sparsity:.0%}" if isinstance(sparsity, float) else "-",
        f"{1 - high:.1%} to {1 - low:.1%}" if isinstance(low, float) and isinstance(high, float) else "-",
        str(entry.get("error") or entry.get("reason") or ""),
    ]
