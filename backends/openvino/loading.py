"""Import OpenVINO so that other engines of this process still find what they need."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.metadata
from pathlib import Path
from typing import Any

_TBB = "libtbb.so.12"


def share_tbb() -> None:
    """Load pip's oneTBB, where it is installed, before OpenVINO brings an older one under the same name.

    The first one loaded serves the whole process, and Intel's OpenCL runtime cannot be loaded on the older one
    (undefined symbol).
    """
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, OSError):
        for file in importlib.metadata.distribution("tbb").files or []:
            if file.name == _TBB:
                ctypes.CDLL(str(Path(str(file.locate())).resolve()))


def load_openvino() -> Any:
    """The module ``openvino``, on the process's own oneTBB."""
    share_tbb()
    return importlib.import_module("openvino")
