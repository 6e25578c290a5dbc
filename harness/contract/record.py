"""The schema of a run's record: one JSON file that holds everything a run found.

Times are seconds (medians over the repetitions, for the whole batch), rates GFLOP/s.
Readers accept every record of the same major schema and refuse others by name.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.contract.measurement import Status
from perfmodel.errors import InputError

SCHEMA = "breakeven.record/1"
RECORD_NAME = "record.json"
_JSON_NAMES = {str: "a string", dict: "an object", list: "a list"}

RunStatus = Literal["complete", "interrupted"]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The kernel that a speed-up refers to and its end-to-end median in seconds."""

    backend: str
    kernel: str
    end_to_end_s: float


@dataclass(frozen=True, slots=True)
class Row:
    """One kernel on one layer. Fields without a value are None (JSON null), never left out.

    ``approximation_error``: relative Frobenius error of the weights that an inexact kernel computes with;
    such a kernel has speed-ups only where it is stated. ``max_error`` is that of the result, judged with those weights.
    """

    layer: str
    problem: str
    backend: str
    kernel: str
    method: str
    density: float | None
    batch: int
    threads: int
    status: Status
    reason: str = ""
    prepare_s: float | None = None
    kernel_s: float | None = None
    end_to_end_s: float | None = None
    device_s: float | None = None
    cold_s: float | None = None
    spread: float | None = None
    repetitions: int = 0
    useful_gflops: float | None = None
    effective_gflops: float | None = None
    peak_gflops: float | None = None
    baseline: Baseline | None = None
    speedup: float | None = None
    paper_baseline: Baseline | None = None
    paper_speedup: float | None = None
    projected_speedup: float | None = None
    approximation_error: float | None = None
    max_error: float | None = None
    tolerance: float | None = None
    pattern: str = ""
    weights: str = ""
    explain: str = ""
    repro: str = ""

    @classmethod
    def from_json(cls, data: Any, where: str) -> Row:
        """Read a row; raises :class:`InputError` that names what is missing. Unknown fields are ignored."""
        if not isinstance(data, dict):
            raise InputError(f"{where} is a {type(data).__name__}; allowed: an object")
        known = {f.name: f for f in dataclasses.fields(cls)}
        if missing := [n for n, f in known.items() if f.default is dataclasses.MISSING and n not in data]:
            raise InputError(f"{where} lacks {', '.join(missing)}")
        values = {name: value for name, value in data.items() if name in known}
        for name in ("baseline", "paper_baseline"):
            if isinstance(values.get(name), dict):
                values[name] = Baseline(**{k: values[name].get(k) for k in ("backend", "kernel", "end_to_end_s")})
        return cls(**values)


@dataclass(frozen=True)
class Record:
    """A whole run: where it ran, with what, under which configuration, and its rows."""

    task: str
    status: RunStatus
    created: str
    machine: dict[str, Any]
    versions: dict[str, str]
    config: dict[str, Any]
    coverage: str = ""
    rows: tuple[Row, ...] = ()
    schema: str = SCHEMA
    extra: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON values; ``extra`` blocks (such as ``prune``) stand beside the rows."""
        data = {
            "schema": self.schema,
            **{f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in ("schema", "extra")},
        }
        return {**data, "rows": [dataclasses.asdict(row) for row in self.rows], **self.extra}


def read_record(path: str | Path) -> Record:
    """Read ``path`` (a record, or the run folder that holds one); raises :class:`InputError` for anything else."""
    file = Path(path)
    file = file / RECORD_NAME if file.is_dir() else file
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no record at {str(file)!r}; allowed: a run folder or its {RECORD_NAME}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{str(file)!r} cannot be read as a record: {error}") from None
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        raise InputError(f"{str(file)!r} has schema {schema!r}; allowed: {SCHEMA}")
    fields = {f.name for f in dataclasses.fields(Record)} - {"rows", "extra"}
    if missing := [n for n in ("task", "status", "created", "machine", "versions", "config", "rows") if n not in data]:
        raise InputError(f"{str(file)!r} lacks {', '.join(missing)}")
    for name, kind in (("created", str), ("machine", dict), ("versions", dict), ("config", dict), ("rows", list)):
        if not isinstance(data[name], kind):
            raise InputError(f"{str(file)!r}: {name} is a {type(data[name]).__name__}; allowed: {_JSON_NAMES[kind]}")
    rows = tuple(Row.from_json(row, f"{file}: rows[{i}]") for i, row in enumerate(data["rows"]))
    extra = {name: value for name, value in data.items() if name not in fields and name != "rows"}
    return Record(rows=rows, extra=extra, **{name: data[name] for name in fields if name in data})
