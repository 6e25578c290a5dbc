"""Time the likeliest choices on the device itself; the winner is kept on disk by device, driver and problem.

A device may refuse a choice - registers that do not suffice, a compiler that gives up: then another takes its place.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from backends.opencl.devices import Device
from backends.opencl.plans import OpenclPlan
from backends.opencl.store import recall, remember
from backends.opencl.variants import Choice
from harness.contract import BreakevenError, PlanRequest

_TRIED, _LAUNCHES = 12, 7
_OF_EACH = 3  # of each variant where there are several, so that no wrong guess of the rule leaves one out
BUILDING_S = 20.0  # no further choice is built after this
Build = Callable[[Choice], OpenclPlan]


def question(request: PlanRequest, units: int) -> str:
    """What the best choice depends on: kernel, problem without its name, density to two digits, compute units."""
    return f"{request.kernel.name} {replace(request.problem, name='')} density {request.density:.2g} units {units}"


def tuned(device: Device, asked: str, choices: Sequence[Choice], build: Build, building_s: float = BUILDING_S) -> Choice:
    """The fastest of ``choices`` (likeliest first): remembered, or timed now and remembered with all times.

    Each is timed by its device events, least of a few launches; rounds are interleaved so that a slow phase hits all alike.
    After ``building_s`` seconds no further one is built. Raises :class:`BreakevenError` when the device refuses all of them.
    """
    if (known := recall(device, asked)) is not None:
        for choice in choices:
            if _key(choice) == known.get("choice"):
                return choice
    plans = _built(likeliest(choices), build, building_s)
    least = [min(times) for times in zip(*([_seconds(plan) for plan in plans] for _ in range(_LAUNCHES)), strict=True)]
    best = plans[least.index(min(least))].choice
    tried = sorted(([*_key(plan.choice), seconds] for plan, seconds in zip(plans, least, strict=True)), key=lambda row: row[-1])
    remember(device, asked, {"choice": _key(best), "seconds": min(least), "tried": tried})
    return best


def _built(choices: Sequence[Choice], build: Build, building_s: float) -> list[OpenclPlan]:
    """Plans of those that the device takes; at least one."""
    plans: list[OpenclPlan] = []
    refused: BreakevenError | None = None
    end = time.perf_counter() + building_s
    for choice in choices:
        if plans and time.perf_counter() > end:
            break
        try:
            plans.append(build(choice))
        except BreakevenError as error:
            refused = error
    if not plans and refused is not None:
        raise refused
    return plans


def first_taken(choices: Sequence[Choice], build: Build) -> OpenclPlan:
    """The plan of the first choice that the device takes, smaller ones after a refusal, with a notice of what was refused.

    Raises :class:`BreakevenError` with the first refusal when it takes none.
    """
    refused: BreakevenError | None = None
    smallest = float("inf")
    for choice in choices:
        if choice.sums >= smallest:
            continue
        try:
            plan = build(choice)
        except BreakevenError as error:
            refused, smallest = refused or error, choice.sums
            continue
        if refused:
            print(f"notice: {refused}; {choice} taken instead", file=sys.stderr, flush=True)
        return plan
    assert refused is not None, "no choices"
    raise refused


def likeliest(choices: Sequence[Choice]) -> list[Choice]:
    """What to time: the first dozen of one variant, or the first few of each; source that must be generated comes last, once."""
    if len({choice.variant.name for choice in choices}) == 1:
        return list(choices[:_TRIED])
    seen: Counter[str] = Counter()
    taken = []
    for choice in choices:
        name = choice.variant.kind if choice.variant.kind == "literal" else choice.variant.name
        seen[name] += 1
        if seen[name] <= (1 if choice.variant.kind == "literal" else _OF_EACH):
            taken.append(choice)
    return sorted(taken, key=lambda choice: choice.variant.kind == "literal")


def _key(choice: Choice) -> list[str | int]:
    return [choice.variant.name, choice.pixels, choice.height, choice.images]


def _seconds(plan: OpenclPlan) -> float:
    clock = plan.launch()
    return clock.wall_s if clock.device_s is None else clock.device_s
