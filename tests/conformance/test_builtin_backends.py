"""Every built-in backend keeps the contract; the compiled kernels do so with each build and layout forced in turn."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import pytest

from harness.conformance import Subject, subjects
from harness.conformance.test_promises import *  # noqa: F403
from harness.conformance.test_refusals import *  # noqa: F403
from harness.conformance.test_results import *  # noqa: F403
from harness.contract import InputError, Problem
from harness.plugins import host


def _compiled() -> list[Any]:
    """Our kernels on three threads, with each instruction set, and with each layout on the best one."""
    from backends.cpu.isa import builds_of, isa_names

    layouts = ("slide", "copies", "flat-slide", "flat-copies")
    halves = ("", "-256") if len(builds_of(isa_names()[0])) > 1 else ("",)
    forced = [{"variant": layout + half} for layout in layouts for half in halves]
    return [
        *subjects("cpu", threads=3),
        *(subject for isa in isa_names() for subject in subjects("cpu", options={"isa": isa})),
        *(subject for options in forced for subject in subjects("cpu", prepare_options=options)),
    ]


def _possible(subject: Subject) -> Any:
    """``subject``, marked to be skipped where its kernel lacks a library."""
    support = subject.backend.supports(subject.kernel_name, Problem.parse("ic4ih9oc4kh3ph1"))
    absent = not support.ok and "not installed" in support.reason
    return pytest.param(subject, id=str(subject), marks=pytest.mark.skip(reason=support.reason)) if absent else subject


def conformance_subjects() -> list[Any]:
    found: list[Any] = []
    ours = [point.name for point in entry_points(group="breakeven") if point.dist and point.dist.name == "breakeven"]
    for name, spec in host().specs().items():
        if name not in ours or spec.role == "recording":
            continue
        try:
            found += _compiled() if name == "cpu" else map(_possible, subjects(name))
        except InputError as error:
            found.append(pytest.param(None, id=name, marks=pytest.mark.skip(reason=str(error))))
    return found
