"""The OpenCL backend: one device, three kernels, numbers measured on that same device."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from typing import Any

from backends.host.store import stored_record
from backends.opencl.config import OpenclConfig
from backends.opencl.devices import Device, choose_device, find_devices
from backends.opencl.store import recall, remember
from harness.contract import (
    Backend,
    BackendConfig,
    BreakevenError,
    Hardware,
    InputError,
    KernelSpec,
    Plan,
    PlanRequest,
    Problem,
    Support,
)
from perfmodel.kernel import KernelParameters

_OPTIONS = {
    "variant": "name of a variant instead of the rule's choice (docs/opencl.md lists them)",
    "pixels": "vectors of pixels that a work-item holds",
    "height": "output channels that share the loads of a work-item",
    "images": "images that lie in one vector (1, 2 or 4), on GPUs",
    "tune": "True, or seconds that building may take: time the candidates here and keep the fastest in the user's cache folder",
}


class OpenclBackend(Backend):
    """Kernels in OpenCL C on the device that ``config.device`` names."""

    name = "opencl"
    specs = (
        KernelSpec("direct_sparse", "direct_sparse", "sparse rows times shifted planes of the input, no lowering", options=_OPTIONS),
        KernelSpec("direct_dense", "dense", "packed weights times shifted planes of the input, no lowering", options=_OPTIONS),
        KernelSpec("im2col_gemm", "dense", "im2col into panels and a register-tiled GEMM", options=_OPTIONS, model="dense/im2col"),
    )

    def __init__(self, config: BackendConfig, threads: int = 1) -> None:
        super().__init__(config, threads)
        self._chosen = _choose(config, threads, notice=True)

    @classmethod
    def available(cls, config: BackendConfig) -> Support:
        """Whether pyopencl is there, finds a platform, and the wanted device exists."""
        if find_spec("pyopencl") is None:
            return Support(False, "pyopencl is not installed: pip install 'breakeven[opencl]'")
        try:
            _choose(config, 1, notice=False)
        except BreakevenError as error:
            return Support(False, str(error))
        return Support(True)

    @cached_property
    def _session(self) -> Any:
        from backends.opencl.session import Session

        return Session(self._chosen, self.threads)

    @cached_property
    def _fma(self) -> Any:
        from backends.opencl.probes import FmaProbe

        return FmaProbe(self._session)

    def kernels(self) -> tuple[KernelSpec, ...]:
        """The kernels; on a CPU device the sparse one with the model of what its rule picks there."""
        return self._modelled

    @cached_property
    def _modelled(self) -> tuple[KernelSpec, ...]:
        if self._chosen.kind != "cpu":
            return self.specs
        session = self._session
        # Vectors run on across rows and images; two more registers than sums hold an input and a weight.
        shape = KernelParameters(lanes=session.vector_width, tile=30 if session.vector_width >= 16 else 14, layouts=("flat",))
        model = "backends.opencl.model:PlanesSparse"
        return tuple(replace(spec, model=model, parameters=shape) if spec.sparse else spec for spec in self.specs)

    def supports(self, kernel: str, problem: Problem) -> Support:
        """Every problem whose buffers the device can hold and 32-bit offsets can address."""
        from backends.opencl.build import buffer_floats

        self.kernel(kernel)
        most = min(self._session.largest_buffer // 4, 2**31 - 1)
        arrays = {"the input": math.prod(problem.input_shape), "the output": math.prod(problem.output_shape)}
        for what, floats in (arrays | buffer_floats(kernel, problem)).items():
            if floats > most:
                return Support(False, f"{what} needs {floats * 4 / 2**20:.0f} MiB in one buffer; allowed: {most * 4 / 2**20:.0f} MiB")
        return Support(True)

    def _prepare(self, request: PlanRequest) -> Plan:
        from backends.opencl.build import make_plan

        return make_plan(self._session, request)

    def fma_peak(self) -> float:
        """FMA peak in FLOP/s through OpenCL on the same (sub-)device, at the clock of this moment (about 5 ms)."""
        return float(self._fma.rate())

    def hardware(self) -> Hardware:
        """This device's stored record; measured once through OpenCL (a few seconds, with a notice) where there is none."""
        return self._hardware(anew=False)

    def calibrate(self) -> Hardware:
        """Measure this device anew and store the record."""
        return self._hardware(anew=True)

    def _hardware(self, anew: bool) -> Hardware:
        from backends.opencl.calibrate import hardware_numbers

        device, session = self._chosen, self._session
        key = Hardware(device.vendor, device.name, f"{device.platform} {device.driver}, {session.units} compute units")
        return stored_record(key, str(device), lambda: Hardware(*key.key, numbers=hardware_numbers(session, self._fma)), anew)

    def device(self) -> str:
        """The device in use, with platform and driver; of a CPU also the compute units in use."""
        used = f", {self._session.units} in use" if self._chosen.kind == "cpu" else ""
        return f"{self._chosen}{used}"

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        """Every device of every platform as one flat list; empty without a platform."""
        try:
            return tuple(map(str, find_devices()))
        except (BreakevenError, ImportError):
            return ()

    def versions(self) -> dict[str, str]:
        """pyopencl's version and the driver's."""
        import pyopencl

        return {"pyopencl": pyopencl.VERSION_TEXT, self._chosen.platform: self._chosen.driver}


def _choose(config: BackendConfig, threads: int, notice: bool) -> Device:
    wanted = config.device if isinstance(config, OpenclConfig) else ""
    if not isinstance(wanted, str):
        raise InputError(f"backend.device is {wanted!r}; allowed: text")
    device, text = choose_device(find_devices(), wanted, _fma_rate)
    if text and notice:
        print(f"notice: {text}", file=sys.stderr, flush=True)
    return device


def _fma_rate(device: Device) -> float:
    """FLOP/s of one compute unit: measured once a driver, then remembered."""
    if (known := recall(device, "fma rate")) is not None:
        return float(known["flops"])
    from backends.opencl.probes import FmaProbe
    from backends.opencl.session import Session

    rate = FmaProbe(Session(device, 1)).rate(5)
    remember(device, "fma rate", {"flops": rate})
    return rate
