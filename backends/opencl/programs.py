"""Binaries of built programs on disk, for a platform that neither pyopencl nor its own cache spares the compiler."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from typing import Any

import pyopencl as cl

from backends.opencl.bootstrap import cache_folder, write_atomically
from backends.opencl.devices import Device


def built_once(context: Any, handle: Any, device: Device, source: str, options: Sequence[str]) -> Any:
    """``source`` built with ``options`` for ``handle``, from the binary kept by source, options, device and driver if there is one.

    A binary that the driver does not take is replaced; a folder that cannot be written only means compiling again.
    """
    key = "|".join((device.platform, device.name, device.driver, *options, source))
    path = cache_folder() / "programs" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.bin"
    try:
        return cl.Program(context, [handle], [path.read_bytes()]).build(list(options))
    except (OSError, cl.Error):
        program = cl.Program(context, source).build(list(options))
    with contextlib.suppress(OSError, cl.Error):
        write_atomically(path, program.get_info(cl.program_info.BINARIES)[0])
    return program
