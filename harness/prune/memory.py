"""Memory that a training step gives back is kept for the next step."""

from __future__ import annotations

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_KEPT, _LARGEST = 1 << 30, 32 << 20  # bytes; glibc takes no larger threshold than 32 MiB


def keep_freed_memory() -> bool:
    """Tell glibc to return freed activations to the system no more; whether it did.

    By default it hands buffers of megabytes back at once, and the next step pays a page fault for each 4 KiB of them: a tenth of
    a training step of ``alexnet_small``. Other C libraries, and environments that set ``MALLOC_...`` themselves, are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _KEPT) and mallopt(_MMAP_THRESHOLD, _LARGEST))
