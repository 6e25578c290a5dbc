"""Numbers with units as text: ``176 GFLOP/s``, ``1.5 us``, ``48 KiB``; exact both ways."""

from __future__ import annotations

import re
from decimal import Decimal

from perfmodel.errors import InputError

UNITS = ("FLOP/s", "B/s", "FLOP", "B", "Hz", "s", "1")
_DECIMAL = {"p": -12, "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_SMALL = ("p", "n", "u", "m")
_TEXT = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*)")


def _factor(prefix: str, unit: str) -> Decimal | None:
    """What ``prefix`` multiplies ``unit`` by, or None where the two do not go together."""
    if prefix in _BINARY and unit in ("B", "B/s"):
        return Decimal(_BINARY[prefix])
    if prefix not in _DECIMAL or (unit == "1" and prefix):
        return None
    # Only seconds come in small parts; "mFLOP/s" is a slip for MFLOP/s, "ks" is nobody's unit.
    if prefix and (unit == "s") != (prefix in _SMALL):
        return None
    return Decimal(1).scaleb(_DECIMAL[prefix])


def parse_quantity(text: str | float, field: str = "value") -> tuple[float, str]:
    """Read ``text`` as (value in the base unit, base unit), e.g. ``"5 us"`` -> ``(5e-06, "s")``.

    A bare number has the unit ``"1"``. Raises :class:`InputError` naming ``field`` for anything else.
    """
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise InputError(f"{field} is {text!r}; allowed: a number with a unit, such as 176 GFLOP/s")
    match = _TEXT.fullmatch(str(text).strip().replace("µ", "u"))
    if not match:
        raise InputError(f"{field} is {text!r}; allowed: a finite number with a unit, such as 176 GFLOP/s")
    symbol = match[2].strip() or "1"
    for unit in UNITS:
        if symbol.endswith(unit) and (factor := _factor(symbol[: -len(unit)], unit)) is not None:
            return _base_value(match[1], factor, field, text), unit
    allowed = f"{', '.join(UNITS[:-1])} with a prefix: p n u m for s, k M G T P or (bytes) Ki Mi Gi Ti for the rest"
    raise InputError(f"{field} is {text!r} with the unknown unit {symbol!r}; allowed: {allowed}")


def _base_value(digits: str, factor: Decimal, field: str, text: str | float) -> float:
    try:
        return float(Decimal(digits) * factor)
    except ArithmeticError:  # an exponent beyond Decimal's own
        raise InputError(f"{field} is {text!r}; allowed: a finite number with a unit, such as 176 GFLOP/s") from None


def format_quantity(value: float, unit: str) -> str:
    """Write ``value`` (in ``unit``) with the prefix that leaves 1 to 999 in front; :func:`parse_quantity` reads it back exactly."""
    number = Decimal(repr(float(value)))
    if unit == "1" or not number:
        return f"{_plain(number)} {unit}".removesuffix(" 1")
    prefixes = [(p, e) for p, e in _DECIMAL.items() if _factor(p, unit) is not None]
    fitting = [(p, e) for p, e in prefixes if abs(number) >= Decimal(1).scaleb(e)]
    prefix, exponent = fitting[-1] if fitting else prefixes[0]
    return f"{_plain(number.scaleb(-exponent))} {prefix}{unit}"


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
