"""A run's folder: a journal that loses nothing, and one record that is always whole."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TextIO

from harness.contract import InputError, Record, Row
from harness.contract.record import RECORD_NAME, RunStatus, read_record
from harness.files import write_atomically

JOURNAL_NAME = "journal.jsonl"
LOCK_NAME = ".lock"


class RunFolder:
    """``results/<time>-<task>-<backend>[-<job>]/``: ``journal.jsonl`` grows case by case, ``record.json`` follows.

    The record says *interrupted* until :meth:`finish` says otherwise, so that a run killed at any
    moment leaves a valid record of what was finished.
    """

    def __init__(self, folder: Path, record: Record, made: Sequence[Path] = ()) -> None:
        self.folder, self._record, self._made = folder, record, made
        self._rows: dict[str, tuple[Row, ...]] = {}
        self._status: RunStatus = "interrupted"
        self._lock: TextIO | None = None  # while it is open no other process may work in the folder

    @classmethod
    def create(cls, results: Path, label: str, record: Record) -> RunFolder:
        """Make a new folder under ``results`` whose name starts with the time; it appears with its record inside.

        Raises :class:`InputError` that names the folder and the operating system's reason.
        """
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        try:
            made = [parent for parent in (results, *results.parents) if not parent.exists()]
            results.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(dir=results, prefix=f".{stamp}-"))
        except OSError as error:
            raise InputError(f"results: cannot make a folder in {str(results)!r}: {error.strerror or error}") from error
        try:
            draft.chmod(0o755)
            cls(draft, record)._write("interrupted")
            folder = _rename_free(draft, results / f"{stamp}-{label}")
        except BaseException:
            cls(draft, record, [draft, *made]).discard()
            raise
        run = cls(folder, record, [folder, *made])
        run._lock = _lock(folder)
        return run

    def discard(self) -> bool:
        """Remove the folder if it was made for this run and holds nothing but the record; a task's own files (a checkpoint) keep it.

        Returns whether it is gone.
        """
        self._unlock()
        if self._made and not self._rows and all(file.name == RECORD_NAME for file in self.folder.glob("*")):
            (self.folder / RECORD_NAME).unlink(missing_ok=True)
            with suppress(OSError):
                for folder in self._made:
                    folder.rmdir()
        return not self.folder.exists()

    @classmethod
    def resume(cls, path: str | Path, status: RunStatus = "interrupted") -> RunFolder:
        """Open an earlier run, whose record says ``status`` until it is finished: *complete* where rows are added to a run that has ended.

        Raises :class:`InputError` when there is none at ``path``, or another process is at work in it.
        """
        read_record(path)
        folder = Path(path) if Path(path).is_dir() else Path(path).parent
        lock = _lock(folder)
        record = read_record(path)
        for draft in folder.glob(f".{RECORD_NAME}.*"):
            draft.unlink()  # what a kill left of a record that was being written
        run = cls(folder, record)
        run._status, run._lock = status, lock
        journal = folder / JOURNAL_NAME
        for number, line in enumerate(journal.read_bytes().splitlines() if journal.exists() else (), 1):
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the line that a kill cut short: its case is measured again
            place = f"{journal}:{number}"
            if not (isinstance(entry, dict) and isinstance(entry.get("case"), str) and isinstance(entry.get("rows"), list)):
                raise InputError(f"{place} is not a line of a journal; allowed: an object with case and rows")
            run._rows[entry["case"]] = tuple(Row.from_json(row, place) for row in entry["rows"])
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
        self._rows[case] = tuple(rows)  # first, so that the record of an interrupted run has what the journal has
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
        self._write(self._status)

    def note(self, block: str, key: str, value: object) -> None:
        """Keep ``value`` (plain JSON) under ``key`` of the record's extra ``block``, at once."""
        self._record.extra.setdefault(block, {})[key] = value
        self._write(self._status)

    def describe(self, coverage: str, versions: dict[str, str]) -> None:
        """Add what is known only once the workers run."""
        self._record = dataclasses.replace(self._record, coverage=coverage, versions={**self._record.versions, **versions})

    def finish(self, status: RunStatus) -> Path:
        """Write the record with its final status, let other processes in, and return the record's path."""
        path = self._write(status)
        self._unlock()
        return path

    def _unlock(self) -> None:
        if self._lock and not self._lock.closed:
            (self.folder / LOCK_NAME).unlink(missing_ok=True)
            self._lock.close()

    def _write(self, status: RunStatus) -> Path:
        path = self.folder / RECORD_NAME
        record = dataclasses.replace(self.record, status=status)
        write_atomically(path, json.dumps(record.to_json(), indent=1, allow_nan=False) + "\n")
        return path


def _lock(folder: Path) -> TextIO | None:
    """Keep other processes out of ``folder`` while the file that is returned stays open; None on systems without such locks."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        file = (folder / LOCK_NAME).open("a")
    except OSError as error:
        raise InputError(f"cannot write in {str(folder)!r}: {error.strerror or error}") from None
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file.fileno()).st_ino != Path(file.name).stat().st_ino:
            raise FileExistsError  # its holder has just removed this one, and somebody made another
    except OSError:
        file.close()
        raise InputError(f"another process is at work in {str(folder)!r}; allowed: wait until it ends, or stop it first") from None
    return file


def _rename_free(draft: Path, wanted: Path) -> Path:
    """Rename ``draft`` to ``wanted``, or to the first of ``wanted-2``, ``wanted-3``... that is free."""
    for number in itertools.count(1):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            return draft.rename(folder)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise InputError(f"results: cannot make {str(folder)!r}: {error.strerror or error}") from error
    raise AssertionError


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
