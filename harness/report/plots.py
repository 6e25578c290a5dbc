"""Plots of projections and measurements, as SVG files (extra ``report``)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.contract import Hardware
from harness.report.figures import new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 4


@dataclass(frozen=True)
class Curve:
    """One layer's speed-up: projected (density, low, median, high) and measured (density, speed-up) points."""

    name: str
    projected: Sequence[tuple[float, float, float, float]]
    measured: Sequence[tuple[float, float]] = field(default_factory=tuple)


@dataclass(frozen=True)
class RooflinePoint:
    """A layer on the roofline: useful FLOP per byte from memory, and useful GFLOP/s."""

    name: str
    intensity: float
    gflops: float


def plot_speedups(curves: Sequence[Curve], title: str, path: Path) -> Path:
    """Speed-up over the fastest dense kernel against sparsity, a panel a layer, band shaded, measured points on top."""
    rows = -(-len(curves) // COLUMNS)
    figure, axes = new_figure(rows, COLUMNS, (4, 3))
    for axis, curve in zip(axes.flat, curves, strict=False):
        _speedup_panel(axis, curve)
    for axis in list(axes.flat)[len(curves) :]:
        axis.set_visible(False)
    figure.suptitle(title)
    return save_figure(figure, path)


def _speedup_panel(axis: Axes, curve: Curve) -> None:
    points = sorted(curve.projected)
    sparsity = [100 * (1 - density) for density, *_ in points]
    axis.fill_between(sparsity, [p[1] for p in points], [p[3] for p in points], alpha=0.25, linewidth=0, label="band")
    axis.plot(sparsity, [p[2] for p in points], label="projected")
    if curve.measured:
        axis.plot([100 * (1 - d) for d, _ in curve.measured], [s for _, s in curve.measured], "o", color="black", ms=4, label="measured")
    axis.axhline(1, color="grey", lw=0.8, ls="--")
    axis.set(title=curve.name, xlabel="sparsity, %", ylabel="speed-up", yscale="log")
    axis.legend(fontsize="small")


def plot_scatter(pairs: Mapping[str, Sequence[tuple[float, float]]], path: Path) -> Path:
    """Projected against measured microseconds; ``pairs`` holds (measured, projected) seconds by kernel; lines at +-25 %."""
    figure, axes = new_figure(1, 1, (6, 6))
    axis = axes[0, 0]
    everything = [value for points in pairs.values() for point in points for value in point]
    limits = (min(everything) * 0.8e6, max(everything) * 1.25e6)
    for factor, style in ((1.0, "-"), (0.75, ":"), (1.25, ":")):
        axis.plot(limits, [factor * value for value in limits], style, color="grey", lw=0.8)
    for name, points in pairs.items():
        axis.plot([1e6 * m for m, _ in points], [1e6 * p for _, p in points], "o", ms=4, alpha=0.7, label=name)
    axis.set(xlabel="measured, us", ylabel="projected, us", xscale="log", yscale="log", xlim=limits, ylim=limits, title="dotted: 25 % off")
    axis.legend()
    return save_figure(figure, path)


def plot_roofline(points: Sequence[RooflinePoint], hardware: Hardware, path: Path) -> Path:
    """Useful rate against arithmetic intensity, under the roofs of FMA peak and of every bandwidth that is known."""
    figure, axes = new_figure(1, 1, (8, 5))
    axis = axes[0, 0]
    span = [min(p.intensity for p in points) / 2, max(p.intensity for p in points) * 2]
    xs = [span[0] * (span[1] / span[0]) ** (i / 100) for i in range(101)]
    peak = float(hardware.peak_flops) / 1e9
    axis.axhline(peak, color="black", lw=1, label=f"FMA peak {peak:.0f} GFLOP/s")
    for name in ("bandwidth", "bandwidth_l3", "bandwidth_l2", "bandwidth_l1"):
        if name in hardware.numbers:
            rate = float(hardware.numbers[name]) / 1e9
            axis.plot(xs, [min(peak, x * rate) for x in xs], lw=0.9, label=f"{name} {rate:.0f} GB/s")
    axis.plot([p.intensity for p in points], [p.gflops for p in points], "o", color="black", ms=4)
    for point in points:
        axis.annotate(point.name, (point.intensity, point.gflops), fontsize="x-small", xytext=(3, 3), textcoords="offset points")
    floor = 10 ** math.floor(math.log10(min(p.gflops for p in points)))
    axis.set(xlabel="useful FLOP per byte from memory", ylabel="useful GFLOP/s", xscale="log", yscale="log", ylim=(floor, peak * 1.5))
    axis.legend(fontsize="small")
    return save_figure(figure, path)
