"""Calibrated kernels as YAML: parameters, band, probed range and the list of probes, for one backend on one device."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perfmodel.errors import InputError
from perfmodel.kernel import KernelParameters
from perfmodel.textfile import write_text

SCHEMA = 1
_TOP = ("schema", "backend", "kernel", "hardware", "date", "parameters")


@dataclass(frozen=True)
class CalibratedKernel:
    """A kernel of a backend, calibrated on the device whose record is called ``hardware`` (its slug) on ``date``."""

    backend: str
    kernel: str
    hardware: str
    date: str
    parameters: KernelParameters


def save_kernel(calibrated: CalibratedKernel, path: str | os.PathLike[str]) -> Path:
    """Write to ``path``, whole or not at all; returns the path."""
    import yaml

    record = {name: getattr(calibrated, name) for name in ("backend", "kernel", "hardware", "date")}
    text = yaml.safe_dump({"schema": SCHEMA, **record, "parameters": as_record(calibrated.parameters)}, sort_keys=False, width=140)
    return write_text(path, text)


def load_kernel(path: str | os.PathLike[str]) -> CalibratedKernel:
    """Read what :func:`save_kernel` wrote; raises :class:`InputError` naming the file and the field that is wrong."""
    import yaml

    try:
        record = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"kernel file {os.fspath(path)!r} cannot be read: {' '.join(str(error).split())}") from None
    try:
        return _from_file(record)
    except InputError as error:
        raise InputError(f"kernel file {os.fspath(path)!r}: {error}") from None


def _from_file(record: Any) -> CalibratedKernel:
    if not isinstance(record, Mapping):
        raise InputError(f"the file is {record!r}; allowed: a mapping")
    if set(record) != set(_TOP):
        raise InputError(f"the file has the keys {', '.join(map(str, record))}; allowed: {', '.join(_TOP)}")
    if record["schema"] != SCHEMA:
        raise InputError(f"schema is {record['schema']!r}; allowed: {SCHEMA}")
    backend, kernel, hardware, date = (str(record[name]) for name in ("backend", "kernel", "hardware", "date"))
    return CalibratedKernel(backend, kernel, hardware, date, from_record(record["parameters"]))


def as_record(kernel: KernelParameters) -> dict[str, Any]:
    """``kernel`` as plain values for YAML or JSON; :func:`from_record` reads them back exactly."""
    record = dataclasses.asdict(kernel)
    record |= {name: list(getattr(kernel, name)) for name in ("narrower", "layouts", "probes")}
    record["band"] = list(kernel.band) if kernel.band else None
    record["probed"] = {name: list(pair) for name, pair in kernel.probed.items()}
    return record


def from_record(record: Any) -> KernelParameters:
    """Read :func:`as_record`; raises :class:`InputError` naming a field that is unknown or has a wrong value."""
    fields = [field.name for field in dataclasses.fields(KernelParameters)]
    if not isinstance(record, Mapping):
        raise InputError(f"kernel parameters are {record!r}; allowed: a mapping of {', '.join(fields)}")
    if unknown := [name for name in record if name not in fields]:
        raise InputError(f"kernel parameters have the unknown field {unknown[0]!r}; allowed: {', '.join(fields)}")
    values = dict(record)
    try:
        values |= {name: tuple(values[name]) for name in ("narrower", "layouts", "probes") if name in values}
        values["band"] = tuple(values["band"]) if values.get("band") else None
        values["probed"] = {name: (float(low), float(high)) for name, (low, high) in values.get("probed", {}).items()}
        return KernelParameters(**values)
    except InputError:
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"kernel parameters cannot be read: {error}") from None
