"""What the performance model knows of a machine: a few numbers, each with where it came from."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self, get_args

from perfmodel.errors import InputError, MissingNumberError
from perfmodel.units import UNITS, format_quantity

Provenance = Literal["declared", "measured", "inherited"]
PROVENANCES: tuple[str, ...] = get_args(Provenance)


class Quantity(float):
    """A number that remembers its unit, provenance, date and spread; behaves as a float.

    ``spread`` is the relative inter-quartile range of the measurement (0 when declared).
    ``mistrusted`` holds the reason why the value is implausible, or is empty. ``source`` says in words
    who gave the number: a document, a benchmark, or the record that it was inherited from.
    """

    unit: str
    provenance: Provenance
    date: str
    spread: float
    mistrusted: str
    source: str

    def __new__(
        cls,
        value: float,
        unit: str,
        provenance: Provenance = "declared",
        date: str = "",
        spread: float = 0.0,
        mistrusted: str = "",
        source: str = "",
    ) -> Self:
        """Make a quantity of ``value`` in ``unit``; raises :class:`InputError` for an unknown unit or provenance."""
        if unit not in UNITS:
            raise InputError(f"unit is {unit!r}; allowed: {', '.join(UNITS)}")
        if provenance not in PROVENANCES:
            raise InputError(f"provenance is {provenance!r}; allowed: {', '.join(PROVENANCES)}")
        self = super().__new__(cls, value)
        self.unit, self.provenance, self.date = unit, provenance, date
        self.spread, self.mistrusted, self.source = spread, mistrusted, source
        return self

    def __getnewargs__(self) -> tuple[float, str, Provenance, str, float, str, str]:  # type: ignore[override]
        return (float(self), self.unit, self.provenance, self.date, self.spread, self.mistrusted, self.source)

    def __str__(self) -> str:
        return format_quantity(self, self.unit)

    @property
    def value(self) -> float:
        """The bare number."""
        return float(self)

    def inherited(self, origin: str) -> Quantity:
        """The same number as another record borrows it: provenance ``inherited``, ``origin`` named in the source."""
        source = f"{origin}: {self.source}" if self.source else origin
        return Quantity(float(self), self.unit, "inherited", self.date, self.spread, self.mistrusted, source)


@dataclass(frozen=True)
class Hardware:
    """One device as the model sees it; ``numbers`` maps a name to a :class:`Quantity`.

    Names in use: ``peak_flops`` (FLOP/s, FMA in registers), ``nominal_flops`` (FLOP/s, as the device declares), ``bandwidth`` (B/s, triad),
    ``bandwidth_l1``, ``bandwidth_l2``, ``bandwidth_l3`` (B/s), ``cache_l1``, ``cache_l2``, ``cache_l3`` (B),
    ``call_overhead`` (s), ``cores`` (1), and where a record knows them ``alpha``, ``beta`` (1), the paper's overheads.
    """

    vendor: str
    device: str
    driver: str = ""
    numbers: Mapping[str, Quantity] = field(default_factory=dict)

    def number(self, name: str) -> Quantity:
        """The number called ``name``; raises :class:`MissingNumberError` that says what is missing."""
        try:
            return self.numbers[name]
        except KeyError:
            known = ", ".join(sorted(self.numbers)) or "none"
            raise MissingNumberError(f"hardware {self.device!r} has no {name}; known numbers: {known}") from None

    @property
    def peak_flops(self) -> Quantity:
        """Peak rate of fused multiply-adds in registers, FLOP/s."""
        return self.number("peak_flops")

    @property
    def bandwidth(self) -> Quantity:
        """Memory bandwidth, B/s."""
        return self.number("bandwidth")

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies a record: vendor, device, driver."""
        return self.vendor, self.device, self.driver

    @property
    def slug(self) -> str:
        """The key as a file name without ending: lower case, everything but letters, digits and dots as dashes."""
        parts = (re.sub(r"[^a-z0-9.]+", "-", part.lower()).strip("-.") for part in self.key)
        return "--".join(part for part in parts if part) or "unknown"

    def with_numbers(self, **numbers: Quantity) -> Hardware:
        """The same device with these numbers added or replaced."""
        return dataclasses.replace(self, numbers={**self.numbers, **numbers})

    def with_fallback(self, *chain: Hardware) -> Hardware:
        """Fill what this record lacks from ``chain``, nearest first; what is borrowed becomes ``inherited``."""
        numbers = dict(self.numbers)
        for other in chain:
            for name, quantity in other.numbers.items():
                numbers.setdefault(name, quantity.inherited(other.device))
        return dataclasses.replace(self, numbers=numbers)
