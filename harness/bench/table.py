"""The run as a person reads it: one line a layer and kernel, fastest dense beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from harness.contract import Problem, Row

STATUS_STYLES = {"passed": "green", "failed": "bold red", "skipped": "dim", "unsupported": "dim", "mistrusted": "yellow"}


def short_problem(text: str) -> str:
    """A descriptor without its name, defaults and repeated widths: ``g2ic96ih27oc256kh5ph2``."""
    p = Problem.parse(text)
    square = all(getattr(p, f"{a}h") == getattr(p, f"{a}w") for a in ("i", "o", "k", "s", "p", "d"))
    axes = ("h",) if square else ("h", "w")
    words = [f"g{p.g}"] if p.g > 1 else []
    words += [f"mb{p.mb}"] if p.mb > 1 else []
    words += [f"ic{p.ic}", *(f"i{a}{getattr(p, f'i{a}')}" for a in axes), f"oc{p.oc}"]
    words += [
        f"{letter}{a}{getattr(p, letter + a)}"
        for letter in "kspd"
        for a in axes
        if getattr(p, letter + a) != (1 if letter == "s" else 0) or letter == "k"
    ]
    return re.sub(r"\s", "", "".join(words))


def microseconds(seconds: float | None) -> str:
    """Seconds as microseconds, or a dash."""
    return "-" if seconds is None else f"{seconds * 1e6:,.0f}"


def print_table(console: Console, rows: Sequence[Row], chosen: str) -> None:
    """Print the chosen backend's rows; the other engines appear as the baseline that they are."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption=_caption(rows, chosen), caption_justify="left", caption_style="")
    for name in ("layer", "problem"):
        table.add_column(name, overflow="fold")
    for name in ("density", "dense us", "by", "kernel", "us", "speed-up", "projected", "useful GFLOP/s", "of peak", "status"):
        table.add_column(name, justify="left" if name in ("by", "kernel", "status") else "right")
    for row in rows:
        if row.backend == chosen:
            table.add_row(*_cells(row), style="dim" if row.status in ("skipped", "unsupported") else None)
    console.print(table)
    for row in rows:
        if row.reason and row.status != "unsupported" and (row.status != "skipped" or len(rows) < 12):
            console.print(
                f"[{STATUS_STYLES[row.status]}]{row.status}[/] {row.layer} {row.backend} {row.kernel}: {row.reason}", highlight=False
            )


def _cells(row: Row) -> list[str]:
    share = f"{row.useful_gflops / row.peak_gflops:.0%}" if row.useful_gflops and row.peak_gflops else "-"
    return [
        row.layer,
        short_problem(row.problem),
        "-" if row.density is None else f"{row.density:.3f}",
        microseconds(row.baseline.end_to_end_s) if row.baseline else "-",
        f"{row.baseline.backend} {row.baseline.kernel}" if row.baseline else "-",
        row.kernel or "-",
        microseconds(row.end_to_end_s),
        f"{row.speedup:.2f}x" if row.speedup else "-",
        f"{row.projected_speedup:.2f}x" if row.projected_speedup else "-",
        f"{row.useful_gflops:.1f}" if row.useful_gflops is not None else "-",
        share,
        f"[{STATUS_STYLES[row.status]}]{row.status}[/]",
    ]


def _caption(rows: Sequence[Row], chosen: str) -> str:
    """Totals over the layers in which both sides were measured; each names its baseline."""
    lines = []
    for kernel in dict.fromkeys(r.kernel for r in rows if r.backend == chosen and r.speedup):
        mine = [r for r in rows if r.backend == chosen and r.kernel == kernel and r.status == "passed" and r.baseline]
        ours = sum(r.end_to_end_s or 0 for r in mine)
        best = sum(r.baseline.end_to_end_s for r in mine if r.baseline)
        paper = [r for r in mine if r.paper_baseline]
        text = f"{kernel}: {best / ours:.2f}x over the fastest dense kernel of each layer ({len(mine)} rows)" if ours else ""
        if text and len(paper) == len(mine):
            named = paper[0].paper_baseline
            total = sum(r.paper_baseline.end_to_end_s for r in paper if r.paper_baseline)
            text += f", {total / ours:.2f}x over {named.backend} {named.kernel}" if named else ""
        lines += [text] if text else []
    return "\n".join(lines)
