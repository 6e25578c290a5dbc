"""Weights from files: one a layer in a folder, or one file that holds several layers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.networks import Layer
from harness.weights.formats import SUFFIXES, arrays_in, read_array
from harness.weights.source import LayerWeights
from perfmodel.errors import InputError

_MISSING = "???"  # how Hydra writes a value that the user must give


class FileWeights:
    """Weights read from ``path`` (a folder or a file), or for single layers from ``layers[name]``.

    In a folder the file bears the layer's name (``conv2.npz``; a ``/`` in the name is a sub-folder or ``_``).
    A file may hold several arrays named after the layers (``conv2`` or ``conv2.weight``), or one layer's weights
    and that layer's name; a layer without a name of its own takes a file of one layer.
    """

    takes_density = False

    def __init__(self, path: object = None, layers: object = None) -> None:
        overrides = {} if layers is None else layers
        if not isinstance(overrides, Mapping):
            raise InputError(f"weights.layers is {layers!r}; allowed: a mapping from layer names to files")
        self._files = {str(name): _existing(value, f"weights.layers.{name}") for name, value in overrides.items()}
        for name, file in self._files.items():
            if file.is_dir():
                raise InputError(f"weights.layers.{name} is the folder {str(file)!r}; allowed: a file")
        self._path = None if overrides and path in (None, _MISSING) else _existing(path, "weights.path")

    @property
    def description(self) -> str:
        """The source in words, with what it holds."""
        parts = [f"weights.layers ({', '.join(self._files)})"] if self._files else []
        if self._path is not None:
            names = _weight_files(self._path) if self._path.is_dir() else arrays_in(self._path)
            held = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else f"no {' or '.join(SUFFIXES)} file"
            parts.append(f"{str(self._path)!r} (it holds {held})")
        return " and ".join(parts)

    def weights_for(self, layer: Layer, density: float | None, seed: int) -> LayerWeights | None:
        """The weights that the files hold for ``layer``, or None; ``density`` and ``seed`` are not used.

        Raises :class:`InputError` that names file, field, found and allowed for a file that is broken or does not fit.
        """
        file, chosen = self._file_for(layer)
        if file is None:
            return None
        held = arrays_in(file)
        key = next((name for name in _keys(layer.name) if name in held), "")
        if not (key or chosen):
            return None
        array = read_array(file, key if len(held) > 1 else "", layer.problem)
        array.flags.writeable = False
        share = float(np.count_nonzero(array)) / array.size
        return LayerWeights(array, share, "real", f"{file}:{key}" if len(held) > 1 else str(file))

    def _file_for(self, layer: Layer) -> tuple[Path | None, bool]:
        """The file that may hold ``layer``, and whether it was chosen for this very layer."""
        if layer.name in self._files or self._path is None:
            return self._files.get(layer.name), True
        if self._path.is_dir():
            return _in_folder(self._path, layer.name), True
        unnamed = layer.name.startswith("layer") and layer.name[5:].isdigit()
        return self._path, unnamed or self._path.stem in _stems(layer.name)


def _existing(value: Any, field: str) -> Path:
    if not isinstance(value, str | Path) or str(value) in ("", _MISSING):
        raise InputError(f"{field} is {value!r}; allowed: a folder or file with weights ({', '.join(SUFFIXES)})")
    path = Path(value).expanduser()
    if not path.exists():
        raise InputError(f"{field}: there is no file or folder {str(path)!r}")
    if not path.is_dir() and path.suffix not in SUFFIXES:
        raise InputError(f"{field} is {str(path)!r}; allowed: a folder, or a file ending in {', '.join(SUFFIXES)}")
    return path


def _keys(name: str) -> tuple[str, ...]:
    """Names under which a file of several arrays may hold the layer called ``name``."""
    return (name, f"{name}.weight", f"{name.replace('/', '.')}.weight")


def _stems(name: str) -> tuple[str, ...]:
    """File names without suffix that may belong to the layer called ``name``."""
    return tuple(dict.fromkeys((name, name.replace("/", "_"), name.replace("/", "_").replace(":", "_"))))


def _in_folder(folder: Path, name: str) -> Path | None:
    found = [file for stem in _stems(name) for suffix in SUFFIXES if (file := folder / f"{stem}{suffix}").is_file()]
    if len(found) > 1:
        raise InputError(
            f"{', '.join(str(file) for file in found)} all belong to layer {name!r}; allowed: one, or 'weights.layers={{{name}: FILE}}'"
        )
    return found[0] if found else None


def _weight_files(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(file.name for file in folder.iterdir() if file.suffix in SUFFIXES))
