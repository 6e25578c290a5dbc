"""The kernels' variants and tuning parameters, declared once, and the rule that picks among them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from harness.contract import InputError

WIDEST_TILE = 1024  # pixels; no variant's tile is larger
_STAGED_BYTES = 48 * 1024  # what a work-group may have on every GPU of today
_ENTRY_BYTES = 8  # tap and value of one weight
MOST_STATEMENTS = 1 << 16  # scalar multiply-adds of generated source: beyond, compiling takes seconds and the code leaves the caches
_ACCUMULATORS = 128  # scalars that a work-item of a GPU may hold
Kind = Literal["rows", "staged", "cached", "constant", "literal", "tiled"]


@dataclass(frozen=True)
class Variant:
    """A way to run a kernel: ``width`` pixels a vector, ``group`` x ``sides`` work-items a work-group.

    ``pixels`` are the vectors that a work-item may hold, ``heights`` its output channels, ``images`` how many images may lie in a
    vector. ``kind``: rows.cl, for sparse and dense rows; staged.cl, its planes staged in local memory, read through the cache
    (cached), or staged with the weights in constant memory; literal.cl; or for dense rows tiled.cl. Each side has rows of its own.
    """

    name: str
    width: int
    group: int
    pixels: tuple[int, ...]
    heights: tuple[int, ...]
    on_cpu: bool
    summary: str
    kind: Kind = "rows"
    sides: int = 1
    images: tuple[int, ...] = (1,)

    def runs(self, sparse: bool) -> bool:
        """Whether this variant is for sparse (or for dense) weights."""
        return self.kind == "rows" or sparse == (self.kind != "tiled")


_IMAGES, _FEW = (1, 2, 4), (1, 2, 4)
VARIANTS = {
    v.name: v
    for v in (
        Variant("vector16", 16, 1, tuple(range(1, 15)), (1, 2, 4, 6), True, "float16 vectors in one work-item"),
        Variant("vector8", 8, 1, tuple(range(1, 13)), (1, 2, 4, 6), True, "float8 vectors in one work-item"),
        Variant("vector4", 4, 1, (1, 2, 4, 8), (1, 2, 4), True, "float4 vectors in one work-item"),
        Variant("item32", 1, 32, (1, 2, 4, 8), (1, 2, 4, 8), False, "one pixel a lane, 32 work-items side by side"),
        Variant("item128", 1, 128, (1, 2, 4, 8), (1, 2, 4, 8), False, "one pixel a lane, 128 work-items side by side"),
        Variant("staged32", 1, 32, _FEW, (1, 2, 4, 8), False, "input in local memory, 32 lanes x 8 sides", "staged", 8, _IMAGES),
        Variant("staged64", 1, 64, _FEW, (1, 2, 4, 8), False, "input in local memory, 64 lanes x 4 sides", "staged", 4, _IMAGES),
        Variant("staged64x8", 1, 64, _FEW, (1, 2, 4, 8), False, "input in local memory, 64 lanes x 8 sides", "staged", 8, _IMAGES),
        Variant("staged128", 1, 128, _FEW, (2, 4, 8), False, "input in local memory, 128 lanes x 4 sides", "staged", 4, _IMAGES),
        Variant("constant64", 1, 64, _FEW, (1, 2, 4, 8), False, "weights in constant memory, else as staged64", "constant", 4, _IMAGES),
        Variant("cached32", 1, 32, _FEW, (1, 2, 4), False, "input through the cache, 32 lanes x 8 sides", "cached", 8, _IMAGES),
        Variant("cached64", 1, 64, _FEW, (1, 2, 4), False, "input through the cache, 64 lanes x 4 sides", "cached", 4, _IMAGES),
        Variant("literal64", 1, 64, (1, 2), (8, 16, 32), False, "pattern and weights in the source, 64 lanes", "literal", 1, _IMAGES),
        Variant("literal128", 1, 128, (1, 2), (8, 16, 32), False, "pattern and weights in the source, 128 lanes", "literal", 1, _IMAGES),
        Variant("tiled16", 1, 16, (4, 8), (2, 4, 8), False, "both factors in local memory, 16 x 16 work-items", "tiled", 16),
    )
}


@dataclass(frozen=True)
class Choice:
    """A variant with its tuning parameters set."""

    variant: Variant
    pixels: int
    height: int
    images: int = 1

    @property
    def tile(self) -> int:
        """Positions of one work-group."""
        return self.variant.width * self.variant.group * self.pixels

    @property
    def rows(self) -> int:
        """Output channels of one work-group."""
        return self.variant.sides * self.height

    @property
    def sums(self) -> int:
        """Scalars that a work-item holds in registers."""
        return self.variant.width * self.pixels * self.height * self.images

    def defines(self, shared_offsets: bool = False) -> dict[str, int]:
        """Preprocessor constants of the variant's kernel file."""
        v = self.variant
        sizes: dict[str, int] = {"GROUP": v.group, "PIXELS": self.pixels, "HEIGHT": self.height}
        if v.kind == "rows":
            return sizes | {"WIDTH": v.width, "SHARED_OFFSETS": int(shared_offsets)}
        if v.kind == "tiled":
            return sizes | {"SIDES": v.sides}
        if v.kind == "literal":
            return sizes | {"IMAGES": self.images}
        staged, constant = int(v.kind != "cached"), int(v.kind == "constant")
        return sizes | {"SIDES": v.sides, "IMAGES": self.images, "STAGED": staged, "CONSTANT": constant}

    def __str__(self) -> str:
        images = f" of {self.images} images" if self.images > 1 else ""
        return f"{self.variant.name}, {self.pixels} vectors{images} x {self.height} channels a work-item"


