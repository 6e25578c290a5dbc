"""Read one layer's weights from ``.npz`` (CSR or dense), ``.npy`` or ``.safetensors``; nothing is ever unpickled.

CSR form of an npz: ``data``, ``indices``, ``indptr`` over the output channels of all groups, column
``(c*kh + r)*kw + s`` with ``c`` counted inside the group, ``shape`` = (oc, ic/g, kh, kw) or (oc, columns), and
maybe ``group`` and ``in_channels``. Other fields are not read: stride, padding and sizes are the problem's.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.checks import check_finite
from harness.contract.plan import Array
from perfmodel.errors import InputError
from perfmodel.problem import Problem

SUFFIXES = (".npz", ".npy", ".safetensors")
_CSR_FIELDS = ("data", "indices", "indptr", "shape")
_OPTIONAL = ("group", "in_channels", "format")
_BROKEN = (OSError, ValueError, KeyError, EOFError, MemoryError, OverflowError, RuntimeError, SyntaxError, zipfile.BadZipFile, zlib.error)


def arrays_in(file: Path) -> tuple[str, ...]:
    """Names of the layers' arrays in ``file``; one that holds a single layer without a name goes by its stem."""
    if file.suffix == ".safetensors":
        with _safetensors(file) as tensors:
            return tuple(sorted(tensors.keys()))
    if file.suffix == ".npz":
        with _npz(file) as arrays:
            return (file.stem,) if _is_csr(arrays) else tuple(arrays)
    return (file.stem,)


