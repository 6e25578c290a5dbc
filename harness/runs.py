"""A run's folder: a journal that loses nothing, and one record that is always whole."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from harness.contract import InputError, Record, Row
from harness.contract.record import RECORD_NAME, RunStatus, read_record
from harness.files import write_atomically

JOURNAL_NAME = "journal.jsonl"


class RunFolder:
    """``results/<time>-<task>-<backend>[-<job>]/``: ``journal.jsonl`` grows case by case, ``record.json`` follows.

    The record says *interrupted* until :meth:`finish` says otherwise, so that a run killed at any
    moment leaves a valid record of what was finished.
    """

    def __init__(self, folder: Path, record: Record) -> None:
        self.folder, self._record = folder, record
        self._rows: dict[str, tuple[Row, ...]] = {}

    @classmethod
    def create(cls, results: Path, label: str, record: Record) -> RunFolder:
        """Make a new folder under ``results`` whose name starts with the time."""
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        folder, number = results / f"{stamp}-{label}", 1
        while True:
            try:
                folder.mkdir(parents=True)
                break
            except FileExistsError:
                number += 1
                folder = results / f"{stamp}-{label}-{number}"
            except OSError as error:
                raise InputError(f"results: cannot make {str(folder)!r}: {error.strerror or error}") from error
        run = cls(folder, record)
        run._write("interrupted")
        return run

    @classmethod
    def resume(cls, path: str | Path) -> RunFolder:
        """Open an earlier run; raises :class:`InputError` when there is none at ``path``."""
        record = read_record(path)
        folder = Path(path) if Path(path).is_dir() else Path(path).parent
        run = cls(folder, record)
        journal = folder / JOURNAL_NAME
        for number, line in enumerate(journal.read_text(encoding="utf-8").splitlines() if journal.exists() else (), 1):
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the line that a kill cut short: its case is measured again
            rows = [Row.from_json(row, f"{journal}:{number}") for row in entry["rows"]]
            run._rows[entry["case"]] = tuple(rows)
        return run

    @property
    def record(self) -> Record:
        """What is known so far."""
        return dataclasses.replace(self._record, rows=tuple(row for rows in self._rows.values() for row in rows))

    def has(self, case: str) -> bool:
        """Whether the case called ``case`` is finished."""
        return case in self._rows

    def append(self, case: str, rows: Sequence[Row]) -> None:
        """Journal the rows of a finished case, then bring the record up to date."""
        entry = json.dumps({"case": case, "rows": [dataclasses.asdict(row) for row in rows]}, allow_nan=False)
        journal = self.folder / JOURNAL_NAME
        try:
            with journal.open("a+b") as file:
                if file.tell() and not _ends_with_newline(journal):
                    file.write(b"\n")
                file.write(entry.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(f"cannot write {str(journal)!r}: {error.strerror or error}; what was finished before is kept") from error
        self._rows[case] = tuple(rows)
        self._write("interrupted")

    def describe(self, coverage: str, versions: dict[str, str]) -> None:
        """Add what is known only once the workers run."""
        self._record = dataclasses.replace(self._record, coverage=coverage, versions={**self._record.versions, **versions})

    def finish(self, status: RunStatus) -> Path:
        """Write the record with its final status and return its path."""
        return self._write(status)

    def _write(self, status: RunStatus) -> Path:
        path = self.folder / RECORD_NAME
        record = dataclasses.replace(self.record, status=status)
        write_atomically(path, json.dumps(record.to_json(), indent=1, allow_nan=False) + "\n")
        return path


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
