"""Hardware records as YAML with units: read, checked, written atomically, found by name."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perfmodel.errors import InputError
from perfmodel.hardware import PROVENANCES, Hardware, Quantity
from perfmodel.units import format_quantity, parse_quantity

SCHEMA = 1
DATA = Path(__file__).parent / "data"
_TOP = ("schema", "vendor", "device", "driver", "numbers")
_ENTRY = ("value", "provenance", "date", "spread", "mistrusted", "source")


def shipped_hardware() -> tuple[str, ...]:
    """Names of the records that come with the package."""
    return tuple(sorted(path.stem for path in DATA.glob("*.yaml")))


def load_hardware(name: str | os.PathLike[str]) -> Hardware:
    """Read a record: the name of a shipped one, or a path to a YAML file.

    Raises :class:`InputError` for an unknown name (with what exists) and for a file that cannot be read.
    """
    text = os.fspath(name)
    if text in shipped_hardware():
        return _read(DATA / f"{text}.yaml")
    path = Path(text)
    if path.is_file():
        return _read(path)
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1 or path.is_dir():
        raise InputError(f"hardware file {text!r} is not there or not a file; allowed: a path to a YAML file, or {_choices()}")
    near = difflib.get_close_matches(text.lower(), shipped_hardware(), n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError(f"hardware {text!r} is unknown; allowed: {_choices()}, or a path to a YAML file{hint}")


def save_hardware(hardware: Hardware, path: str | os.PathLike[str]) -> Path:
    """Write a record to ``path`` through a temporary file beside it, making folders as needed; returns the path."""
    import yaml

    numbers = {name: _entry(quantity) for name, quantity in hardware.numbers.items()}
    record = {"schema": SCHEMA, "vendor": hardware.vendor, "device": hardware.device, "driver": hardware.driver, "numbers": numbers}
    text = yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=140, default_flow_style=None)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def find_hardware(folder: str | os.PathLike[str], vendor: str, device: str, driver: str = "") -> Hardware | None:
    """The record in ``folder`` for this key, filled up from records of the same device under other drivers; None if none fits."""
    wanted = Hardware(vendor, device, driver)
    records = [_read(path) for path in sorted(Path(folder).glob("*.yaml"))]
    same_device = [r for r in records if r.key[:2] == wanted.key[:2]]
    exact = [r for r in same_device if r.key == wanted.key]
    if not same_device:
        return None
    start = exact[0] if exact else wanted
    return start.with_fallback(*(r for r in same_device if r.key != wanted.key))


def _choices() -> str:
    return ", ".join(shipped_hardware())


def _entry(quantity: Quantity) -> dict[str, Any]:
    entry: dict[str, Any] = {"value": format_quantity(quantity, quantity.unit), "provenance": quantity.provenance}
    optional = {key: getattr(quantity, key) for key in ("date", "spread", "mistrusted", "source")}
    return entry | {key: value for key, value in optional.items() if value}


def _read(path: Path) -> Hardware:
    import yaml

    try:
        record = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, ValueError, RecursionError) as error:  # ValueError: bytes, or a date that does not exist
        raise InputError(f"hardware file {str(path)!r} cannot be read: {' '.join(str(error).split())}") from None
    try:
        return _from_record(record)
    except InputError as error:
        raise InputError(f"hardware file {str(path)!r}: {error}") from None


def _from_record(record: Any) -> Hardware:
    _check_keys("the file", record, _TOP, ("schema", "vendor", "device", "numbers"))
    if record["schema"] != SCHEMA:
        raise InputError(f"schema is {record['schema']!r}; allowed: {SCHEMA}")
    texts = {key: record.get(key) or "" for key in ("vendor", "device", "driver")}
    for key, text in texts.items():
        if not isinstance(text, str):
            raise InputError(f"{key} is {text!r}; allowed: text")
    _check_keys("numbers", record["numbers"], None, ())
    return Hardware(**texts, numbers={str(name): _quantity(str(name), entry) for name, entry in record["numbers"].items()})


def _quantity(name: str, entry: Any) -> Quantity:
    _check_keys(name, entry, _ENTRY, ("value", "provenance"))
    value, unit = parse_quantity(entry["value"], f"{name}.value")
    if (wanted := expected_unit(name)) and unit != wanted:
        raise InputError(f"{name}.value is {entry['value']!r}, in {unit}; allowed: a value in {wanted}")
    if value < 0 or not math.isfinite(value) or (value == 0 and not name.endswith("overhead")):
        raise InputError(f"{name}.value is {entry['value']!r}; allowed: a positive number")
    if entry["provenance"] not in PROVENANCES:
        raise InputError(f"{name}.provenance is {entry['provenance']!r}; allowed: {', '.join(PROVENANCES)}")
    spread = entry.get("spread", 0.0)
    if isinstance(spread, bool) or not isinstance(spread, int | float) or not 0 <= spread < math.inf:
        raise InputError(f"{name}.spread is {spread!r}; allowed: a relative spread, 0 or more")
    texts = (str(entry.get(key) or "") for key in ("date", "mistrusted", "source"))
    date, mistrusted, source = texts
    return Quantity(value, unit, entry["provenance"], date, float(spread), mistrusted, source)


def expected_unit(name: str) -> str:
    """The unit that a number's name promises, or an empty text for names that promise none."""
    if name.endswith("flops"):
        return "FLOP/s"
    if name.startswith("bandwidth"):
        return "B/s"
    if name.endswith("overhead"):
        return "s"
    if name.startswith("cache_"):
        return "B"
    return "1" if name in ("cores", "alpha", "beta") else ""


def _check_keys(field: str, found: Any, allowed: tuple[str, ...] | None, needed: tuple[str, ...]) -> None:
    if not isinstance(found, Mapping):
        raise InputError(f"{field} is {found!r}; allowed: a mapping")
    for key in needed:
        if key not in found:
            raise InputError(f"{field} lacks {key!r}")
    for key in found if allowed else ():
        if key not in (allowed or ()):
            raise InputError(f"{field} has the unknown key {key!r}; allowed: {', '.join(allowed or ())}")
