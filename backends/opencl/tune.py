"""Time the likeliest choices on the device itself; the winner is kept on disk by device, driver and problem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from backends.opencl.devices import Device
from backends.opencl.plans import OpenclPlan
from backends.opencl.store import recall, remember
from backends.opencl.variants import Choice
from harness.contract import PlanRequest

_TRIED, _LAUNCHES = 12, 7


def question(request: PlanRequest, units: int) -> str:
    """What the best choice depends on: kernel, problem without its name, density to two digits, compute units."""
    return f"{request.kernel.name} {replace(request.problem, name='')} density {request.density:.2g} units {units}"


def tuned(device: Device, asked: str, choices: Sequence[Choice], build: Callable[[Choice], OpenclPlan]) -> Choice:
    """The fastest of ``choices`` (likeliest first): remembered, or timed now and remembered.

    Each is timed by its device events, least of a few launches; rounds are interleaved so that a slow phase hits all alike.
    """
    if (known := recall(device, asked)) is not None:
        for choice in choices:
            if [choice.variant.name, choice.pixels, choice.height] == known.get("choice"):
                return choice
    plans = [build(choice) for choice in choices[:_TRIED]]
    least = [min(times) for times in zip(*([_seconds(plan) for plan in plans] for _ in range(_LAUNCHES)), strict=True)]
    best = plans[least.index(min(least))].choice
    remember(device, asked, {"choice": [best.variant.name, best.pixels, best.height], "seconds": min(least)})
    return best


def _seconds(plan: OpenclPlan) -> float:
    clock = plan.launch()
    return clock.wall_s if clock.device_s is None else clock.device_s
