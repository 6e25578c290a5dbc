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
    check_options("backend", spec.name, spec.config, options)
    return spec.config(name=spec.name, **options)  # type: ignore[arg-type]


def check_options(kind: str, name: str, config: type, options: Mapping[str, object]) -> None:
    """Raise :class:`InputError` unless every option is a field of the dataclass ``config`` and its value fits the field's type."""
    hints = typing.get_type_hints(config)
    names = [f.name for f in dataclasses.fields(config) if f.name != "name" and f.init]
    for option, value in options.items():
        if option not in names:
            allowed = ", ".join(names) or "none"
            raise InputError(f"{kind} {name!r} has no option {option!r}; allowed: {allowed}.{did_you_mean(option, names)}")
        if not _fits(value, hints[option]):
            raise InputError(f"option {option!r} of {kind} {name!r} is {value!r}; allowed: {_words(hints[option])}")


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
