"""The kernels' variants and tuning parameters, declared once, and the rule that picks among them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.contract import InputError


@dataclass(frozen=True)
class Variant:
    """A way to run the row-block kernels: ``width`` pixels a vector, ``group`` work-items side by side.

    ``pixels`` are the vectors that a work-item may hold, ``heights`` the output channels that share its loads.
    ``channels``: input channels staged in local memory at a time, 0 for none.
    """

    name: str
    width: int
    group: int
    pixels: tuple[int, ...]
    heights: tuple[int, ...]
    on_cpu: bool
    summary: str


VARIANTS = {
    v.name: v
    for v in (
        Variant("vector16", 16, 1, (1, 2, 3, 4, 6, 8, 12), (1, 2, 4, 6), True, "float16 vectors in one work-item"),
        Variant("vector8", 8, 1, (1, 2, 3, 4, 6, 8, 12, 16), (1, 2, 4, 6), True, "float8 vectors in one work-item"),
        Variant("vector4", 4, 1, (1, 2, 4, 8), (1, 2, 4), True, "float4 vectors in one work-item"),
        Variant("item32", 1, 32, (1, 2, 4, 8), (1, 2, 4, 8), False, "one pixel a lane, 32 work-items side by side"),
        Variant("item128", 1, 128, (1, 2, 4, 8), (1, 2, 4, 8), False, "one pixel a lane, 128 work-items side by side"),
    )
}


@dataclass(frozen=True)
class Choice:
    """A variant with its tuning parameters set."""

    variant: Variant
    pixels: int
    height: int

    @property
    def tile(self) -> int:
        """Pixels of one work-group."""
        return self.variant.width * self.variant.group * self.pixels

    def defines(self, shared_offsets: bool) -> dict[str, int]:
        """Preprocessor constants of rows.cl."""
        v = self.variant
        return {"WIDTH": v.width, "GROUP": v.group, "PIXELS": self.pixels, "HEIGHT": self.height, "SHARED_OFFSETS": int(shared_offsets)}

    def __str__(self) -> str:
        return f"{self.variant.name}, {self.pixels} vectors x {self.height} channels a work-item"


@dataclass(frozen=True)
class Machine:
    """What the rule knows of a device: ``lanes`` of its vector unit, registers of that width, compute units, kind."""

    lanes: int
    units: int
    is_cpu: bool

    @property
    def registers(self) -> int:
        """Vector registers of a CPU (32 with AVX-512); the budget of scalars a work-item on a GPU."""
        return (32 if self.lanes >= 16 else 16) if self.is_cpu else 64


def candidates(machine: Machine, wanted: str = "", pixels: int | None = None, height: int | None = None) -> Iterator[Choice]:
    """Every choice that fits the machine's registers; ``wanted`` and the parameters narrow it, unfit or not."""
    if wanted and wanted not in VARIANTS:
        raise InputError(f"variant is {wanted!r}; allowed: {', '.join(VARIANTS)}")
    if wanted and machine.is_cpu and VARIANTS[wanted].width > machine.lanes:
        raise InputError(f"variant is {wanted!r}; allowed on this device: vectors of at most {machine.lanes} floats")
    for v in VARIANTS.values():
        fits = v.name == wanted if wanted else v.on_cpu == machine.is_cpu and v.width in (1, machine.lanes)
        for p, h in itertools.product(v.pixels, v.heights):
            needed = p * (h + 1) * max(1, v.width // machine.lanes) + 1
            given = pixels in (None, p) and height in (None, h)
            if fits and given and (needed <= machine.registers or pixels or height):
                yield Choice(v, p, h)


def cost(choice: Choice, machine: Machine, positions: int, blocks: int, columns: int, aligned: bool) -> float:
    """Estimated cycles of one compute unit; only the order matters.

    A column costs its loads (two cycles a vector that crosses a cache line) or its multiply-adds, whichever is more,
    and the broadcast of offset and values; a row costs its stores.
    """
    v = choice.variant
    tiles = -(-positions // choice.tile)
    vectors = choice.pixels * max(1.0, v.width / machine.lanes)
    load = vectors * (1.0 if aligned else 2.0)
    column = max(load + 0.5 * (1 + choice.height), vectors * choice.height) + 1.0
    work = tiles * (columns * column + blocks * choice.height * vectors * 4.0)
    if machine.is_cpu:
        return work
    groups_wanted = machine.units * 2048 / v.group  # below this a GPU cannot hide its latencies
    return work * max(1.0, groups_wanted / (tiles * blocks)) * v.group


def pick(choices: list[Choice], price: Callable[[Choice], float]) -> Choice:
    """The cheapest; raises :class:`InputError` when nothing is left to choose from."""
    if not choices:
        allowed = "; ".join(f"{v.name}: pixels {v.pixels}, height {v.heights}" for v in VARIANTS.values())
        raise InputError(f"no variant has these tuning parameters; allowed: {allowed}")
    return min(choices, key=price)
