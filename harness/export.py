"""Rows for other tools."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.config import as_list
from harness.contract import Row
from harness.files import write_atomically
from harness.runs import RunFolder


def write_csv(folder: Path, rows: Sequence[Row]) -> Path:
    """Write ``rows.csv``, one column a field; a baseline's fields are prefixed with its name."""
    text = io.StringIO()
    flat = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    path = folder / "rows.csv"
    write_atomically(path, text.getvalue())
    return path


def print_csv(report: object, folder: RunFolder, console: Console) -> None:
    """Write a run's rows where ``report`` asks for csv, and print the path."""
    if "csv" in as_list(report):
        console.print(str(write_csv(folder.folder, folder.record.rows)), soft_wrap=True, markup=False)


def _flat(row: Row) -> dict[str, object]:
    values: dict[str, object] = {}
    for field in dataclasses.fields(row):
        value = getattr(row, field.name)
        if field.name in ("baseline", "paper_baseline"):
            for part in ("backend", "kernel", "end_to_end_s"):
                values[f"{field.name}_{part}"] = getattr(value, part) if value else None
        else:
            values[field.name] = value
    return values
