"""What the performance model knows of a machine: a few numbers, each with where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

from perfmodel.errors import MissingNumberError

Provenance = Literal["declared", "measured", "inherited"]


class Quantity(float):
    """A number that remembers its unit, provenance, date and spread; behaves as a float.

    ``spread`` is the relative inter-quartile range of the measurement (0 when declared).
    ``mistrusted`` holds the reason why the value is implausible, or is empty.
    """

    unit: str
    provenance: Provenance
    date: str
    spread: float
    mistrusted: str

    def __new__(
        cls, value: float, unit: str, provenance: Provenance = "declared", date: str = "", spread: float = 0.0, mistrusted: str = ""
    ) -> Self:
        """Make a quantity of ``value`` in ``unit``."""
        self = super().__new__(cls, value)
        self.unit, self.provenance, self.date = unit, provenance, date
        self.spread, self.mistrusted = spread, mistrusted
        return self

    def __getnewargs__(self) -> tuple[float, str, Provenance, str, float, str]:  # type: ignore[override]
        return (float(self), self.unit, self.provenance, self.date, self.spread, self.mistrusted)

    @property
    def value(self) -> float:
        """The bare number."""
        return float(self)


@dataclass(frozen=True)
class Hardware:
    """One device as the model sees it; ``numbers`` maps a name to a :class:`Quantity`.

    Names in use: ``peak_flops`` (FLOP/s, FMA in registers), ``bandwidth`` (B/s, memory triad),
    ``bandwidth_l1``, ``bandwidth_l2``, ``bandwidth_l3`` (B/s), ``call_overhead`` (s), ``cores`` (1).
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
