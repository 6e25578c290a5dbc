"""Direct sparse convolution by machine code written for one pattern of non-zeros."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from perfmodel.hardware import Hardware
from perfmodel.kernel import KernelParameters
from perfmodel.methods.base import FLOAT, MethodModel, activation_bytes, byte_cost, call_cost
from perfmodel.problem import Problem
from perfmodel.strips import CODE_BYTES, LANES, Frame, Strips, collapsed, frame, strips

# What of L1 (data, instructions) and L2 a loop can count on.
_NEAR_INPUTS, _NEAR_CODE, _NEAR_WEIGHTS = 24 * 1024, 28 * 1024, 640 * 1024
# Activations of one call: beyond the first size they leave L2, beyond the second a last-level cache that others use too. Input comes
# round once a call, after everything else of it: of twice that size nothing is still there.
_NEAR_BYTES, _SHARED_BYTES = 512 * 1024, 6 * 1024 * 1024
# Code and values begin to leave the last-level cache between two calls at the first size, and are gone at the second (random problems with
# 8 to 31 MB of them, on 32 MiB that are shared with other data and other machines).
_KEPT_CODE, _LOST_CODE = 10 * 1024 * 1024, 20 * 1024 * 1024
_VECTOR = FLOAT * LANES


class GeneratedSparse(MethodModel):
    """Terms of written-out code: every value is broadcast by its own multiply-add (layout: :mod:`perfmodel.strips`).

    ``multiply``: FLOP of full vectors, lanes that are no outputs counted; ``shift``: input vectors made, one for each tap that some channel
    of a block uses; ``load``: lines read for that; ``far``: those of them from beyond L1; ``code``: bytes of code and values run from
    beyond L1; ``stream``: those from beyond L2; ``stream_far``: those from memory, once a strip; ``sums``: bytes of sums saved and loaded
    between parts; ``pack``: bytes of input packed; ``piece``: rows packed; ``gather``: floats picked at a stride; ``finish``: vectors of
    outputs squeezed and stored; ``block``: calls of a block's code; ``read``, ``write``, ``write_far``: bytes of input and of output beyond
    L2, and beyond 6 MiB; ``read_far``: those of the input that left the last-level cache since the call before; ``call``: 1.
    """

    method = "direct_sparse"
    kinds: ClassVar[Mapping[str, str]] = {
        "multiply": "compute",
        "shift": "compute",
        "load": "bandwidth",
        "far": "bandwidth",
        "code": "bandwidth",
        "stream": "bandwidth",
        "stream_far": "bandwidth",
        "sums": "bandwidth",
        "pack": "bandwidth",
        "piece": "overhead",
        "gather": "overhead",
        "finish": "overhead",
        "block": "overhead",
        "read": "bandwidth",
        "read_far": "bandwidth",
        "write": "bandwidth",
        "write_far": "bandwidth",
        "call": "overhead",
    }

    def flops(self, problem: Problem, density: float) -> float:
        """FLOP of the non-zeros."""
        return density * problem.flops

    def traffic(self, problem: Problem, density: float) -> dict[str, float]:
        """Operands once from memory, code and value 15 bytes; the packed input written and read in L2."""
        x, y = activation_bytes(problem)
        return {"memory": x + y + CODE_BYTES * density * problem.weight_count, "l2": 2 * x + y}

    def terms(self, problem: Problem, density: float, kernel: KernelParameters) -> dict[str, float]:
        """Counts of the terms, as the class describes them."""
        p, nonzeros = problem, density * problem.weight_count
        f, s, (x, y) = frame(p), strips(p, nonzeros), activation_bytes(p)
        x *= min(1.0, f.rows / (collapsed(p)[0] * min(p.kw, p.sw)))  # a stride may skip rows
        tiles = float(p.mb * p.g * f.blocks * f.tiles)  # blocks' tiles, over the whole batch
        used = 1.0 - (1.0 - density) ** f.channels
        line_used = 1.0 - (1.0 - density) ** (f.channels * f.touched)
        lines = f.read * line_used * f.inputs
        return {
            "multiply": 2.0 * LANES * nonzeros * f.vectors * f.tiles * p.mb,
            "shift": tiles * f.inputs * p.kh * p.kw * used * f.vectors,
            "load": tiles * lines,
            "far": tiles * _far_lines(f, s, lines, line_used),
            **_code(p, f, s, nonzeros),
            "sums": 2.0 * _VECTOR * (s.parts - 1) * p.oc * f.tiles * f.vectors * p.mb,
            **_packing(p, f, s),
            "finish": float(p.oc * f.tiles * f.vectors * p.mb),
            "block": tiles * s.parts,
            "read": max(0.0, x - _NEAR_BYTES),
            "read_far": x * min(1.0, max(0.0, sum(activation_bytes(p)) / _SHARED_BYTES - 1.0)),
            "write": max(0.0, y - _NEAR_BYTES),
            "write_far": max(0.0, y - _SHARED_BYTES),
            "call": 1.0,
        }

    def first_costs(self, hardware: Hardware, kernel: KernelParameters) -> dict[str, float]:
        """Costs from first principles: a vector's multiply-add takes one step, its load or shift as long."""
        step = 2.0 * LANES
        return {
            "multiply": 1.05,
            "shift": 0.5 * step,
            "load": 0.5 * step,
            "far": _VECTOR * byte_cost(hardware, "l2"),
            "code": 0.1 * byte_cost(hardware, "l2"),
            "stream": byte_cost(hardware, "l3"),
            "stream_far": byte_cost(hardware, "memory"),
            "sums": byte_cost(hardware, "l1"),
            "pack": byte_cost(hardware, "l2"),
            "piece": 4.0 * step,
            "gather": 0.1 * step,
            "finish": 3.0 * step,
            "block": 20.0 * step,
            "read": byte_cost(hardware, "l3"),
            "read_far": byte_cost(hardware, "memory"),
            "write": byte_cost(hardware, "l3"),
            "write_far": byte_cost(hardware, "memory"),
            "call": call_cost(hardware),
        }


