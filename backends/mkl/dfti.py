"""MKL's DFT interface by ctypes: batches of real two-dimensional transforms, frequency first."""

from __future__ import annotations

import ctypes
import weakref

from harness.contract import InputError

_REAL = 33
_TRANSFORMS, _STORAGE, _PLACEMENT = 7, 10, 11
_INPUT_STRIDES, _OUTPUT_STRIDES, _INPUT_DISTANCE, _OUTPUT_DISTANCE = 12, 13, 14, 15
_COMPLEX_COMPLEX, _NOT_INPLACE = 39, 44


class RealTransform:
    """``count`` transforms of real size x size tiles at once.

    Tiles lie one after another; number f of spectrum i lies at complex number f x count + i, so that each
    frequency is a matrix. ``inverse`` goes back, without scaling. Raises :class:`InputError` when MKL refuses.
    """

    def __init__(self, library: ctypes.CDLL, size: int, count: int, inverse: bool = False) -> None:
        self._library, self._handle = library, ctypes.c_void_p()
        self._compute = library.DftiComputeBackward if inverse else library.DftiComputeForward
        half = size // 2 + 1
        tile, spectrum = (0, size, 1), (0, half * count, count)
        create = library.DftiCreateDescriptor_s_md
        self._check(create(ctypes.byref(self._handle), ctypes.c_int(_REAL), ctypes.c_long(2), _longs(size, size)))
        weakref.finalize(self, _free, library, self._handle)
        self._set(_TRANSFORMS, ctypes.c_long(count))
        self._set(_STORAGE, ctypes.c_int(_COMPLEX_COMPLEX))
        self._set(_PLACEMENT, ctypes.c_int(_NOT_INPLACE))
        self._set(_INPUT_STRIDES, _longs(*(spectrum if inverse else tile)))
        self._set(_OUTPUT_STRIDES, _longs(*(tile if inverse else spectrum)))
        self._set(_INPUT_DISTANCE, ctypes.c_long(1 if inverse else size * size))
        self._set(_OUTPUT_DISTANCE, ctypes.c_long(size * size if inverse else 1))
        self._check(library.DftiCommitDescriptor(self._handle))

    def run(self, source: int, target: int) -> None:
        """Transform from one address to the other."""
        self._check(self._compute(self._handle, ctypes.c_void_p(source), ctypes.c_void_p(target)))

    def _set(self, name: int, value: object) -> None:
        self._check(self._library.DftiSetValue(self._handle, ctypes.c_int(name), value))

    def _check(self, status: int) -> None:
        if status:
            self._library.DftiErrorMessage.restype = ctypes.c_char_p
            text = self._library.DftiErrorMessage(ctypes.c_long(status))
            raise InputError(f"MKL's DFT refused the transform: {text.decode() if text else status}")


def _longs(*values: int) -> ctypes.Array[ctypes.c_long]:
    return (ctypes.c_long * len(values))(*values)


def _free(library: ctypes.CDLL, handle: ctypes.c_void_p) -> None:
    library.DftiFreeDescriptor(ctypes.byref(handle))
