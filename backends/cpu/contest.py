"""``tune`` where code can be generated: a few cuts of it against the compiled kernels, the outcome remembered on disk."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any, TypeGuard

from backends.cpu.generated import PLANNED, VARIANT, Cut, GeneratedPlan
from backends.cpu.plan import CpuPlan
from backends.cpu.tuning import EARLIER, Tuner
from harness.contract import PlanRequest

_BUDGET_S = 0.2
_COMPILED = "compiled"


class Contest:
    """Finds the faster plan for one instruction set and number of threads."""

    def __init__(self, isa: str, threads: int) -> None:
        self._tuner, self._isa, self._threads = Tuner(isa, threads), isa, threads

    def plan(self, request: PlanRequest, compiled: Callable[[], CpuPlan] | None) -> CpuPlan | GeneratedPlan:
        """The fastest cut of generated code, or the ``compiled`` plan where that is faster; from disk if it was measured before.

        ``compiled`` is None when generated code is forced. Raises :class:`RefusedError` when no code can be generated.
        """
        subject = "contest" if compiled else VARIANT
        remembered = self._tuner.recall(request, subject)
        if compiled and remembered == {"winner": _COMPILED}:
            return compiled()
        if (cut := _cut(remembered)) is not None:
            return GeneratedPlan(request, self._threads, self._isa, EARLIER, cut)
        timed = self._time(request)
        best = min(timed, key=lambda found: timed[found])
        if compiled and (rival := compiled()).seconds() < timed[best]:
            self._tuner.remember(request, subject, {"winner": _COMPILED})
            return rival
        self._tuner.remember(request, subject, {"winner": VARIANT, **dataclasses.asdict(best)})
        beaten = " and the compiled kernels" if compiled else ""
        return GeneratedPlan(request, self._threads, self._isa, f"tuned: best of {len(timed)} cuts{beaten}", best)

    def _time(self, request: PlanRequest) -> dict[Cut, float]:
        """Seconds of the planned cut and of its neighbours, until the budget is spent."""
        end = time.perf_counter() + _BUDGET_S
        planned = GeneratedPlan(request, self._threads, self._isa, "")
        timed = {PLANNED: planned.seconds()}
        for cut in planned.cuts():
            if time.perf_counter() > end:
                break
            timed[cut] = GeneratedPlan(request, self._threads, self._isa, "", cut).seconds()
        return timed


def _cut(found: dict[str, Any]) -> Cut | None:
    """A remembered cut; None when what was found is none."""
    strip_tiles, parts = found.get("strip_tiles"), found.get("parts")
    if found.get("winner") != VARIANT or not (_is_count(strip_tiles) and _is_count(parts)):
        return None
    return Cut(strip_tiles, parts)


def _is_count(number: object) -> TypeGuard[int]:
    return type(number) is int and 0 <= number < 1 << 31
