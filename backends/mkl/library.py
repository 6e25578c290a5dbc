"""libmkl_rt by ctypes: found through the metadata of the ``mkl`` distribution, its functions declared once."""

from __future__ import annotations

import ctypes
import fnmatch
import functools
import importlib.metadata
import importlib.util
from collections.abc import Callable
from pathlib import Path

from harness.contract import InputError, Support

ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE = 101, 111, 112
PACKED, A_MATRIX, B_MATRIX = 151, 161, 162
_NAMES = ("libmkl_rt.so*", "mkl_rt*.dll", "libmkl_rt*.dylib")
_CURE = "the extra 'mkl' brings it, on x86-64 Linux and Windows"
_LP64 = 0
_INT, _FLOAT, _POINTER = ctypes.c_int, ctypes.c_float, ctypes.c_void_p


class Description(ctypes.Structure):
    """``struct matrix_descr`` of the sparse BLAS: type, triangle and diagonal of a matrix."""

    _fields_ = (("type", _INT), ("mode", _INT), ("diag", _INT))


_SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "cblas_sgemm": (None, (*[_INT] * 6, _FLOAT, _POINTER, _INT, _POINTER, _INT, _FLOAT, _POINTER, _INT)),
    "cblas_sgemm_pack_get_size": (ctypes.c_size_t, (_INT,) * 4),
    "cblas_sgemm_pack": (None, (*[_INT] * 6, _FLOAT, _POINTER, _INT, _POINTER)),
    "cblas_sgemm_compute": (None, (*[_INT] * 6, _POINTER, _INT, _POINTER, _INT, _FLOAT, _POINTER, _INT)),
    "cblas_sgemm_batch_strided": (
        None,
        (*[_INT] * 6, _FLOAT, _POINTER, _INT, _INT, _POINTER, _INT, _INT, _FLOAT, _POINTER, _INT, _INT, _INT),
    ),
    "cblas_cgemm_batch_strided": (
        None,
        (*[_INT] * 6, _POINTER, _POINTER, _INT, _INT, _POINTER, _INT, _INT, _POINTER, _POINTER, _INT, _INT, _INT),
    ),
    "mkl_sparse_s_create_csr": (_INT, (_POINTER, _INT, _INT, _INT, _POINTER, _POINTER, _POINTER, _POINTER)),
    "mkl_sparse_set_mm_hint": (_INT, (_POINTER, _INT, Description, _INT, _INT, _INT)),
    "mkl_sparse_s_mm": (_INT, (_INT, _FLOAT, _POINTER, Description, _INT, _POINTER, _INT, _INT, _FLOAT, _POINTER, _INT)),
    "mkl_sparse_optimize": (_INT, (_POINTER,)),
    "mkl_sparse_destroy": (_INT, (_POINTER,)),
}


def find_library() -> Path | None:
    """Path of libmkl_rt as its distribution lists it, wherever that is installed; None without it."""
    try:
        files = importlib.metadata.files("mkl") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for pattern in _NAMES:
        for file in sorted(files, reverse=True):
            if fnmatch.fnmatch(file.name, pattern):
                path = Path(str(file.locate())).resolve()
                if path.is_file():
                    return path
    return None


def installed() -> Support:
    """Whether MKL and mkl-service are there, and if not, how to get them."""
    if find_library() is None:
        return Support(False, f"MKL is not installed; {_CURE}")
    if importlib.util.find_spec("mkl") is None:
        return Support(False, f"mkl-service is not installed; {_CURE}")
    return Support(True)


@functools.cache
def load_library() -> ctypes.CDLL:
    """Load libmkl_rt with 32-bit integers; raises :class:`InputError` where it is not installed."""
    if not (support := installed()).ok:
        raise InputError(support.reason)
    path = find_library()
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise InputError(f"MKL cannot be loaded from {path}: {error}") from None
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.MKL_Set_Interface_Layer(_LP64)
    return library


@functools.cache
def thread_setter() -> Callable[[int], int]:
    """mkl-service's switch: MKL calls of this Python thread use so many threads inside; returns what was set before."""
    import mkl

    setter: Callable[[int], int] = mkl.set_num_threads_local
    return setter
