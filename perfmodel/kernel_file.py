"""Kernel parameters as plain values, for the YAML files that keep a calibration: band, probed range and probes included."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from perfmodel.errors import InputError
from perfmodel.kernel import KernelParameters


def as_record(kernel: KernelParameters) -> dict[str, Any]:
    """``kernel`` as plain values for YAML or JSON; :func:`from_record` reads them back exactly."""
    record = dataclasses.asdict(kernel)
    record |= {name: list(getattr(kernel, name)) for name in ("narrower", "layouts", "probes", "residuals")}
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
        values |= {name: tuple(values[name]) for name in ("narrower", "layouts", "probes", "residuals") if name in values}
        values["band"] = tuple(values["band"]) if values.get("band") else None
        values["probed"] = {name: (float(low), float(high)) for name, (low, high) in values.get("probed", {}).items()}
        return KernelParameters(**values)
    except InputError:
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"kernel parameters cannot be read: {error}") from None
