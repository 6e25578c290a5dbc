"""oneDNN as PyTorch calls it: convolution on NCHW and on channels-last arrays."""

from __future__ import annotations

import dataclasses
import re
import time
from typing import Any

from backends.host.backend import HostBackend
from backends.host.engine import engine_support, require, versions_of, writeable_view
from harness.contract import BackendConfig, Clocks, KernelClock, KernelSpec, Plan, PlanRequest, Support
from harness.contract.checks import check_array
from harness.contract.plan import Array

NCHW = KernelSpec("conv_nchw", "dense", "torch.conv2d on NCHW arrays; oneDNN blocks input, weights and output in each call")
CHANNELS_LAST = KernelSpec("conv_channels_last", "dense", "torch.conv2d on channels-last copies; both conversions are counted")


class OneDnnPlan(Plan):
    """Weights as a tensor in the kernel's memory format, made once."""

    makes_output = True

    def __init__(self, request: PlanRequest, backend: str, threads: int, torch: Any) -> None:
        super().__init__(request, backend, threads)
        p = self.problem
        self._torch = torch
        self._format = torch.channels_last if request.kernel is CHANNELS_LAST else torch.contiguous_format
        self._weight = torch.from_numpy(request.weight.copy()).contiguous(memory_format=self._format)
        self._bias = None if request.bias is None else torch.from_numpy(request.bias.copy())
        self._geometry = ((p.sh, p.sw), (p.ph, p.pw), (p.dh + 1, p.dw + 1), p.g)

    def run_clocked(self, x: Array, out: Array | None = None) -> tuple[Array, Clocks]:
        """As the base class does; without ``out`` the result is PyTorch's own array, not a copy of it."""
        if out is not None:
            return super().run_clocked(x, out)
        check_array("x", x, self.problem.input_shape)
        start = time.perf_counter()
        with self._torch.inference_mode():
            result, seconds = self._convolve(x)
            result = result.contiguous()
            if self.relu:
                result.clamp_min_(0)
        y: Array = result.numpy()
        return y, Clocks(time.perf_counter() - start, seconds)

    def _run(self, x: Array, y: Array) -> KernelClock:
        with self._torch.inference_mode():
            result, seconds = self._convolve(x)
            target = self._torch.from_numpy(y)
            if self.relu:
                self._torch.clamp_min(result, 0, out=target)
            else:
                target.copy_(result)
        return KernelClock(seconds)

    def _convolve(self, x: Array) -> tuple[Any, float]:
        """The result as a tensor in the kernel's memory format, and the seconds of the convolution alone."""
        torch, p = self._torch, self.problem
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        source = torch.from_numpy(writeable_view(x)).contiguous(memory_format=self._format)
        start = time.perf_counter()
        result = torch.conv2d(source, self._weight, self._bias, *self._geometry)
        seconds = time.perf_counter() - start
        # PyTorch pads both ends alike: where the problem asks for less at the end, its last rows are not wanted.
        return (result[:, :, : p.oh, : p.ow] if result.shape[2:] != (p.oh, p.ow) else result), seconds


class OneDnnBackend(HostBackend):
    """Two memory formats of one engine."""

    name = "onednn"
    specs = (NCHW, CHANNELS_LAST)

    def __init__(self, config: BackendConfig, threads: int = 1) -> None:
        require(self.available(config))
        import torch

        super().__init__(config, threads)
        self._torch = torch
        torch.set_num_threads(threads)

    @classmethod
    def available(cls, config: BackendConfig) -> Support:
        """Whether PyTorch is installed."""
        return engine_support("oneDNN", "torch", "torch")

    def kernels(self) -> tuple[KernelSpec, ...]:
        """Every kernel; on one thread PyTorch does some 1x1 layers of NCHW arrays without oneDNN, which another model tells."""
        if self.threads > 1:
            return self.specs
        return dataclasses.replace(NCHW, model="backends.onednn.model:OneThreadConv"), CHANNELS_LAST

    def _prepare(self, request: PlanRequest) -> Plan:
        return OneDnnPlan(request, self.name, self.threads, self._torch)

    def versions(self) -> dict[str, str]:
        """Versions of PyTorch and of the oneDNN inside."""
        inside = re.search(r"(?:MKL-DNN|oneDNN) v([\d.]+)", self._torch.__config__.show())
        return versions_of("torch") | ({"oneDNN": inside[1]} if inside else {})
