"""Options of the OpenCL backend."""

from __future__ import annotations

from dataclasses import dataclass

from harness.contract import BackendConfig


@dataclass
class OpenclConfig(BackendConfig):
    """``device``: a type (gpu, accelerator, cpu), fragments of a device's or platform's name, or ``#2`` of the list.

    Empty takes a GPU before an accelerator before a CPU, and of several runtimes for one CPU the fastest.
    """

    name: str = "opencl"
    device: str = ""