def read_array(file: Path, key: str, problem: Problem) -> Array:
    """Weights of ``problem`` from ``file`` as float32 OIHW; ``key`` chooses among several arrays (empty: the only one).

    Raises :class:`InputError` that names file, field, what was found and what is allowed.
    """
    if file.suffix == ".safetensors":
        with _safetensors(file) as tensors:
            name = _only(tuple(sorted(tensors.keys())), key, file)
            return _dense(tensors.get_tensor(name), f"{file}: {name}", problem)
    if file.suffix == ".npz":
        with _npz(file) as arrays:
            if _is_csr(arrays):
                return _from_csr({name: arrays[name] for name in (*_CSR_FIELDS, *_OPTIONAL) if name in arrays}, file, problem)
            name = _only(tuple(arrays), key, file)
            return _dense(arrays[name], f"{file}: {name}", problem)
    with _reading(file):
        return _dense(np.load(file, allow_pickle=False), str(file), problem)


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Turn what a broken file makes a reader raise into an :class:`InputError` that names the file."""
    try:
        yield
    except InputError:
        raise
    except _BROKEN as error:
        raise InputError(f"{str(file)!r} cannot be read as {file.suffix}: {error or type(error).__name__}") from None


@contextmanager
def _npz(file: Path) -> Iterator[Mapping[str, NDArray[Any]]]:
    with _reading(file):
        loaded = np.load(file, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise InputError(f"{str(file)!r} is not a zip of arrays; allowed: a file written by numpy.savez")
        with loaded:
            yield loaded


@contextmanager
def _safetensors(file: Path) -> Iterator[Any]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise InputError(f"{str(file)!r} needs the package safetensors (pip install safetensors, or 'breakeven[all]')") from None
    with _reading(file):
        try:
            with safe_open(str(file), framework="np") as tensors:
                yield tensors
        except SafetensorError as error:
            raise InputError(f"{str(file)!r} cannot be read as .safetensors: {error}") from None
        except TypeError as error:  # a number type that NumPy lacks, such as bfloat16
            raise InputError(f"{str(file)!r} cannot be read: {error}; allowed: float16, float32, float64") from None


def _only(names: tuple[str, ...], key: str, file: Path) -> str:
    if key:
        return key
    if len(names) != 1:
        held = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise InputError(
            f"{str(file)!r} holds {len(names)} arrays ({held or 'none'}), none named after the layer; allowed: one, or such names"
        )
    return names[0]


def _dense(array: NDArray[Any], where: str, problem: Problem) -> Array:
    if array.dtype.kind != "f":
        raise InputError(f"{where} has dtype {array.dtype}; allowed: float16, float32, float64")
    if array.shape != problem.weight_shape:
        raise InputError(f"{where} has shape {array.shape}; allowed: {problem.weight_shape} (output, input per group, height, width)")
    with np.errstate(over="ignore"):
        weight = np.ascontiguousarray(array, np.float32)
    check_finite(where, weight)
    return weight


def _is_csr(arrays: Mapping[str, Any]) -> bool:
    return all(name in arrays for name in ("data", "indices", "indptr"))


def _from_csr(parts: Mapping[str, NDArray[Any]], file: Path, problem: Problem) -> Array:
    _check_csr_shape(parts, file, problem)
    oc, columns = problem.oc, problem.weight_count // problem.oc
    data, indices, indptr = (parts[name] for name in ("data", "indices", "indptr"))
    for name, array, kinds in (("data", data, "f"), ("indices", indices, "iu"), ("indptr", indptr, "iu")):
        if array.dtype.kind not in kinds or array.ndim != 1:
            allowed = "floats" if kinds == "f" else "whole numbers"
            raise InputError(f"{file}: {name} is {array.ndim}-dimensional {array.dtype}; allowed: 1-dimensional {allowed}")
    if len(indptr) != oc + 1 or indptr[0] != 0 or indptr[-1] != len(data) or (indptr[1:] < indptr[:-1]).any():
        raise InputError(
            f"{file}: indptr has {len(indptr)} values, {_ends(indptr)}; allowed: {oc + 1} from 0 to {len(data)} that never fall"
        )
    if len(indices) != len(data):
        raise InputError(f"{file}: indices has {len(indices)} values; allowed: {len(data)}, one for each of data")
    if ((indices < 0) | (indices >= columns)).any():
        raise InputError(f"{file}: indices go from {indices.min()} to {indices.max()}; allowed: 0 to {columns - 1}")
    places = np.repeat(np.arange(oc), (indptr[1:] - indptr[:-1]).astype(np.int64)) * columns + indices.astype(np.int64)
    if len(np.unique(places)) != len(places):
        ordered = np.sort(places)
        row = int(ordered[1:][ordered[1:] == ordered[:-1]][0]) // columns
        raise InputError(f"{file}: indices of row {row} hold a column twice; allowed: each column once")
    weight = np.zeros(oc * columns, np.float32)
    with np.errstate(over="ignore"):
        weight[places] = data
    check_finite(f"{file}: data", weight[places])
    return weight.reshape(problem.weight_shape)


def _check_csr_shape(parts: Mapping[str, NDArray[Any]], file: Path, problem: Problem) -> None:
    """Compare ``shape``, ``group``, ``in_channels`` and scipy's ``format`` with ``problem``."""
    if "shape" not in parts:
        raise InputError(f"{file} lacks the field shape; allowed: {', '.join(_CSR_FIELDS)}, and maybe group, in_channels")
    if "format" in parts and parts["format"].tolist() not in (b"csr", "csr"):
        raise InputError(f"{file}: format is {parts['format'].tolist()!r}; allowed: csr")
    shape = tuple(np.ravel(parts["shape"]).tolist())
    flat = (problem.oc, problem.weight_count // problem.oc)
    if shape not in (problem.weight_shape, flat):
        raise InputError(f"{file}: shape is {shape}; allowed: {problem.weight_shape}, or {flat}")
    for name, wanted in (("group", problem.g), ("in_channels", problem.ic)):
        if name in parts and parts[name].tolist() != wanted:
            raise InputError(f"{file}: {name} is {parts[name].tolist()}; allowed: {wanted}, as in {problem}")


def _ends(indptr: NDArray[Any]) -> str:
    return f"first {indptr[0]}, last {indptr[-1]}" if len(indptr) else "none"
