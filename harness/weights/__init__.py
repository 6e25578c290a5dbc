"""Weights to measure with: random ones at a density, or pruned ones from files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.suggest import did_you_mean
from harness.weights.files import FileWeights
from harness.weights.generated import RandomWeights
from harness.weights.source import LayerWeights, WeightSource
from perfmodel.errors import InputError

__all__ = ["FileWeights", "LayerWeights", "RandomWeights", "WeightSource", "open_source"]

_KINDS: dict[str, tuple[type[RandomWeights] | type[FileWeights], tuple[str, ...]]] = {
    "random": (RandomWeights, ("pattern",)),
    "files": (FileWeights, ("path", "layers")),
}


def open_source(config: Mapping[str, Any] | None = None) -> WeightSource:
    """The source that ``config`` describes: ``kind`` and the fields of that kind; None is ``random``, uniform.

    Raises :class:`InputError` that names the field, what was found and what is allowed.
    """
    if not isinstance(given := {"kind": "random"} if config is None else config, Mapping):
        raise InputError(f"weights is {given!r}; allowed: one of {', '.join(_KINDS)}, or a mapping with kind")
    options = dict(given)
    kind = options.pop("kind", None)
    if kind not in _KINDS:
        raise InputError(f"weights.kind is {kind!r}; allowed: {', '.join(_KINDS)}.{did_you_mean(str(kind), _KINDS)}")
    source, fields = _KINDS[kind]
    for name in options:
        if name not in fields:
            hint = did_you_mean(str(name), fields)
            raise InputError(f"weights={kind} has no field {name!r}; allowed: {', '.join(fields)}.{hint}")
    return source(**options)
