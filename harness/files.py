"""Write files that are never half-written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.contract import InputError


def write_atomically(path: Path, content: str | bytes | memoryview) -> None:
    """Replace ``path`` by ``content`` (text as UTF-8) at once; the old content stays if anything fails.

    Raises :class:`InputError` that names the file and the operating system's reason.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}") from error


@contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder in ``parent`` for a while; what had to be made of ``parent`` goes again with it, if nothing else came there.

    Raises :class:`InputError` with the operating system's reason.
    """
    made = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    make_folder(parent)
    try:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
    except OSError as error:
        raise InputError(f"cannot make a folder in {str(parent)!r}: {error.strerror or error}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            for empty in made:
                empty.rmdir()


def make_folder(path: Path) -> None:
    """Make ``path`` and its parents; raises :class:`InputError` with the operating system's reason."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {str(path)!r}: {error.strerror or error}") from error
