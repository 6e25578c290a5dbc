"""Time the likeliest choices on the device itself; the winner is kept on disk by device, driver and problem."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from backends.opencl.devices import Device
from backends.opencl.plans import OpenclPlan
from backends.opencl.store import recall, remember
from backends.opencl.variants import Choice
from harness.contract import PlanRequest

_TRIED, _LAUNCHES = 12, 7
_OF_EACH = 3  # of each variant where there are several, so that no wrong guess of the rule leaves one out
_BUILDING_S = 20.0  # no further choice is built after this


def question(request: PlanRequest, units: int) -> str:
    """What the best choice depends on: kernel, problem without its name, density to two digits, compute units."""
    return f"{request.kernel.name} {replace(request.problem, name='')} density {request.density:.2g} units {units}"


def tuned(device: Device, asked: str, choices: Sequence[Choice], build: Callable[[Choice], OpenclPlan]) -> Choice:
    """The fastest of ``choices`` (likeliest first): remembered, or timed now and remembered with all times.

    Each is timed by its device events, least of a few launches; rounds are interleaved so that a slow phase hits all alike.
    """
    if (known := recall(device, asked)) is not None:
        for choice in choices:
            if _key(choice) == known.get("choice"):
                return choice
    plans: list[OpenclPlan] = []
    end = time.perf_counter() + _BUILDING_S
    for choice in likeliest(choices):
        if not plans or time.perf_counter() < end:
            plans.append(build(choice))
    least = [min(times) for times in zip(*([_seconds(plan) for plan in plans] for _ in range(_LAUNCHES)), strict=True)]
    best = plans[least.index(min(least))].choice
    tried = sorted(([*_key(plan.choice), seconds] for plan, seconds in zip(plans, least, strict=True)), key=lambda row: row[-1])
    remember(device, asked, {"choice": _key(best), "seconds": min(least), "tried": tried})
    return best


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
