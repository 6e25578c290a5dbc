"""A pruning run as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def epoch_line(phase: str, line: Mapping[str, Any]) -> str:
    """One epoch in a line."""
    densities = [value for name, value in line.items() if name.startswith("density/")]
    sparse = f"  density {min(densities):.3f} to {max(densities):.3f}" if densities else ""
    numbers = f"loss {line['loss']:.4f}  validation {line['accuracy']:.2%}  lr {line['lr']:.4f}  {line['seconds']:.1f} s"
    return f"{phase:<8} epoch {line['epoch']:>3}  {numbers}{sparse}"


def print_prune(console: Console, block: Mapping[str, Any]) -> None:
    """The layers with what the guide decided, then accuracies and times."""
    if "layers" not in block:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("layer", "density", "decision", "at step", "projected", "kernel", "reason"):
        table.add_column(name, justify="right" if name in ("density", "at step", "projected") else "left", overflow="fold")
    for layer in block["layers"]:
        speedup = f"{layer['projected_speedup']:.2f}x" if layer.get("projected_speedup") else "-"
        cells = (layer["name"], f"{layer['density']:.3f}", layer["decision"], str(layer["iteration"]), speedup)
        table.add_row(*map(escape, (*cells, layer.get("kernel") or "-", layer["reason"])))
    console.print(table)
    for line in summary(block):
        console.print(line, soft_wrap=True, markup=False)


def summary(block: Mapping[str, Any]) -> list[str]:
    """Accuracies on the test set; all convolutions together, projected and measured, each with its baseline."""
    dense, last, best = (block[f"accuracy_{name}"] for name in ("dense", "last", "best"))
    lines = [f"test accuracy: dense {dense:.2%}, pruned {last:.2%} (last epoch), {best:.2%} (best by validation); loss {dense - last:+.2%}"]
    time = block["time"]
    base = "over the fastest unpruned kernel of each layer"
    ends = f"{time['ceiling']:.2f}x where every pruned layer ends its useful range"
    lines.append(f"all convolutions projected: {time['projected_speedup']:.2f}x {base} (ceiling: {ends})")
    if time.get("measured_speedup"):
        lines.append(
            f"all convolutions measured: {time['measured_speedup']:.2f}x: {time['measured_dense_s'] * 1e6:,.0f} us on the fastest dense "
            f"kernel of each layer, {time['measured_s'] * 1e6:,.0f} us where each layer takes its fastest kernel"
        )
    return lines
