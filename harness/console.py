"""Where output goes: as wide as the terminal, and wide enough for whole tables in a pipe or a file."""

from __future__ import annotations

import os

from rich.console import Console

PIPE_WIDTH = 190


def counted(number: int, noun: str) -> str:
    """``1 core``, ``2 cores``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def out() -> Console:
    """Standard output; COLUMNS wins, a pipe gets room for every column."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    return console


def err() -> Console:
    """Standard error: progress and notices."""
    return Console(stderr=True, highlight=False)
