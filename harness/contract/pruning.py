"""What a pruner and a guide are to the host: a name, a class to import, and the options it takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PartSpec:
    """A part of guided pruning as its plugin announces it, before anything heavy is imported.

    ``factory`` is ``"package.module:Class"``, called with the options as keyword arguments. ``config`` is a dataclass whose
    fields are those options, with defaults; it may be the class itself where that imports nothing heavy.
    ``contract`` is the version written for.
    """

    name: str
    factory: str
    summary: str
    contract: int
    config: type


class PrunerSpec(PartSpec):
    """How weights go: ``factory`` makes a :class:`gsl.Pruner`."""


class GuideSpec(PartSpec):
    """Where and how far: ``factory`` makes something whose ``open(names, outlooks)`` gives a :class:`gsl.BaseGuide`."""
