"""One hardware record a machine and thread count, kept in the user's cache folder."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path

from backends.host.calibrate import calibrate, driver
from backends.host.machine import this_machine
from perfmodel.hardware import Hardware, Quantity


def stored_hardware(threads: int) -> Hardware:
    """This machine's record: from the cache folder, else measured now (a notice on stderr) and stored."""
    machine = this_machine()
    path = record_path(machine.vendor, machine.model, driver(machine, threads))
    if (known := load(path)) is not None:
        return known
    print(f"notice: measuring {machine.model} with {threads} thread(s) once, a few seconds ...", file=sys.stderr, flush=True)
    hardware = calibrate(threads)
    try:
        save(hardware, path)
    except OSError as error:
        print(f"notice: the hardware record could not be stored ({error}); it will be measured again", file=sys.stderr)
    return hardware


def record_path(vendor: str, device: str, driver: str) -> Path:
    """File of a record: ``$XDG_CACHE_HOME`` (else ``~/.cache``) ``/breakeven/hardware/<vendor-device-driver>.json``."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    key = re.sub(r"[^a-z0-9]+", "-", f"{vendor} {device} {driver}".lower()).strip("-")
    return root / "breakeven" / "hardware" / f"{key}.json"


def save(hardware: Hardware, path: Path) -> None:
    """Write the record whole or not at all."""
    numbers = {
        name: {"value": q.value, "unit": q.unit, "provenance": q.provenance, "date": q.date, "spread": q.spread, "mistrusted": q.mistrusted}
        for name, q in hardware.numbers.items()
    }
    text = json.dumps({"vendor": hardware.vendor, "device": hardware.device, "driver": hardware.driver, "numbers": numbers}, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def load(path: Path) -> Hardware | None:
    """Read a record; None where there is none or it cannot be read."""
    try:
        text = json.loads(path.read_text(encoding="utf-8"))
        numbers = {name: Quantity(**fields) for name, fields in text["numbers"].items()}
        return Hardware(text["vendor"], text["device"], text["driver"], numbers)
    except (OSError, ValueError, KeyError, TypeError):
        return None
