"""The kernels' variants and tuning parameters, declared once, and the rule that picks among them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.contract import InputError

_STAGED_BYTES = 48 * 1024  # what a work-group may have on every GPU of today


@dataclass(frozen=True)
class Variant:
    """A way to run the row-block kernels: ``width`` pixels a vector, ``group`` work-items side by side.

    ``pixels`` are the vectors that a work-item may hold, ``heights`` the output channels that share its loads.
    ``sides`` above 0: input staged in local memory, ``sides`` x height rows of their own a work-group (staged.cl).
    """

    name: str
    width: int
    group: int
    pixels: tuple[int, ...]
    heights: tuple[int, ...]
    on_cpu: bool
    summary: str
    sides: int = 0


VARIANTS = {
    v.name: v
    for v in (
        Variant("vector16", 16, 1, tuple(range(1, 15)), (1, 2, 4, 6), True, "float16 vectors in one work-item"),
        Variant("vector8", 8, 1, tuple(range(1, 13)), (1, 2, 4, 6), True, "float8 vectors in one work-item"),
        Variant("vector4", 4, 1, (1, 2, 4, 8), (1, 2, 4), True, "float4 vectors in one work-item"),
        Variant("item32", 1, 32, (1, 2, 4, 8), (1, 2, 4, 8), False, "one pixel a lane, 32 work-items side by side"),
        Variant("item128", 1, 128, (1, 2, 4, 8), (1, 2, 4, 8), False, "one pixel a lane, 128 work-items side by side"),
        Variant("staged64", 1, 64, (1, 2, 4, 8), (1, 2, 4, 8), False, "input staged in local memory, 64 x 4 work-items", 4),
        Variant("staged128", 1, 128, (1, 2, 4), (1, 2, 4, 8), False, "input staged in local memory, 128 x 2 work-items", 2),
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

    def defines(self, shared_offsets: bool = False) -> dict[str, int]:
        """Preprocessor constants of rows.cl, or of staged.cl."""
        v = self.variant
        if v.sides:
            return {"GROUP": v.group, "SIDES": v.sides, "PIXELS": self.pixels, "HEIGHT": self.height}
        return {"WIDTH": v.width, "GROUP": v.group, "PIXELS": self.pixels, "HEIGHT": self.height, "SHARED_OFFSETS": int(shared_offsets)}

    def __str__(self) -> str:
        return f"{self.variant.name}, {self.pixels} vectors x {self.height} channels a work-item"


@dataclass(frozen=True)
class Machine:
    """What the rule knows of a device: ``lanes`` of its vector unit, registers of that width, compute units, kind."""

    lanes: int
    units: int
    is_cpu: bool
    local_bytes: int = 0

    @property
    def registers(self) -> int:
        """Vector registers of a CPU (32 with AVX-512); the budget of scalars a work-item on a GPU."""
        return (32 if self.lanes >= 16 else 16) if self.is_cpu else 64


@dataclass(frozen=True)
class Shape:
    """What the rule knows of the work: ``columns(height)`` of all row blocks of that height, ``rows`` of ``groups`` groups.

    ``aligned``: vectors start at cache lines (the lowered input). ``planes`` of a group and ``reach`` of a tap in
    them are 0 where nothing can be staged in local memory.
    """

    positions: int
    rows: int
    groups: int
    columns: Callable[[int], int]
    aligned: bool = False
    planes: int = 0
    reach: int = 0

    def row_groups(self, height: int) -> int:
        """Blocks of ``height`` rows; the last one of a group may be padded."""
        return self.groups * -(-self.rows // (self.groups * height))


def candidates(machine: Machine, shape: Shape, wanted: str = "", pixels: int | None = None, height: int | None = None) -> Iterator[Choice]:
    """Every choice that fits the machine and the work; ``wanted`` and the parameters narrow it.

    Raises :class:`InputError` for a variant that is unknown or impossible here.
    """
    if wanted and wanted not in VARIANTS:
        raise InputError(f"variant is {wanted!r}; allowed: {', '.join(VARIANTS)}")
    if wanted and machine.is_cpu and VARIANTS[wanted].width > machine.lanes:
        raise InputError(f"variant is {wanted!r}; allowed on this device: vectors of at most {machine.lanes} floats")
    if wanted and VARIANTS[wanted].sides and not shape.planes:
        raise InputError(f"variant is {wanted!r}; allowed for a dense kernel: the vector and item variants")
    for v in VARIANTS.values():
        fits = v.name == wanted if wanted else v.on_cpu == machine.is_cpu and v.width in (1, machine.lanes)
        for p, h in itertools.product(v.pixels, v.heights):
            choice = Choice(v, p, h)
            given = pixels in (None, p) and height in (None, h)
            spacious = p * (h + 1) * max(1, v.width // machine.lanes) < machine.registers or pixels or height
            if fits and given and spacious and (not v.sides or staged_planes(choice, machine, shape)):
                yield choice


def staged_planes(choice: Choice, machine: Machine, shape: Shape) -> int:
    """Planes that local memory holds at a time: half of it, so that two work-groups share a compute unit; 0 if not one fits."""
    budget = min(machine.local_bytes, _STAGED_BYTES) // 2
    return min(shape.planes, budget // (4 * (choice.tile + shape.reach)))


def cost(choice: Choice, machine: Machine, shape: Shape) -> float:
    """Estimated cycles; only the order matters."""
    return _cpu_cost(choice, machine, shape) if machine.is_cpu else _gpu_cost(choice, machine, shape)


def _cpu_cost(choice: Choice, machine: Machine, shape: Shape) -> float:
    """A column costs its loads (two cycles a vector that crosses a cache line) or its multiply-adds, whichever is more.

    To this come the broadcasts of offset and values, and the stores of a row.
    """
    tiles = -(-shape.positions // choice.tile)
    vectors = choice.pixels * max(1.0, choice.variant.width / machine.lanes)
    load = vectors * (1.0 if shape.aligned else 2.0)
    column = max(load + 0.5 * (1 + choice.height), vectors * choice.height) + 1.0
    return tiles * (shape.columns(choice.height) * column + shape.row_groups(choice.height) * choice.height * vectors * 4.0)


def _gpu_cost(choice: Choice, machine: Machine, shape: Shape) -> float:
    """Cycles of one compute unit that loads 32 lanes and multiplies 128 a cycle, for the slowest unit's share of the work.

    Loads of planes through the cache count half as much again as reads of local memory, because some miss.
    """
    v, p, h = choice.variant, choice.pixels, choice.height
    tiles = -(-shape.positions // choice.tile)
    warps = max(1, v.sides) * v.group / 32
    if v.sides:
        blocks = shape.row_groups(h * v.sides)
        halo = (choice.tile + shape.reach) * shape.planes / 32
        one = shape.columns(1) / (blocks * v.sides) * (p + 1.5) * warps + halo * 2.5
    else:
        blocks = shape.row_groups(h)
        values = h / 4 if h % 4 == 0 else h
        one = shape.columns(h) / blocks * (max(1.5 * p + 1 + values, p * h / 4) + 0.5) * warps
    waves = max(1.0, tiles * blocks * warps / (machine.units * 32))  # a unit hides its latencies from about 32 warps on
    return one / warps * 32 * waves


def pick(choices: list[Choice], price: Callable[[Choice], float]) -> Choice:
    """The cheapest; raises :class:`InputError` when nothing is left to choose from."""
    if not choices:
        allowed = "; ".join(f"{v.name}: pixels {v.pixels}, height {v.heights}" for v in VARIANTS.values())
        raise InputError(f"no variant has these tuning parameters; allowed: {allowed}")
    return min(choices, key=price)
