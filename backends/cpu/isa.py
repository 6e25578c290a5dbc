"""Instruction sets: which are compiled in and run here, and which one the user forces."""

from __future__ import annotations

import os
from typing import NamedTuple

from backends.cpu import _kernels
from perfmodel.errors import InputError

VARIABLE = "BREAKEVEN_ISA"


class Build(NamedTuple):
    """One compiled copy of the kernels: instruction set, floats of a vector, largest tile in vectors."""

    isa: str
    lanes: int
    max_tile: int


def builds() -> tuple[Build, ...]:
    """Every build that runs on this machine, best first."""
    return tuple(Build(*build) for build in _kernels.isas())


def isa_names() -> tuple[str, ...]:
    """Instruction sets that run on this machine, best first."""
    return tuple(dict.fromkeys(build.isa for build in builds()))


def chosen_isa(configured: str = "auto") -> str:
    """The instruction set to use: the configured one, else ``BREAKEVEN_ISA``, else the best.

    Raises :class:`InputError` naming what runs here when the wish cannot be met.
    """
    source, wish = "backend.isa", configured
    if wish == "auto":
        source, wish = VARIABLE, os.environ.get(VARIABLE, "") or "auto"
    if wish == "auto":
        return isa_names()[0]
    if wish not in isa_names():
        raise InputError(f"{source} is {wish!r}, which does not run on this machine; allowed: auto, {', '.join(isa_names())}")
    return wish


def builds_of(isa: str) -> tuple[Build, ...]:
    """The builds of one instruction set; AVX-512 has one of 16 and one of 8 lanes."""
    return tuple(build for build in builds() if build.isa == isa)