@dataclass(frozen=True)
class Machine:
    """What the rule knows of a device: ``lanes`` of its vector unit, registers of that width, compute units, kind, limits."""

    lanes: int
    units: int
    is_cpu: bool
    local_bytes: int = 0
    constant_bytes: int = 0
    group_items: int = 1024

    @property
    def registers(self) -> int:
        """Vector registers of a CPU (32 with AVX-512); the budget of scalars a work-item on a GPU."""
        return (32 if self.lanes >= 16 else 16) if self.is_cpu else 64


@dataclass(frozen=True)
class Shape:
    """What the rule knows of the work: ``columns(height)`` of all row blocks of that height, ``rows`` of ``groups`` groups.

    ``aligned``: vectors start at cache lines (the lowered input). ``planes`` of a group and ``reach`` of a tap in
    them are 0 where nothing can be staged in local memory. ``batch`` images of ``area`` output pixels.
    """

    positions: int
    rows: int
    groups: int
    columns: Callable[[int], int]
    aligned: bool = False
    planes: int = 0
    reach: int = 0
    batch: int = 1
    area: int = 0

    @property
    def sparse(self) -> bool:
        """Whether zeros are left out."""
        return self.planes > 0

    def row_groups(self, height: int) -> int:
        """Blocks of ``height`` rows; the last one of a group may be padded."""
        return self.groups * -(-self.rows // (self.groups * height))

    def tiles(self, choice: Choice) -> int:
        """Work-groups that share the pixels of all images."""
        if choice.variant.kind in ("rows", "tiled"):
            return -(-self.positions // choice.tile)
        return -(-(-(-self.batch // choice.images) * self.area) // choice.tile)


def candidates(machine: Machine, shape: Shape, wanted: str = "", costly: bool = False, **given: int | None) -> Iterator[Choice]:
    """Every choice that fits the machine and the work; ``wanted`` and the ``given`` parameters narrow it.

    ``costly``: also source generated for the pattern. Raises :class:`InputError` for a variant that is unknown or impossible here.
    """
    _check_wanted(machine, shape, wanted)
    for v in VARIANTS.values():
        fits = v.name == wanted if wanted else v.on_cpu == machine.is_cpu and v.width in (1, machine.lanes) and v.runs(shape.sparse)
        if not fits or (v.kind == "literal" and not (wanted or costly)):
            continue
        for pixels, height, images in itertools.product(v.pixels, v.heights, v.images):
            choice, chosen = Choice(v, pixels, height, images), {"pixels": pixels, "height": height, "images": images}
            asked = all(given.get(name) in (None, value) for name, value in chosen.items())
            if asked and _holds(choice, machine, shape, any(given.values())):
                yield choice


def _check_wanted(machine: Machine, shape: Shape, wanted: str) -> None:
    if wanted and wanted not in VARIANTS:
        raise InputError(f"variant is {wanted!r}; allowed: {', '.join(VARIANTS)}")
    if wanted and machine.is_cpu and VARIANTS[wanted].width > machine.lanes:
        raise InputError(f"variant is {wanted!r}; allowed on this device: vectors of at most {machine.lanes} floats")
    if wanted and not VARIANTS[wanted].runs(shape.sparse):
        allowed = ", ".join(v.name for v in VARIANTS.values() if v.runs(shape.sparse))
        raise InputError(f"variant is {wanted!r}; allowed for a {'sparse' if shape.sparse else 'dense'} kernel: {allowed}")


def _holds(choice: Choice, machine: Machine, shape: Shape, forced: bool) -> bool:
    """Whether registers (unless the parameters are ``forced``), memories and work-group suffice, and few lanes of a vector idle."""
    v, p, h = choice.variant, choice.pixels, choice.height
    if v.sides * v.group > machine.group_items or (choice.images > 1 and not forced and choice.images >= 2 * shape.batch):
        return False
    if v.kind == "rows":
        return forced or p * (h + 1) * max(1, v.width // machine.lanes) < machine.registers
    nonzeros = shape.columns(1)
    if v.kind == "constant" and _ENTRY_BYTES * (nonzeros + 1) > machine.constant_bytes:
        return False
    if v.kind == "literal" and nonzeros * p * choice.images > MOST_STATEMENTS:
        return False
    if v.kind in ("staged", "constant") and not staged_planes(choice, machine, shape):
        return False
    return forced or p * h * choice.images <= _ACCUMULATORS


def staged_planes(choice: Choice, machine: Machine, shape: Shape, span: int = 0) -> int:
    """Planes that local memory holds at a time; 0 if not one fits. ``span``: vectors of a window, where it is known."""
    wide = span or round(1.3 * choice.tile) + 2 * shape.reach
    return min(shape.planes, min(machine.local_bytes, _STAGED_BYTES) // (4 * choice.images * wide))


def cpu_cost(choice: Choice, machine: Machine, shape: Shape) -> float:
    """A column costs its loads (two cycles a vector that crosses a cache line) or its multiply-adds, whichever is more.

    To this come the broadcasts of offset and values, and the stores of a row.
    """
    tiles = -(-shape.positions // choice.tile)
    vectors = choice.pixels * max(1.0, choice.variant.width / machine.lanes)
    load = vectors * (1.0 if shape.aligned else 2.0)
    column = max(load + 0.5 * (1 + choice.height), vectors * choice.height) + 1.0
    return tiles * (shape.columns(choice.height) * column + shape.row_groups(choice.height) * choice.height * vectors * 4.0)


def pick(choices: list[Choice], price: Callable[[Choice], float]) -> Choice:
    """The cheapest; raises :class:`InputError` when nothing is left to choose from."""
    if not choices:
        allowed = "; ".join(f"{v.name}: pixels {v.pixels}, height {v.heights}, images {v.images}" for v in VARIANTS.values())
        raise InputError(f"no variant has these tuning parameters; allowed: {allowed}")
    return min(choices, key=price)
