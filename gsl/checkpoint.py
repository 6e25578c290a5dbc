"""Checkpoints that are whole or not there, and say where they were made."""

from __future__ import annotations

import io
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from perfmodel import InputError


def surroundings() -> dict[str, str]:
    """What the bits of a training run depend on beside its configuration."""
    isa = torch.backends.cpu.get_cpu_capability()
    return {"threads": str(torch.get_num_threads()), "isa": isa, "torch": str(torch.__version__), "machine": platform.machine()}


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold the lock beside ``path``: of several jobs that want the same file one makes it, the others wait and read it."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Replace ``path`` by ``state`` at once: a kill leaves the old file or the new one.

    Raises :class:`InputError` with the system's reason.
    """
    content = io.BytesIO()  # torch hides what the system says of a full disk
    torch.save({**state, "surroundings": surroundings()}, content)
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}; what was there before is kept") from None
    finally:
        with suppress(OSError):
            draft.unlink()


def load_checkpoint(path: Path, notice: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """What ``path`` holds; ``notice`` hears what differs from where it was made, as the result will then differ in its last bits.

    Raises :class:`InputError` for a file that is none of ours.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        made = dict(state["surroundings"])
    except Exception as error:
        raise InputError(f"{str(path)!r} cannot be read as a checkpoint: {type(error).__name__}: {error}") from None
    now = surroundings()
    for name, value in made.items():
        if now.get(name) != value:
            notice(f"{name} is {now.get(name)}, the checkpoint was made with {value}: the result will not be equal bit by bit")
    return state
