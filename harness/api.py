"""The public functions that need no configuration: open a backend, project, find the useful range."""

from __future__ import annotations

from typing import Any

from harness.contract import Backend
from harness.plugins import host


def open_backend(name: str, threads: int = 1, **options: Any) -> Backend:
    """Open the backend called ``name`` in this process with ``threads`` threads.

    ``options`` are the fields of the backend's configuration. Raises :class:`InputError` that lists
    what exists for an unknown name or option, and says what is missing when the engine is absent.
    """
    return host().open(name, threads, **options)
