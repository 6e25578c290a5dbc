"""From a request to a choice: forced, remembered, tuned or estimated."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from backends.cpu.choice import LAYOUTS, Choice, Layout, candidates, collapse
from backends.cpu.cost import core, cycles
from backends.cpu.generated import ISAS, VARIANT
from backends.cpu.isa import Build, builds_of
from backends.cpu.tuning import Tuner, wants_tuning
from backends.host.machine import this_machine
from harness.contract import PlanRequest
from perfmodel.errors import InputError
from perfmodel.problem import Problem

_HALF = "-256"
_SPILL_BYTES = 384 << 10
Ranked = tuple[float, Choice]


class Planner:
    """Chooses for one instruction set and number of threads."""

    def __init__(self, isa: str, threads: int) -> None:
        self.isa, self.threads = isa, threads
        self._builds = builds_of(isa)
        machine = this_machine()
        self._cores = [core(machine.caches, machine.vendor, isa, dense) for dense in (False, True)]

    def variants(self) -> dict[str, tuple[str, Build]]:
        """Variant name to layout and build; the narrower build's names end in ``-256``."""
        widest = max(build.lanes for build in self._builds)
        return {layout + ("" if build.lanes == widest else _HALF): (layout, build) for build in self._builds for layout in LAYOUTS}

    def names(self) -> tuple[str, ...]:
        """What ``prepare(variant=...)`` takes on this instruction set."""
        return ((VARIANT,) if self.isa in ISAS else ()) + tuple(self.variants())

    def choose(self, request: PlanRequest) -> tuple[Choice, str]:
        """The choice for ``request`` and where it comes from, in words.

        Raises :class:`InputError` for a wrong option or a forced variant that cannot take the problem.
        """
        variant, tune = request.options.get("variant"), wants_tuning(request)
        ranked = self.rank(request, variant)
        if not tune:
            return ranked[0][1], "forced, tile estimated" if variant else "estimated"
        return Tuner(self.isa, self.threads).best(request, [choice for _, choice in ranked], variant or "any")

    def rank(self, request: PlanRequest, variant: str | None = None) -> list[Ranked]:
        """Choices by estimated cycles, best first."""
        dense = request.kernel.method == "dense"
        problem = collapse(request.problem)
        density = request.density
        ranked = [
            (cycles(problem, shared, sizes, density, self._cores[dense], dense) / self._speedup(problem, shared, sizes), shared)
            for choice, sizes in self._candidates(problem, variant, dense)
            for shared in [self._share(problem, choice, sizes, dense)]
        ]
        if not ranked:
            raise InputError(f"variant {variant!r} has no tile wide enough for {request.problem}; allowed: another variant")
        return sorted(ranked, key=lambda item: item[0])

    def _candidates(self, problem: Problem, variant: str | None, dense: bool) -> Iterator[tuple[Choice, Layout]]:
        allowed = self.variants()
        if variant is not None and variant not in allowed:
            raise InputError(f"variant is {variant!r}; allowed on {self.isa}: {', '.join(self.names())}")
        for layout, build in [allowed[variant]] if variant else allowed.values():
            yield from candidates(problem, build, layout, dense)

    def _share(self, problem: Problem, choice: Choice, sizes: Layout, dense: bool) -> Choice:
        """Cut the output channels so that every thread has work and the waiting sums stay in L2."""
        channels = problem.oc // problem.g
        spilled = choice.tile * choice.lanes * 4 * channels if choice.channel_block < problem.ic // problem.g else 0
        chunks = max(1, math.ceil(spilled / _SPILL_BYTES))
        if self.threads > 1:
            items = sizes.tiles * problem.g
            chunks = min(range(chunks, chunks + 2 * self.threads), key=lambda n: _unevenness(items * n, self.threads) * (1 + 0.03 * n))
        return dataclasses.replace(choice, chunks=min(chunks, channels))

    def _speedup(self, problem: Problem, choice: Choice, sizes: Layout) -> float:
        """By how much the threads shorten the call: less than their number when items do not share out evenly."""
        items = sizes.tiles * problem.g * choice.chunks
        return min(self.threads, items) / _unevenness(items, min(self.threads, items))


def _unevenness(items: int, threads: int) -> float:
    """Time of the busiest thread relative to an even share."""
    return math.ceil(items / threads) * threads / items
