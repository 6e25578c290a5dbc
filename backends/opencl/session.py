"""One opened device: context, queue, programs built once, and a clocked launch."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyopencl as cl
import pyopencl.cache  # here, or the first build of a process pays for it
from numpy.typing import NDArray

from backends.opencl.devices import QUIRKS, Device, Quirks
from backends.opencl.programs import built_once
from harness.contract import InputError, KernelClock

os.environ.setdefault("PYOPENCL_CACHE_FAILURE_FATAL", "")  # pyopencl looks it up, unset or not, where its cache cannot be written
_KERNELS = Path(__file__).with_name("kernels")
_START, _END = cl.profiling_info.START, cl.profiling_info.END
_LOCAL_THREADS = "cl_intel_exec_by_local_thread"
_LOCAL_QUEUE = 1 << 31  # CL_QUEUE_THREAD_LOCAL_EXEC_ENABLE_INTEL
Defines = Mapping[str, Any]
Words = tuple[tuple[str, Any], ...]


class Step(NamedTuple):
    """One launch: a kernel with its arguments set, and sizes of which local divides global.

    ``arguments`` only keeps the buffers alive: OpenCL does not count a kernel's use of them.
    """

    kernel: Any
    global_size: tuple[int, ...]
    local_size: tuple[int, ...]
    arguments: tuple[Any, ...]


class Session:
    """A device in use. Programs are kept by source and defines; pyopencl, the driver or programs.py also keep them on disk."""

    def __init__(self, device: Device, threads: int = 1) -> None:
        self.description = device
        self.device, self.units = _pinned(device, threads)
        self.context = cl.Context([self.device])
        self.queue = cl.CommandQueue(self.context, properties=_queue_properties(self.device, self.units))
        quirks = QUIRKS.get(device.platform, Quirks())
        self.fused, self._keeps_binaries = quirks.fused, quirks.parses_again
        self.vector_width = min(quirks.widest, int(self.device.native_vector_width_float) or 4)
        self.build_s = 0.0  # seconds spent in building programs so far, cached or not
        self._programs: dict[tuple[tuple[str, ...], Words, Words], Any] = {}
        self._lock = threading.Lock()

    @property
    def is_cpu(self) -> bool:
        """True for a CPU's runtime, where one work-item holds explicit vectors."""
        return self.description.kind == "cpu"

    @property
    def shares_memory(self) -> bool:
        """True where the device computes in the host's memory, so that no array needs copying."""
        return self.is_cpu and bool(self.device.host_unified_memory)

    @cached_property
    def takes_addresses(self) -> bool:
        """True where kernels can be given the address of any array of the host."""
        try:
            return self.shares_memory and bool(self.device.svm_capabilities & cl.device_svm_capabilities.FINE_GRAIN_SYSTEM)
        except cl.Error:  # OpenCL 1.2
            return False

    @property
    def local_bytes(self) -> int:
        """Local memory of a work-group, bytes."""
        return int(self.device.local_mem_size)

    @property
    def constant_bytes(self) -> int:
        """Constant memory of a kernel, bytes."""
        return int(self.device.max_constant_buffer_size)

    @property
    def group_items(self) -> int:
        """Work-items of a work-group at most."""
        return int(self.device.max_work_group_size)

    @property
    def largest_buffer(self) -> int:
        """Largest single allocation, bytes."""
        return int(self.device.max_mem_alloc_size)

    def kernel(self, files: str | tuple[str, ...], name: str, defines: Defines | None = None, source: Defines | None = None) -> Any:
        """A fresh kernel object (they hold arguments, so they are not shared) of ``files`` built with ``defines``.

        ``source``: words of the files and what takes their place, for generated source.
        """
        parts = (files,) if isinstance(files, str) else files
        key = (parts, tuple(sorted((defines or {}).items())), tuple(sorted((source or {}).items())))
        with self._lock:
            if key not in self._programs:
                self._programs[key] = self._build(*key)
            return cl.Kernel(self._programs[key], name)

    def _build(self, files: tuple[str, ...], defines: Words, replaced: Words) -> Any:
        source = "".join((_KERNELS / part).read_text() for part in ("common.h", *files))
        for word, text in replaced:
            source = source.replace(f"        {word}\n", f"{text}\n")
        options = ["-cl-mad-enable", *(["-DFUSED"] if self.fused else []), *(f"-D{key}={value}" for key, value in defines)]
        start = time.perf_counter()
        with warnings.catch_warnings():  # Intel's compiler reports its success as a warning
            warnings.simplefilter("ignore", cl.CompilerWarning)
            warnings.filterwarnings("ignore", "PyOpenCL compiler caching failed")  # then it compiles
            if self._keeps_binaries:
                built = built_once(self.context, self.device, self.description, source, options)
            else:
                built = cl.Program(self.context, source).build(options)
        self.build_s += time.perf_counter() - start
        return built

    def step(self, kernel: Any, global_size: tuple[int, ...], local_size: tuple[int, ...], *arguments: Any) -> Step:
        """Set the arguments (arrays are uploaded, integers become int) and describe the launch."""
        given = tuple(self.upload(a) if isinstance(a, np.ndarray) else np.int32(a) if isinstance(a, int) else a for a in arguments)
        kernel.set_args(*given)
        return Step(kernel, global_size, local_size, given)

    def upload(self, array: NDArray[Any]) -> Any:
        """A read-only buffer holding ``array``; an empty one gets a spare byte, since OpenCL has no empty buffers."""
        data = np.ascontiguousarray(array) if array.size else np.zeros(4, np.uint8)
        return cl.Buffer(self.context, cl.mem_flags.READ_ONLY | cl.mem_flags.COPY_HOST_PTR, hostbuf=data)

    def floats(self, count: int, zeroed: bool = False) -> Any:
        """A buffer of ``count`` floats; raises :class:`InputError` when the device cannot give that much."""
        try:
            buffer = cl.Buffer(self.context, cl.mem_flags.READ_WRITE, 4 * max(count, 1))
            if zeroed:
                cl.enqueue_fill_buffer(self.queue, buffer, np.float32(0), 0, 4 * max(count, 1)).wait()
        except (cl.MemoryError, cl.LogicError) as error:
            raise InputError(f"{self.description.name} cannot hold {4 * count / 2**20:.0f} MiB: {error}") from None
        return buffer

    def launch(self, steps: Sequence[Step]) -> KernelClock:
        """Run ``steps`` in order; wall time from the first launch to the last event, device time as the events' sum."""
        start = time.perf_counter()
        events = [cl.enqueue_nd_range_kernel(self.queue, s.kernel, s.global_size, s.local_size) for s in steps]
        events[-1].wait()
        wall = time.perf_counter() - start
        return KernelClock(wall, sum(event.get_profiling_info(_END) - event.get_profiling_info(_START) for event in events) * 1e-9)


def _queue_properties(device: Any, units: int) -> int:
    """With one compute unit the calling thread runs the kernels where the runtime offers that: handing over takes tens of microseconds."""
    in_caller = units == 1 and _LOCAL_THREADS in device.extensions.split()
    return int(cl.command_queue_properties.PROFILING_ENABLE) | (_LOCAL_QUEUE if in_caller else 0)


def _pinned(device: Device, threads: int) -> tuple[Any, int]:
    """The device, or of a CPU a sub-device of ``threads`` compute units."""
    units = int(device.handle.max_compute_units)
    if device.kind != "cpu" or threads >= units:
        return device.handle, units
    parts = device.handle.create_sub_devices(
        [cl.device_partition_property.BY_COUNTS, threads, cl.device_partition_property.BY_COUNTS_LIST_END]
    )
    return parts[0], threads
