"""The three pictures of a validation run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.contract import Hardware, Problem, Quantity, Record
from harness.modelling.comparison import Comparison
from harness.report.plots import Curve, RooflinePoint, plot_roofline, plot_scatter, plot_speedups

FLOAT, NONZERO = 4, 8


def draw(folder: Path, found: Sequence[Comparison], record: Record) -> list[Path]:
    """Scatter, speed-up curves and roofline of a validation, as SVG files in ``folder``."""
    names = dict.fromkeys(c.kernel for c in found)
    pairs = {name: [(c.measured_s, c.projected_s) for c in found if c.kernel == name] for name in names}
    made = [plot_scatter(pairs, folder / "scatter.svg")]
    if curves := _curves(found):
        made.append(plot_speedups(curves, "speed-up over the fastest dense kernel", folder / "speedup.svg"))
    numbers = record.extra.get("hardware", {}).get("numbers")
    if numbers and (points := _points(record)):
        quantities = {name: Quantity(q["value"], q["unit"], q["provenance"]) for name, q in numbers.items()}
        hardware = Hardware("", record.extra["hardware"]["device"], numbers=quantities)
        made.append(plot_roofline(points, hardware, folder / "roofline.svg"))
    return made


def _curves(found: Sequence[Comparison]) -> list[Curve]:
    """A panel a layer and batch: dense over sparse seconds, projected and measured."""
    panels: dict[str, list[Comparison]] = {}
    for c in found:
        panels.setdefault(f"{c.layer} mb{c.batch}", []).append(c)
    curves = []
    for name, group in panels.items():
        dense = [c for c in group if not c.sparse]
        sparse = sorted((c for c in group if c.sparse), key=lambda c: c.density)
        if dense and sparse:
            by_model, by_clock = min(c.projected_s for c in dense), min(c.measured_s for c in dense)
            projected = [(c.density, by_model / c.high_s, by_model / c.projected_s, by_model / c.low_s) for c in sparse]
            curves.append(Curve(name, projected, [(c.density, by_clock / c.measured_s) for c in sparse]))
    return curves


def _points(record: Record) -> list[RooflinePoint]:
    """Sparse rows at the density nearest to 0.1, one a layer."""
    rows: dict[str, list[tuple[float, RooflinePoint]]] = {}
    for row in record.rows:
        if row.method == "direct_sparse" and row.useful_gflops and row.density:
            p = Problem.parse(row.problem)
            moved = FLOAT * (p.mb * (p.ic * p.ih * p.iw + p.oc * p.oh * p.ow)) + NONZERO * row.density * p.weight_count
            point = RooflinePoint(f"{row.layer} mb{p.mb}", row.density * p.flops / moved, row.useful_gflops)
            rows.setdefault(point.name, []).append((abs(row.density - 0.1), point))
    return [min(candidates, key=lambda pair: pair[0])[1] for candidates in rows.values()]
