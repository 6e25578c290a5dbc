"""Calibrated kernels on disk, one YAML file a kernel and device, together with the peak that their costs refer to."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.contract import Hardware, InputError, KernelSpec, Problem, Quantity
from harness.files import write_atomically
from harness.machine import cpu_model
from perfmodel.kernel import KernelParameters
from perfmodel.kernel_file import as_record, from_record
from perfmodel.methods.base import Timing
from perfmodel.methods.registry import find_model
from perfmodel.project import Contender

DENSE_METHODS = ("dense", "winograd", "fft")
_FIELDS = ("backend", "kernel", "method", "model", "exact", "threads", "date")


@dataclass(frozen=True)
class ModelledKernel:
    """A kernel as the model sees it: calibrated when its parameters hold costs, else from first principles.

    ``hardware`` is the device that it runs on; ``exact``: it may serve as a dense baseline if its method is dense;
    ``left_out``: probes timed now but not trusted; ``place``: the device, where the same kernel runs on others too.
    """

    backend: str
    kernel: str
    method: str
    model: str
    exact: bool
    threads: int
    date: str
    parameters: KernelParameters
    hardware: Hardware
    left_out: int = 0
    place: str = ""

    @classmethod
    def declared(cls, backend: str, spec: KernelSpec, threads: int, hardware: Hardware) -> ModelledKernel:
        """The kernel as its spec declares it, not calibrated."""
        parameters = spec.parameters or KernelParameters(alpha=spec.alpha, beta=spec.beta)
        return cls(backend, spec.name, spec.method, spec.model or spec.method, spec.exact, threads, "", parameters, hardware)

    @property
    def name(self) -> str:
        """Backend and kernel, and the device where that would not do."""
        return f"{self.backend} {self.kernel}{f' on {self.place}' if self.place else ''}"

    @property
    def contender(self) -> Contender:
        """For the functions of :mod:`perfmodel.project`."""
        return Contender(self.name, find_model(self.model), self.parameters)

    @property
    def setting(self) -> str:
        """The option of ``prepare`` that stands in the place of the density; empty: none."""
        return find_model(self.model).setting

    @property
    def dense(self) -> bool:
        """Whether it computes the exact convolution without using zeros."""
        return self.exact and self.method in DENSE_METHODS

    def seconds(self, problem: Problem, density: float) -> Timing:
        """Projected seconds of one call for the whole batch."""
        return find_model(self.model).seconds(problem, density, self.hardware, self.parameters)


def folder(threads: int) -> Path:
    """Where the calibrations of this machine at a thread count are kept."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    safe = "".join(c if c.isalnum() else "-" for c in cpu_model()).strip("-")
    return root / "breakeven" / "models" / f"{safe}--{threads}"


def save(kernel: ModelledKernel) -> Path:
    """Store ``kernel``; raises :class:`InputError` when the file cannot be written."""
    path = _path(kernel.backend, kernel.kernel, kernel.threads, kernel.hardware)
    hardware, peak = kernel.hardware, kernel.hardware.peak_flops
    record = {
        **{name: getattr(kernel, name) for name in _FIELDS},
        "hardware": {"vendor": hardware.vendor, "device": hardware.device, "driver": hardware.driver},
        "peak_flops": {"value": float(peak), "provenance": peak.provenance, "date": peak.date},
        "parameters": as_record(kernel.parameters),
    }
    write_atomically(path, yaml.safe_dump(record, sort_keys=False))
    return path


def find(backend: str, spec: KernelSpec, threads: int, hardware: Hardware) -> ModelledKernel | None:
    """``spec`` as calibrated on the device ``hardware`` with the model that it has now, or None.

    Raises :class:`InputError` for a damaged file.
    """
    path = _path(backend, spec.name, threads, hardware)
    found = _load(path) if path.is_file() else None
    same = found is not None and found.hardware.key == hardware.key and found.model == (spec.model or spec.method)
    return found if same else None


def any_of(backend: str, threads: int) -> bool:
    """Whether any kernel of ``backend`` was calibrated, on whatever device."""
    return any(folder(threads).glob(f"{backend}--*.yaml"))


def rivals(threads: int, backend: str, hardware: Hardware) -> tuple[ModelledKernel, ...]:
    """Every kernel calibrated on this machine, those of ``backend`` only as on the device ``hardware``; errors as :func:`find`."""
    everything = [_load(path) for path in sorted(folder(threads).glob("*.yaml"))]
    found = [kernel for kernel in everything if kernel.backend != backend or kernel.hardware.key == hardware.key]
    places = Counter(kernel.name for kernel in found)
    return tuple(dataclasses.replace(k, place=k.hardware.device) if places[k.name] > 1 else k for k in found)


def _path(backend: str, kernel: str, threads: int, hardware: Hardware) -> Path:
    return folder(threads) / f"{backend}--{kernel}--{hardware.slug}.yaml"


def _load(path: Path) -> ModelledKernel:
    try:
        data: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(data, Mapping):
            raise InputError("it is not a mapping")
        peak = data["peak_flops"]
        numbers = {"peak_flops": Quantity(peak["value"], "FLOP/s", peak["provenance"], peak["date"])}
        hardware = Hardware(**data["hardware"], numbers=numbers)
        return ModelledKernel(**{name: data[name] for name in _FIELDS}, parameters=from_record(data["parameters"]), hardware=hardware)
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"calibration {str(path)!r} cannot be read: {error}; delete it and run task=calibrate again") from None