def _far_lines(f: Frame, s: Strips, lines: float, line_used: float) -> float:
    """Lines that one tile reads from beyond L1: all where a part's inputs do not fit, else those that are new to the tile."""
    strip = f.inputs * f.phases * s.plane * FLOAT
    missing = max(0.0, 1.0 - _NEAR_INPUTS / strip)
    part = lines / s.parts * _VECTOR
    again = max(0.0, 1.0 - _NEAR_INPUTS / part) if part else 0.0
    fresh = min(lines, f.fresh * f.inputs * line_used)
    return missing * (fresh + again * (lines - fresh))


def _code(p: Problem, f: Frame, s: Strips, nonzeros: float) -> dict[str, float]:
    """Bytes of code and values run from beyond L1 and L2, and from memory."""
    size = nonzeros * (CODE_BYTES - FLOAT) * f.vectors + nonzeros * FLOAT
    part = size / (p.g * f.blocks * s.parts)
    near = max(0.0, 1.0 - _NEAR_CODE / part) if part else 0.0
    far = max(0.0, 1.0 - _NEAR_WEIGHTS / (size / p.g)) if size else 0.0
    huge = max(0.0, 1.0 - _NEAR_WEIGHTS / part) if part else 0.0
    stream = size * p.mb * (far * s.strips * (1.0 - huge) + huge * f.tiles)
    lost = min(1.0, max(0.0, (size - _KEPT_CODE) / (_LOST_CODE - _KEPT_CODE)))
    # What a part needs again for its next tile still is in the last-level cache.
    return {"code": near * size * f.tiles * p.mb, "stream": stream, "stream_far": lost * size * p.mb * s.strips}


def _packing(p: Problem, f: Frame, s: Strips) -> dict[str, float]:
    """Bytes of planes filled, rows copied, and floats among them that are picked at a stride."""
    _, iw, _, _ = collapsed(p)
    planes = float(p.mb * p.ic * f.phases * s.strips * s.plane)
    rows = p.mb * p.ic * (f.rows + f.phases * (s.strips - 1)) * (planes / (p.mb * p.ic * f.phases * max(1, f.tiles * f.vectors * LANES)))
    picked = rows * iw / p.sw if p.sw > 1 else 0.0
    return {"pack": planes * FLOAT, "piece": rows, "gather": picked}
