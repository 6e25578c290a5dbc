"""Empty figures without a display, and SVG files that are whole or not there."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config import as_list
from harness.contract import InputError
from harness.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_plots(report: object) -> None:
    """Before hours of measuring: raise :class:`InputError` that names the extra where ``report`` asks for plots without matplotlib."""
    if "plots" in as_list(report) and importlib.util.find_spec("matplotlib") is None:
        raise InputError("report=plots needs matplotlib: pip install 'breakeven[report]'")


def new_figure(rows: int, columns: int, panel: tuple[float, float]) -> tuple[Figure, Any]:
    """A figure of ``rows`` x ``columns`` panels of ``panel`` inches, and the array of their axes; raises ImportError without matplotlib."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(panel[0] * columns, panel[1] * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def save_figure(figure: Figure, path: Path) -> Path:
    """Write ``figure`` as SVG; raises :class:`InputError` with the system's reason."""
    draft = io.StringIO()
    figure.savefig(draft, format="svg")
    write_atomically(path, draft.getvalue())
    return path
