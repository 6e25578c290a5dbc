"""Find the run that a job of a sweep has done before."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from harness.config import RunConfig
from harness.contract import InputError
from harness.contract.record import RECORD_NAME, read_record

_APART = ("results", "job", "resume", "report", "study")


def find_earlier(config: RunConfig) -> tuple[Path | None, bool]:
    """The newest run under ``results`` with the same configuration, and whether it is complete; a complete one wins."""
    wanted = _essence(dataclasses.asdict(config))
    found: tuple[Path | None, bool] = (None, False)
    for file in sorted(Path(config.results).expanduser().glob(f"*-{config.task}-*/{RECORD_NAME}"), reverse=True):
        try:
            record = read_record(file)
        except InputError:
            continue
        if _essence(record.config) == wanted:
            if record.status == "complete":
                return file.parent, True
            found = (found[0] or file.parent, False)
    return found


def _essence(config: dict[str, object]) -> str:
    return json.dumps({key: value for key, value in config.items() if key not in _APART}, sort_keys=True, default=str)
