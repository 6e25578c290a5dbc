"""Import OpenVINO so that other engines of this process still find what they need."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.metadata
from pathlib import Path
from typing import Any

_TBB = "libtbb.so.12"


def load_openvino() -> Any:
    """The module ``openvino``, imported after pip's oneTBB where that is installed.

    OpenVINO brings an older oneTBB under the same name; the first one loaded serves the whole process, and Intel's
    OpenCL runtime cannot be loaded on the older one (undefined symbol).
    """
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, OSError):
        for file in importlib.metadata.distribution("tbb").files or []:
            if file.name == _TBB:
                ctypes.CDLL(str(Path(str(file.locate())).resolve()))
    return importlib.import_module("openvino")
