"""One hardware record a machine and thread count, kept in the user's cache folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from backends.host.calibrate import calibrate, driver
from backends.host.machine import this_machine
from perfmodel.errors import InputError
from perfmodel.hardware import Hardware
from perfmodel.hardware_file import load_hardware, save_hardware


def stored_hardware(threads: int, anew: bool = False) -> Hardware:
    """This machine's record: from the cache folder unless ``anew``, else measured now (a notice on stderr) and stored."""
    machine = this_machine()
    key = Hardware(machine.vendor, machine.model, driver(machine, threads))
    return stored_record(key, f"{machine.model} with {threads} thread{'s' if threads > 1 else ''}", lambda: calibrate(threads), anew)


def stored_record(key: Hardware, subject: str, measure: Callable[[], Hardware], anew: bool = False) -> Hardware:
    """The record of the device that ``key`` names: from the cache folder unless ``anew``, else measured, with a notice, and stored."""
    path = record_path(key)
    if path.is_file() and not anew:
        try:
            return load_hardware(path)
        except InputError as error:
            _notice(f"{error}; measuring again")
    _notice(f"measuring {subject} once, a few seconds")
    hardware = measure()
    try:
        save_hardware(hardware, path)
    except OSError as error:
        _notice(f"the hardware record cannot be stored ({error}); the next run measures again")
    return hardware


def record_path(hardware: Hardware) -> Path:
    """Where a record is kept: ``$XDG_CACHE_HOME`` (else ``~/.cache``) ``/breakeven/hardware/<vendor--device--driver>.yaml``."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "breakeven" / "hardware" / f"{hardware.slug}.yaml"


def _notice(text: str) -> None:
    print(f"notice: {text}", file=sys.stderr, flush=True)
