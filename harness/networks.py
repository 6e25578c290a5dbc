"""Which layers to measure: a network's YAML, a file of descriptors, or one descriptor.

A network is a mapping ``{name, source, layers: [{problem: <benchdnn descriptor>, density: <number or null>}]}``;
``density`` is the published one, null where nothing is published or the layer was kept dense.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.suggest import did_you_mean
from perfmodel.errors import InputError, ProblemError
from perfmodel.problem import Problem

_NETWORK_FIELDS = ("name", "source", "layers")
_LAYER_FIELDS = ("problem", "density")
_DENSITY = re.compile(r"(?P<problem>.*?)\s+density=(?P<density>\S*)\s*$")
_MISSING = "???"  # how Hydra writes a value that the user must give


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution of a network; ``name`` equals ``problem.name``, ``density`` is None where none is published."""

    name: str
    problem: Problem
    density: float | None = None


def load_layers(network: Mapping[str, Any] | str | os.PathLike[str]) -> tuple[Layer, ...]:
    """The layers of a network, given as its mapping, as ``{path: FILE}`` or as the path of a YAML file.

    Raises :class:`InputError` that names file, entry and field, what was found and what is allowed.
    """
    if isinstance(network, str | os.PathLike):
        return _from_mapping(_read_yaml(Path(network).expanduser()), str(network))
    if isinstance(network, Mapping) and "path" in network:
        path = network["path"]
        if not isinstance(path, str) or path in ("", _MISSING):
            raise InputError(f"network.path is {path!r}; allowed: the path of a YAML file (network.path=FILE)")
        if unknown := [name for name in network if name != "path"]:
            raise InputError(f"network.{unknown[0]} stands beside network.path; allowed: path alone, the file holds the rest")
        return load_layers(path)
    return _from_mapping(network, "network")


def layers_from_file(path: str | os.PathLike[str]) -> tuple[Layer, ...]:
    """The layers of a problems file: see :func:`layers_from_descriptors`; raises :class:`InputError`."""
    return layers_from_descriptors(_read_text(Path(path).expanduser(), "problems").splitlines(), str(path))


def layers_from_descriptors(lines: Iterable[str], where: str = "problems") -> tuple[Layer, ...]:
    """One layer a line: a descriptor, then maybe ``density=0.1``; ``#`` begins a comment, empty lines are skipped.

    Raises :class:`InputError` that names ``where``, the line and what is allowed.
    """
    found: list[tuple[str, Layer]] = []
    for number, line in enumerate(lines, 1):
        if text := _without_comment(line):
            place = f"{where} line {number}"
            found.append((place, _layer_from_line(text, place)))
    if not found:
        raise InputError(f"{where} holds no problem; allowed: one descriptor a line, such as ic256ih13oc384oh13kh3ph1")
    return _named(found)


def layer_from_descriptor(text: str) -> Layer:
    """One descriptor, maybe with ``density=0.1`` behind it, as a layer; raises :class:`InputError`."""
    return _named([("problem", _layer_from_line(text.strip(), "problem"))])[0]


def check_density(value: object, where: str) -> float | None:
    """``value`` as a density from 0 to 1, or None for null; raises :class:`InputError` that begins with ``where``."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"{where} is {value!r}; allowed: a number from 0 to 1, or null")
    return float(value)


def _from_mapping(network: object, where: str) -> tuple[Layer, ...]:
    if not isinstance(network, Mapping):
        raise InputError(f"{where} is {_kind(network)}; allowed: a mapping with {', '.join(_NETWORK_FIELDS)}")
    _check_fields(network, _NETWORK_FIELDS, where)
    entries = network.get("layers")
    if not isinstance(entries, Sequence) or isinstance(entries, str) or not entries:
        raise InputError(f"{where}: layers is {_kind(entries)}; allowed: a list of at least one {{problem: ..., density: ...}}")
    places = [f"{where}: layers[{i}]" for i in range(len(entries))]
    return _named([(place, _layer_from_entry(entry, place)) for place, entry in zip(places, entries, strict=True)])


def _layer_from_entry(entry: object, place: str) -> Layer:
    if not isinstance(entry, Mapping):
        raise InputError(f"{place} is {_kind(entry)}; allowed: a mapping with {' and '.join(_LAYER_FIELDS)}")
    _check_fields(entry, _LAYER_FIELDS, place)
    text = entry.get("problem")
    if not isinstance(text, str):
        raise InputError(f"{place}.problem is {_kind(text)}; allowed: a descriptor such as 'ic256ih13oc384oh13kh3ph1n\"conv3\"'")
    problem = _parse(text, f"{place}.problem")
    return Layer(problem.name, problem, check_density(entry.get("density"), f"{place}.density"))


def _layer_from_line(text: str, place: str) -> Layer:
    density = None
    if match := _DENSITY.match(text):
        text = match["problem"]
        try:
            value: object = float(match["density"])
        except ValueError:
            value = match["density"]
        density = check_density(value, f"{place}: density")
    problem = _parse(text, place)
    return Layer(problem.name, problem, density)


def _named(found: Sequence[tuple[str, Layer]]) -> tuple[Layer, ...]:
    """Name the unnamed ``layer1``, ``layer2``... by their position, and refuse a name that comes twice."""
    first: dict[str, str] = {}
    layers = []
    for position, (place, layer) in enumerate(found, 1):
        name = layer.name or f"layer{position}"
        if name in first:
            raise InputError(f"{place} has the name {name!r} of {first[name]}; allowed: each name once")
        first[name] = place
        layers.append(Layer(name, dataclasses.replace(layer.problem, name=name), layer.density))
    return tuple(layers)


def _parse(text: str, place: str) -> Problem:
    try:
        return Problem.parse(text)
    except ProblemError as error:
        raise ProblemError(f"{place}: {error}") from None


def _without_comment(line: str) -> str:
    """``line`` up to a ``#`` that stands outside the quoted name."""
    quoted = False
    for position, letter in enumerate(line):
        quoted ^= letter == '"'
        if letter == "#" and not quoted:
            return line[:position].strip()
    return line.strip()


def _check_fields(mapping: Mapping[Any, Any], allowed: Sequence[str], where: str) -> None:
    for name in mapping:
        if name not in allowed:
            hint = did_you_mean(str(name), allowed)
            raise InputError(f"{where} has an unknown field {name!r}; allowed: {', '.join(allowed)}.{hint}")


def _read_yaml(file: Path) -> object:
    import yaml

    text = _read_text(file, "network")
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise InputError(f"{str(file)!r}{line} is not YAML: {getattr(error, 'problem', None) or error}") from None


def _read_text(file: Path, what: str) -> str:
    """The text of ``file``, which the key ``what`` names."""
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{what}: there is no file {str(file)!r}.{_nearby(file)}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{what}: {str(file)!r} cannot be read as text: {error}") from None


def _nearby(file: Path) -> str:
    """What stands beside a file that is not there."""
    folder = file.parent
    if not folder.is_dir():
        return f" There is no folder {str(folder)!r} either."
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_file() and entry.suffix == file.suffix)
    listed = f" Beside it: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}." if names else ""
    return listed + did_you_mean(file.name, names)


def _kind(value: object) -> str:
    """``value`` for a message: short things as they are, long ones by type."""
    text = repr(value)
    return text if len(text) <= 60 else f"a {type(value).__name__}"
