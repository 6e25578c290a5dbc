"""Checks on arrays from outside: a clear message before any kernel touches memory."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np

from perfmodel.errors import InputError

_FLOAT32 = np.dtype(np.float32)
_GOOD = 0x1 | 0x100  # flags of a C-contiguous and aligned array


def check_kind(name: str, value: object, kind: type, allowed: str) -> None:
    """Raise :class:`InputError` unless ``value`` is an instance of ``kind``, ``allowed`` in words: not a text where a problem belongs."""
    if not isinstance(value, kind):
        raise InputError(f"{name} is {reprlib.repr(value)}; allowed: {allowed}")


def check_array(name: str, array: Any, shape: tuple[int, ...]) -> None:
    """Raise :class:`InputError` unless ``array`` is C-contiguous, aligned float32 of ``shape``."""
    # The usual case in one line: this code runs cold after each kernel, where every line costs microseconds.
    if type(array) is np.ndarray and array.dtype is _FLOAT32 and array.shape == shape and array.flags.num & _GOOD == _GOOD:
        return
    if not isinstance(array, np.ndarray):
        raise InputError(f"{name} is a {type(array).__name__}; allowed: a numpy array of float32")
    if array.dtype != np.float32 or not array.dtype.isnative:
        raise InputError(f"{name} has dtype {array.dtype}; allowed: float32")
    if array.shape != shape:
        raise InputError(f"{name} has shape {array.shape}; allowed: {shape}")
    if not array.flags.c_contiguous or not array.flags.aligned:
        raise InputError(f"{name} is not C-contiguous (strides {array.strides}); allowed: numpy.ascontiguousarray({name})")


def check_output(out: Any, shape: tuple[int, ...], x: np.ndarray) -> None:
    """Raise :class:`InputError` unless ``out`` can take the result for input ``x``."""
    check_array("out", out, shape)
    if not out.flags.writeable:
        raise InputError("out is read-only; allowed: a writeable array")
    if np.may_share_memory(out, x):
        raise InputError("out shares memory with x; allowed: separate arrays")


def check_finite(name: str, array: np.ndarray) -> None:
    """Raise :class:`InputError` when ``array`` holds NaN or infinity, naming the first place."""
    finite = np.isfinite(array)
    if not finite.all():
        place = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise InputError(f"{name}{list(place)} is {array[place]}; allowed: finite numbers ({int((~finite).sum())} of {array.size} are not)")
