"""Plots: whole SVG files, or one message and nothing left."""

import pytest

from harness.contract import InputError
from harness.report.figures import check_plots


def test_plots_without_matplotlib_are_refused_before_anything_is_measured(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"report=plots needs matplotlib: pip install 'breakeven\[report\]'"):
        check_plots(["csv", "plots"])
    check_plots("csv")
    check_plots(None)


def test_curves_become_one_whole_file(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    from harness.report.plots import Curve, plot_scatter, plot_speedups

    curves = [Curve(f"layer {i}", [(0.1, 2.0, 3.0, 4.0), (1.0, 0.5, 0.6, 0.7)], [(0.5, 1.5)]) for i in range(5)]
    path = plot_speedups(curves, "five panels in two rows", tmp_path / "speedup.svg")
    assert path.read_text().count('<g id="axes_') >= 5 and path.read_text().rstrip().endswith("</svg>")
    assert plot_scatter({"a": [(1e-6, 2e-6), (3e-6, 3e-6)]}, tmp_path / "scatter.svg").read_text().startswith("<?xml")
    before = path.read_bytes()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match=r"cannot write '.*speedup\.svg': No space left on device"):
        plot_speedups(curves[:1], "one", path)
    assert path.read_bytes() == before and sorted(file.name for file in tmp_path.iterdir()) == ["scatter.svg", "speedup.svg"]
