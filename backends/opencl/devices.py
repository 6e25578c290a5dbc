"""One flat list of OpenCL devices, and the choice among them by type or name, never by platform number."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from backends.opencl.bootstrap import HINTS, ensure_runtimes, missing_runtime
from harness.contract import InputError

KINDS = ("gpu", "accelerator", "cpu", "custom")  # in order of preference


class Quirks(NamedTuple):
    """What sets a platform apart.

    ``called``: what people call it; ``fused``: fma() is one instruction; ``widest``: vector that its compiler handles;
    ``parses_again``: what it keeps on disk are half-built programs, so we keep binaries.
    """

    called: str = ""
    fused: bool = True
    widest: int = 16
    parses_again: bool = False


# PoCL's pip build (3.0, LLVM 14) emulates fma() in software, does not come back from compiling loops over float16, and takes
# 50 ms to find a program in its own cache, since it runs the preprocessor first; pyopencl keeps no binaries of it.
QUIRKS = {"Portable Computing Language": Quirks("PoCL", False, 8, True)}
_AS_FAST = 0.9  # rates closer than this are noise


@dataclass(frozen=True)
class Device:
    """An OpenCL device as the list shows it; ``handle`` is pyopencl's object."""

    name: str
    kind: str
    platform: str
    driver: str
    compute_units: int
    vendor: str = ""
    handle: Any = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        units = f"{self.compute_units} compute unit{'s' * (self.compute_units != 1)}"
        return f"{self.name} ({self.kind}, {units}) by {self.platform}, driver {self.driver}"


def find_devices() -> tuple[Device, ...]:
    """Every device of every platform; raises :class:`BreakevenError` with hints when there is no platform."""
    ensure_runtimes()
    import pyopencl as cl

    try:
        platforms = cl.get_platforms()
    except cl.LogicError as error:
        raise missing_runtime(str(error)) from None
    found = []
    for platform in platforms:
        try:
            handles = platform.get_devices()
        except cl.Error:  # a platform without devices reports an error instead of an empty list
            continue
        found += [_describe(platform, handle) for handle in handles]
    if not found:
        raise missing_runtime(f"{len(platforms)} platforms, none with a device")
    return tuple(found)


def _describe(platform: Any, handle: Any) -> Device:
    import pyopencl as cl

    bits = {"gpu": cl.device_type.GPU, "accelerator": cl.device_type.ACCELERATOR, "cpu": cl.device_type.CPU}
    kind = next((name for name, bit in bits.items() if handle.type & bit), "custom")
    return Device(
        name=" ".join(handle.name.split()),
        kind=kind,
        platform=" ".join(platform.name.split()),
        driver=" ".join(handle.driver_version.split()),
        compute_units=handle.max_compute_units,
        vendor=" ".join(handle.vendor.split()),
        handle=handle,
    )


def choose_device(devices: Sequence[Device], wanted: str, speed: Callable[[Device], float]) -> tuple[Device, str]:
    """The device that ``wanted`` names, with a notice (or "") saying what was chosen over what.

    Raises :class:`InputError` listing the candidates when none matches or two real devices tie.
    ``speed`` is asked only to choose between several runtimes for one CPU.
    """
    matching = _matching(devices, wanted)
    if not matching:
        allowed = f"a type ({', '.join(KINDS)}), part of a name, or # and a number of{_listing(devices)}"
        raise InputError(f"device {wanted!r} matches no OpenCL device; allowed: {allowed}\nOne that is not listed: {HINTS}")
    best = min(KINDS.index(device.kind) for device in matching)
    candidates = [device for device in matching if KINDS.index(device.kind) == best]
    if len(candidates) == 1:
        return candidates[0], ""
    platforms = {(device.platform, device.driver) for device in candidates}
    if candidates[0].kind == "cpu" and len(platforms) == len(candidates):  # runtimes of one CPU, not several CPUs
        chosen = _fastest(candidates, speed)
        others = "; ".join(f"{d.platform} {speed(d) / 1e9:.0f}" for d in candidates if d is not chosen)
        return chosen, f"OpenCL device: {chosen} ({speed(chosen) / 1e9:.0f} GFLOP/s FMA); other runtimes of this CPU: {others}"
    which = f"device {wanted!r} matches" if wanted else "there are"
    allowed = f"part of one's name, or # and a number of{_listing(devices, candidates)}"
    raise InputError(f"{which} {len(candidates)} OpenCL devices; allowed: {allowed}")


def _fastest(runtimes: Sequence[Device], speed: Callable[[Device], float]) -> Device:
    """The fastest runtime; of those that are as fast, one without quirks, since it also compiles sooner."""
    best = max(map(speed, runtimes))
    return min((d for d in runtimes if speed(d) >= _AS_FAST * best), key=lambda d: (d.platform in QUIRKS, -speed(d)))


def _matching(devices: Sequence[Device], wanted: str) -> list[Device]:
    """Devices that fit every word of ``wanted``: a type, part of the name or platform, or ``#`` and a number."""
    if numbered := re.fullmatch(r"#(\d+)", wanted.strip()):
        return list(devices[int(numbered[1]) : int(numbered[1]) + 1])
    words = wanted.lower().split()
    if words and words[0] not in KINDS and any(wanted.lower() in _names(device) for device in devices):
        words = [wanted.lower()]  # the whole phrase is a name
    return [d for d in devices if all(word == d.kind if word in KINDS else word in _names(d) for word in words)]


def _names(device: Device) -> str:
    called = QUIRKS[device.platform].called if device.platform in QUIRKS else ""
    return f"{device.name} {device.platform} {device.vendor} {called}".lower()


def _listing(devices: Sequence[Device], only: Sequence[Device] | None = None) -> str:
    shown = devices if only is None else only
    return "".join(f"\n  #{number} {device}" for number, device in enumerate(devices) if device in shown) or "\n  (no device at all)"
