"""The timed rows of a record, found again by kernel, problem, threads and density."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from harness.contract import Clocks, InputError, KernelSpec, Method, Problem, Support, UnsupportedError
from harness.contract.record import Record, Row, read_record

_TIMES = ("end_to_end_s", "kernel_s", "device_s", "prepare_s", "peak_gflops")


@dataclass(frozen=True, slots=True)
class Timed:
    """A row that passed: its kernel's replay name, its problem without a name, its clocks."""

    kernel: str
    problem: Problem
    density: float
    clocks: Clocks
    row: Row


class Recording:
    """What a record answers. Raises :class:`InputError` for a file that is none, or that timed nothing."""

    def __init__(self, path: str) -> None:
        self.record: Record = read_record(Path(path).expanduser())
        self.path = path
        self.rows = tuple(_timed(row, f"{path}: rows[{i}]") for i, row in enumerate(self.record.rows) if row.status == "passed")
        if not self.rows:
            raise InputError(f"{path!r} holds no row that passed, so nothing can be replayed; allowed: a record with timed rows")

    def kernels(self) -> tuple[KernelSpec, ...]:
        """One kernel for each (backend, kernel) of the record, in its order."""
        first = {timed.kernel: timed.row for timed in reversed(self.rows)}
        return tuple(
            KernelSpec(
                name, cast(Method, first[name].method), f"replayed from {self.path}", exact=first[name].method != "low_rank", rtol=1e-6
            )
            for name in dict.fromkeys(timed.kernel for timed in self.rows)
        )

    def supports(self, kernel: str, problem: Problem, threads: int) -> Support:
        """Whether ``kernel`` was timed on ``problem`` with ``threads``; the reason says what was."""
        shape = dataclasses.replace(problem, name="")
        of_kernel = [timed for timed in self.rows if timed.kernel == kernel]
        same = [timed for timed in of_kernel if timed.problem == shape]
        if any(timed.row.threads == threads for timed in same):
            return Support(True)
        if same:
            return Support(False, f"recorded with threads {_list(t.row.threads for t in same)}, not {threads}")
        layers = [timed for timed in of_kernel if timed.problem.with_batch(shape.mb) == shape]
        if layers:
            return Support(False, f"recorded at batch {_list(t.problem.mb for t in layers)}, not {shape.mb}")
        return Support(False, f"not recorded; {self.path} has {kernel} on {_list(t.row.layer for t in of_kernel)}")

    def find(self, kernel: KernelSpec, problem: Problem, threads: int, density: float, tolerance: float) -> Timed:
        """The row nearest in density; the time of a dense kernel does not depend on it.

        Raises :class:`UnsupportedError` that lists the recorded densities when none is within relative ``tolerance``.
        """
        shape = dataclasses.replace(problem, name="")
        rows = [t for t in self.rows if t.kernel == kernel.name and t.problem == shape and t.row.threads == threads]
        nearest = min(rows, key=lambda timed: abs(timed.density - density))
        if kernel.sparse and abs(nearest.density - density) > tolerance * max(density, nearest.density):
            recorded = _list(f"{timed.density:.4g}" for timed in sorted(rows, key=lambda timed: timed.density))
            found = f"replay {kernel.name} does not support {problem} at density {density:.4g}"
            raise UnsupportedError(f"{found}; recorded: {recorded} (backend.tolerance={tolerance:g})")
        return nearest

    def peak(self, threads: int) -> float | None:
        """Median of the FMA peaks measured beside the rows with ``threads``, FLOP/s."""
        peaks = [timed.row.peak_gflops for timed in self.rows if timed.row.threads == threads and timed.row.peak_gflops]
        return statistics.median(peaks) * 1e9 if peaks else None


def _timed(row: Row, where: str) -> Timed:
    """Check the fields that a replay needs; raises :class:`InputError` that names the row and the field."""
    for name in _TIMES:
        value = getattr(row, name)
        if value is not None and not (_number(value) and (value > 0 or name == "prepare_s")):
            raise InputError(f"{where}: {name} is {value!r}; allowed: a number above 0, or null")
    if row.end_to_end_s is None:
        raise InputError(f"{where}: end_to_end_s is None in a row that passed; allowed: seconds")
    if not _number(row.density) or not 0 <= cast(float, row.density) <= 1:
        raise InputError(f"{where}: density is {row.density!r}; allowed: a number from 0 to 1")
    if row.method not in get_args(Method):
        raise InputError(f"{where}: method is {row.method!r}; allowed: {', '.join(get_args(Method))}")
    if not isinstance(row.problem, str):
        raise InputError(f"{where}: problem is {row.problem!r}; allowed: a descriptor")
    try:
        problem = dataclasses.replace(Problem.parse(row.problem), name="")
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    clocks = Clocks(row.end_to_end_s, row.end_to_end_s if row.kernel_s is None else row.kernel_s, row.device_s)
    return Timed(f"{row.backend}.{row.kernel}", problem, cast(float, row.density), clocks, row)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _list(values: Iterable[object]) -> str:
    """Each value once, in order, at most eight."""
    names = list(dict.fromkeys(str(value) for value in values))
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
