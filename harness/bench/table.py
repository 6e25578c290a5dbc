"""The run as a person reads it: one line a layer and kernel, fastest dense beside it."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.contract import Baseline, Problem, Row

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
    mine = [row for row in rows if row.backend == chosen and row.status != "skipped"]
    if mine:
        console.print(_table(mine))
    for line in _totals(rows, chosen):
        console.print(line, soft_wrap=True, markup=False)
    for line in _notes(rows, chosen):
        console.print(line, soft_wrap=True)


_WORDS = ("layer", "problem", "by", "kernel", "status")
_OPTIONAL = ("over SGEMM", "projected")


def _table(rows: Sequence[Row]) -> Table:
    """A line a row; columns that only some runs have are left out where they would be empty."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    lines = [_cells(row) for row in rows]
    names = [name for name in lines[0] if name not in _OPTIONAL or any(cells[name] != "-" for cells in lines)]
    for name in names:
        table.add_column(name, justify="left" if name in _WORDS else "right", overflow="fold")
    for row, cells in zip(rows, lines, strict=True):
        shown = cells | {name: escape(cell) for name, cell in cells.items() if name != "status"}
        table.add_row(*(shown[name] for name in names), style="dim" if row.status == "unsupported" else None)
    return table


def _cells(row: Row) -> dict[str, str]:
    """What each column says of ``row``."""
    return {
        "layer": row.layer,
        "problem": short_problem(row.problem),
        "density": "-" if row.density is None else f"{row.density:.3f}",
        "dense us": microseconds(row.baseline.end_to_end_s) if row.baseline else "-",
        "by": f"{row.baseline.backend} {row.baseline.kernel}" if row.baseline else "-",
        "kernel": _kernel(row),
        "us": microseconds(row.end_to_end_s),
        "speed-up": _times(row.speedup),
        "over SGEMM": _times(row.paper_speedup),
        "projected": _times(row.projected_speedup),
        "useful GFLOP/s": f"{row.useful_gflops:.1f}" if row.useful_gflops is not None else "-",
        "of peak": f"{row.useful_gflops / row.peak_gflops:.0%}" if row.useful_gflops and row.peak_gflops else "-",
        "status": f"[{STATUS_STYLES[row.status]}]{row.status}[/]",
    }


def _kernel(row: Row) -> str:
    """Its name, and the error that an inexact one states."""
    return (row.kernel or "-") + ("" if row.approximation_error is None else f" (error {row.approximation_error:.1%})")


def _times(ratio: float | None) -> str:
    return f"{ratio:.2f}x" if ratio else "-"


def _totals(rows: Sequence[Row], chosen: str) -> Iterator[str]:
    """A line a kernel, and a density and batch where layers come at several: totals and geometric means, baselines named."""
    for kernel in dict.fromkeys(row.kernel for row in rows if row.backend == chosen and row.speedup):
        mine = [row for row in rows if row.backend == chosen and row.kernel == kernel and row.status == "passed"]
        repeated = len({row.layer for row in mine}) < len(mine)
        groups: dict[str, list[Row]] = {}
        for row in mine:
            groups.setdefault(f" density {row.density:.2g} batch {row.batch}" if repeated else "", []).append(row)
        for label, group in groups.items():
            yield f"{kernel}{label}: {_total(group)}"


def _total(group: Sequence[Row]) -> str:
    """What a group of rows gains over each baseline, and its share of the peak."""
    paper = [(row, row.paper_baseline) for row in group if row.paper_baseline]
    parts = [_ratio([(row, row.baseline) for row in group if row.baseline], "the fastest dense kernel of each layer")]
    parts += [_ratio(paper, f"{paper[0][1].backend} {paper[0][1].kernel}")] if paper else []
    shares = [r.useful_gflops / r.peak_gflops for r in group if r.useful_gflops and r.peak_gflops]
    errors = [row.approximation_error for row in group if row.approximation_error is not None]
    parts += [f"weights off by up to {max(errors):.1%}"] if errors else []
    parts += [f"useful rate {statistics.geometric_mean(shares):.0%} of the FMA peak"] if shares else []
    return "; ".join(part for part in parts if part)


def _ratio(pairs: Sequence[tuple[Row, Baseline]], name: str) -> str:
    """Together and geometric mean of baseline over kernel."""
    if not pairs:
        return ""
    ours, theirs = sum(row.end_to_end_s or 0.0 for row, _ in pairs), sum(base.end_to_end_s for _, base in pairs)
    mean = statistics.geometric_mean([base.end_to_end_s / row.end_to_end_s for row, base in pairs if row.end_to_end_s])
    return f"{theirs / ours:.2f}x over {name} ({len(pairs)} rows together; geometric mean {mean:.2f}x)"


def _notes(rows: Sequence[Row], chosen: str) -> Iterator[str]:
    """What was skipped or is unsupported, in one line a reason; what failed or is not to be trusted, one line each."""
    for status in ("skipped", "unsupported"):
        left_out = [row for row in rows if row.status == status and row.backend == chosen]
        for kernel, reason in dict.fromkeys((row.kernel, row.reason) for row in left_out):
            names = list(dict.fromkeys(row.layer for row in left_out if (row.kernel, row.reason) == (kernel, reason)))
            shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
            yield f"[dim]{status}[/] {escape(f'{kernel} on {shown}' if kernel else shown)}: {escape(reason)}"
    for row in rows:
        if row.status in ("failed", "mistrusted"):
            yield f"[{STATUS_STYLES[row.status]}]{row.status}[/] {escape(f'{row.layer} {row.backend} {row.kernel}: {row.reason}')}"
