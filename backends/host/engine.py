"""What backends around an installed dense engine share: whether it is there, and arrays as it wants them."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util

import numpy as np

from harness.contract import InputError, Support
from harness.contract.plan import Array


def engine_support(engine: str, extra: str, *modules: str) -> Support:
    """Whether every module can be imported; the reason names the pip extra that brings them."""
    for module in modules:
        if not _exists(module):
            return Support(False, f"{engine} is not installed: no module {module!r}; the extra {extra!r} brings it")
    return Support(True)


def require(support: Support) -> None:
    """Raise :class:`InputError` with the reason unless ``support`` is ok."""
    if not support.ok:
        raise InputError(support.reason)


def versions_of(*distributions: str) -> dict[str, str]:
    """Installed versions of those distributions that are there."""
    found = {}
    for name in distributions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def writeable_view(x: Array) -> Array:
    """``x`` itself, or for a read-only array a view on the same memory for engines that refuse those; only read it."""
    if x.flags.writeable:
        return x
    memory = (ctypes.c_float * x.size).from_address(x.ctypes.data)
    return np.frombuffer(memoryview(memory), np.float32).reshape(x.shape)


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
