"""Every built-in backend keeps the contract; the compiled kernels do so with each build and layout forced in turn."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import pytest

from harness.conformance import subjects
from harness.conformance.test_promises import *  # noqa: F403
from harness.conformance.test_refusals import *  # noqa: F403
from harness.conformance.test_results import *  # noqa: F403
from harness.contract import InputError
from harness.plugins import host


def _forced() -> list[tuple[dict[str, str], dict[str, str]]]:
    """Options that force every instruction set, and on the best one every layout of the compiled kernels."""
    from backends.cpu.isa import builds_of, isa_names

    layouts = ("slide", "copies", "flat-slide", "flat-copies")
    halves = ("", "-256") if len(builds_of(isa_names()[0])) > 1 else ("",)
    return [({"isa": isa}, {}) for isa in isa_names()] + [({}, {"variant": layout + half}) for layout in layouts for half in halves]


def conformance_subjects() -> list[Any]:
    found: list[Any] = []
    ours = [point.name for point in entry_points(group="breakeven") if point.dist and point.dist.name == "breakeven"]
    for name, spec in host().specs().items():
        if name not in ours or spec.role == "recording":
            continue
        try:
            found += [s for options, prepare in (_forced() if name == "cpu" else [({}, {})]) for s in subjects(name, 1, options, prepare)]
        except InputError as error:
            found.append(pytest.param(None, id=name, marks=pytest.mark.skip(reason=str(error))))
    return found
