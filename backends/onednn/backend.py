"""oneDNN as PyTorch calls it: convolution on NCHW and on channels-last arrays."""

from __future__ import annotations

import re
import time
from typing import Any

from backends.host.backend import HostBackend
from backends.host.engine import engine_support, require, versions_of, writeable_view
from harness.contract import BackendConfig, KernelClock, KernelSpec, Plan, PlanRequest, Support
from harness.contract.plan import Array

NCHW = KernelSpec("conv_nchw", "dense", "torch.conv2d on NCHW arrays; oneDNN blocks input, weights and output in each call")
CHANNELS_LAST = KernelSpec("conv_channels_last", "dense", "torch.conv2d on channels-last copies; both conversions are counted")


class OneDnnPlan(Plan):
    """Weights as a tensor in the kernel's memory format, made once."""

    def __init__(self, request: PlanRequest, backend: str, threads: int, torch: Any) -> None:
        super().__init__(request, backend, threads)
        p = self.problem
        self._torch = torch
        self._format = torch.channels_last if request.kernel is CHANNELS_LAST else torch.contiguous_format
        self._weight = torch.from_numpy(request.weight.copy()).contiguous(memory_format=self._format)
        self._bias = None if request.bias is None else torch.from_numpy(request.bias.copy())
        self._geometry = ((p.sh, p.sw), (p.ph, p.pw), (p.dh + 1, p.dw + 1), p.g)

    def _run(self, x: Array, y: Array) -> KernelClock:
        torch = self._torch
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        with torch.inference_mode():
            source = torch.from_numpy(writeable_view(x)).contiguous(memory_format=self._format)
            start = time.perf_counter()
            result = torch.conv2d(source, self._weight, self._bias, *self._geometry)
            seconds = time.perf_counter() - start
            # PyTorch pads both ends alike: where the problem asks for less at the end, its last rows are not wanted.
            wanted = result[:, :, : self.problem.oh, : self.problem.ow]
            target = torch.from_numpy(y)
            if self.relu:
                torch.clamp_min(wanted, 0, out=target)
            else:
                target.copy_(wanted)
        return KernelClock(seconds)


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

    def _prepare(self, request: PlanRequest) -> Plan:
        return OneDnnPlan(request, self.name, self.threads, self._torch)

    def versions(self) -> dict[str, str]:
        """Versions of PyTorch and of the oneDNN inside."""
        inside = re.search(r"(?:MKL-DNN|oneDNN) v([\d.]+)", self._torch.__config__.show())
        return versions_of("torch") | ({"oneDNN": inside[1]} if inside else {})
