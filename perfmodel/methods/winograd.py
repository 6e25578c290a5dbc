"""Winograd convolution F(m x m, 3 x 3): transformed tiles, one small matrix product for each of their points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from perfmodel.errors import InputError
from perfmodel.hardware import Hardware
from perfmodel.kernel import KernelParameters
from perfmodel.methods.base import FLOAT, MethodModel, activation_bytes, byte_cost, call_cost
from perfmodel.problem import Problem

# Additions and multiplications of one tile's input and output transforms (Lavin and Gray, "Fast Algorithms for
# Convolutional Neural Networks", CVPR 2016, sec. 4.1: F(2,3) 32 and 24, F(4,3) 156 and 90).
_TRANSFORM = {2: (32, 24), 4: (156, 90)}


# Multiply-adds that bringing one transformed weight into a product costs, and FLOP of a product that one of a transform costs:
# as measured with 1 to 784 tiles on layers of 64 to 512 channels.
_WEIGHT_COST, _TRANSFORM_COST = 30, 4

# Tiles go through the products in blocks whose transforms fit L2, yet not in fewer than this; channels fill whole vectors, and a product
# takes four tiles at a time.
_BLOCK_BYTES, _LEAST_TILES, _LANES, _TILES_AT_ONCE = 1024 * 1024, 56, 16, 4
# Transformed weights and twice the transforms of a block: beyond the first size weights begin to leave the last-level cache between
# two readings, beyond the second they are gone (614 problems of 64 to 512 channels, 9 to 324 tiles).
_KEPT_BYTES, _LOST_BYTES = 4 * 1024 * 1024, 16 * 1024 * 1024


def tile_work(problem: Problem, m: int) -> float:
    """Work of F(m x m, 3 x 3) on ``problem`` in FLOP of its products: products, weights and transforms."""
    p, (into, out) = problem, _TRANSFORM[m]
    tiles, points = _tiles(p, m), (m + 2) ** 2
    return 2.0 * points * p.oc * p.ic / p.g * (tiles + _WEIGHT_COST) + _TRANSFORM_COST * tiles * (into * p.ic + out * p.oc)


def _padded(channels: int) -> int:
    return -(-channels // _LANES) * _LANES


def _fours(tiles: int) -> int:
    return -(-tiles // _TILES_AT_ONCE) * _TILES_AT_ONCE


def _tiles(problem: Problem, m: int) -> int:
    return problem.mb * -(-problem.oh // m) * -(-problem.ow // m)


def _block(problem: Problem, m: int, tile_bytes: float) -> int:
    """Tiles that go through the products together: rows of tiles, over all images, in blocks of about equal size."""
    across = -(-problem.ow // m)
    down = _tiles(problem, m) // across
    rows = min(max(int(_BLOCK_BYTES // tile_bytes) // across, -(-_LEAST_TILES // across)), down)
    return across * -(-down // round(down / rows))


def best_tile(problem: Problem) -> int:
    """The tile, 2 or 4, with the least work; 4 divides the products by 4 instead of 2.25, 2 suits few pixels and has fewer weights."""
    return min(_TRANSFORM, key=lambda m: tile_work(problem, m))


class Winograd(MethodModel):
    """F(2,3) or F(4,3) for 3x3 kernels of stride 1 without dilation; dense, or with zeros in the Winograd domain.

    A tile of m x m outputs takes (m+2)^2 points, so the products shrink by 9 m^2 / (m+2)^2: 2.25 or 4. The weights'
    transform happens once in ``prepare`` and is not counted. With ``sparse``, ``density`` is that of the *transformed*
    weights: zeros of the plain weights do not survive the transform. Without ``m`` each problem gets its :func:`best_tile`.

    ``multiply``: FLOP of the products, whole vectors of output channels and fours of tiles; ``transform``: FLOP of input and output
    transforms; ``tiles``: bytes of transformed tiles written and read; ``tiles_far``: those of blocks that outgrow L2; ``weights``:
    bytes of transformed weights, read once a block of tiles; ``weights_far``: the share of them that left the last-level cache
    meanwhile; ``narrow``: transformed inputs that products with fewer columns than a vector take, which run as long as with three vectors
    (MKL, measured); ``activations``: bytes of input and output; ``call``: 1.
    """

    method = "winograd"
    kinds: ClassVar[Mapping[str, str]] = {
        "multiply": "compute",
        "transform": "compute",
        "tiles": "bandwidth",
        "tiles_far": "bandwidth",
        "weights": "bandwidth",
        "weights_far": "bandwidth",
        "narrow": "compute",
        "activations": "bandwidth",
        "call": "overhead",
    }

    def __init__(self, m: int | None = 2, sparse: bool = False) -> None:
        """Choose the tile; raises :class:`InputError` for another one than 2, 4 or None."""
        if m is not None and m not in _TRANSFORM:
            raise InputError(f"m is {m!r}; allowed: 2, 4, or None for the better one")
        self.m, self.sparse = m, sparse

    def check(self, problem: Problem) -> None:
        """Raise :class:`InputError` for a problem that this method cannot do."""
        p = problem
        if (p.kh, p.kw, p.sh, p.sw, p.dh, p.dw) != (3, 3, 1, 1, 0, 0):
            raise InputError(f"problem {p} is not 3x3 of stride 1 without dilation; winograd does no other")

    def flops(self, problem: Problem, density: float) -> float:
        """Products and transforms; raises :class:`InputError` for a problem it does not do."""
        self.check(problem)
        p, m = problem, self.m or best_tile(problem)
        tiles, (into, out) = _tiles(p, m), _TRANSFORM[m]
        products = (density if self.sparse else 1.0) * 2 * (m + 2) ** 2 * p.oc * p.ic / p.g
        return tiles * (products + into * p.ic + out * p.oc)

    def traffic(self, problem: Problem, density: float) -> dict[str, float]:
        """Operands and transformed weights from memory; transformed tiles through L2."""
        terms = self.terms(problem, density, KernelParameters())
        return {"memory": terms["activations"] + terms["weights"], "l2": terms["activations"] + terms["tiles"]}

    def terms(self, problem: Problem, density: float, kernel: KernelParameters) -> dict[str, float]:
        """Counts of the terms, as the class describes them."""
        self.check(problem)
        p, m = problem, self.m or best_tile(problem)
        tiles, points, share = _tiles(p, m), float((m + 2) ** 2), density if self.sparse else 1.0
        (into, out), inputs, outputs = _TRANSFORM[m], _padded(p.ic // p.g), _padded(p.oc // p.g)
        tile = FLOAT * points * (inputs + outputs)  # bytes of one group's tile, in and out
        block = _block(p, m, tile)
        full, rest = divmod(tiles, block)
        blocks, transforms = full + (rest > 0), 2.0 * tiles * p.g * tile
        weights = share * (2 if self.sparse else 1) * FLOAT * points * p.ic * outputs
        lost = (weights + 2 * block * tile - _KEPT_BYTES) / (_LOST_BYTES - _KEPT_BYTES)
        return {
            "multiply": share * 2 * points * p.ic * outputs * (full * _fours(block) + _fours(rest)),
            "transform": float(tiles * p.g * (into * inputs + out * outputs)),
            "tiles": transforms,
            "tiles_far": transforms * min(1.0, max(0.0, block * tile / _BLOCK_BYTES - 1.0)),
            "weights": weights * blocks,
            "weights_far": weights * blocks * min(1.0, max(0.0, lost)),
            "narrow": points * tiles * p.ic * (p.oc // p.g < _LANES),
            "activations": sum(activation_bytes(p)),
            "call": 1.0,
        }

    def first_costs(self, hardware: Hardware, kernel: KernelParameters) -> dict[str, float]:
        """Costs from first principles."""
        alpha = kernel.alpha if kernel.alpha is not None else (2.0 if self.sparse else 1.25)
        return {
            "multiply": alpha,
            "transform": 2.0,
            "tiles": byte_cost(hardware, "l2"),
            "tiles_far": byte_cost(hardware, "l3"),
            "weights": byte_cost(hardware, "l3"),
            "weights_far": byte_cost(hardware, "memory"),
            "narrow": 4.0 * _LANES,
            "activations": byte_cost(hardware, "l3"),
            "call": call_cost(hardware),
        }
