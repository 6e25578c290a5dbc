"""Turn a mapping of options into a backend's typed configuration."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping

from harness.contract import BackendConfig, BackendSpec, InputError
from harness.suggest import did_you_mean


def build_config(spec: BackendSpec, options: Mapping[str, object]) -> BackendConfig:
    """Fill ``spec.config`` from ``options``; raises :class:`InputError` naming option, value and what is allowed."""
    hints = typing.get_type_hints(spec.config)
    names = [f.name for f in dataclasses.fields(spec.config) if f.name != "name"]
    for option, value in options.items():
        if option not in names:
            allowed = ", ".join(names) or "none"
            raise InputError(f"backend {spec.name!r} has no option {option!r}; allowed: {allowed}.{did_you_mean(option, names)}")
        if not _fits(value, hints[option]):
            raise InputError(f"option {option!r} of backend {spec.name!r} is {value!r}; allowed: {_words(hints[option])}")
    return spec.config(name=spec.name, **options)  # type: ignore[arg-type]


def _fits(value: object, hint: object) -> bool:
    if hint is typing.Any:
        return True
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return any(_fits(value, part) for part in typing.get_args(hint))
    if typing.get_origin(hint) is typing.Literal:
        return value in typing.get_args(hint)
    if (origin := typing.get_origin(hint)) is not None:
        return isinstance(value, origin)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint) if isinstance(hint, type) else True


def _words(hint: object) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(map(repr, typing.get_args(hint)))
    return hint.__name__ if isinstance(hint, type) else str(hint)
