"""Measured choices: time the best few candidates, remember the winner on disk."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backends.cpu import _kernels
from backends.cpu.choice import Choice, problem_fields
from backends.host.machine import this_machine
from harness.contract import PlanRequest
from perfmodel.errors import InputError
from perfmodel.problem import Problem

VERSION = 2
"""Raise it when the kernels change so much that remembered choices are stale."""

EARLIER = "tuned earlier on this machine"

_BUDGET_S = 1.0
_CANDIDATES = 24
_REPETITIONS = 5


def cache_folder() -> Path:
    """Where choices are remembered: ``$XDG_CACHE_HOME/breakeven/cpu``, by default under ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "breakeven" / "cpu"


def call_seconds(handle: _kernels.PlanHandle, problem: Problem) -> float:
    """Lower quartile of a few calls after a first one."""
    x = np.random.default_rng(20170424).standard_normal(problem.input_shape, dtype=np.float32)
    y = np.empty(problem.output_shape, np.float32)
    _kernels.run(handle, x, y)
    return sorted(_kernels.run(handle, x, y)[0] for _ in range(_REPETITIONS))[_REPETITIONS // 4]


def wants_tuning(request: PlanRequest) -> bool:
    """The option ``tune``; raises :class:`InputError` unless it is True or False."""
    tune = request.options.get("tune", False)
    if not isinstance(tune, bool):
        raise InputError(f"tune is {tune!r}; allowed: True or False")
    return tune


class Tuner:
    """Times candidates for one instruction set and number of threads."""

    def __init__(self, isa: str, threads: int) -> None:
        self.isa, self.threads = isa, threads

    def best(self, request: PlanRequest, ranked: list[Choice], variant: str) -> tuple[Choice, str]:
        """The fastest of the first few of ``ranked``, from disk if it was measured before, and in words how."""
        remembered = _choice(self.recall(request, variant))
        if remembered in ranked:
            return remembered, EARLIER
        timed = self._time(request, ranked[:_CANDIDATES])
        choice = min(timed, key=lambda c: timed[c])
        self.remember(request, variant, dataclasses.asdict(choice))
        return choice, f"tuned: best of {len(timed)}"

    def recall(self, request: PlanRequest, subject: str) -> dict[str, Any]:
        """What was remembered of ``subject`` for such a request; empty when nothing was, or the file is damaged."""
        try:
            found = json.loads(self._path(request, subject).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def remember(self, request: PlanRequest, subject: str, what: Mapping[str, Any]) -> None:
        """Write ``what`` where :meth:`recall` finds it; a cache that cannot be written is no error."""
        path = self._path(request, subject)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False, encoding="utf-8") as file:
                json.dump(dict(what), file)
            Path(file.name).replace(path)

    def _path(self, request: PlanRequest, subject: str) -> Path:
        """One file per machine, instruction set, threads, kernel, problem, subject (such as a variant) and density to two digits."""
        key = [
            VERSION,
            this_machine().model,
            self.isa,
            self.threads,
            request.kernel.name,
            str(dataclasses.replace(request.problem, name="")),
            f"{request.density:.2g}",
            subject,
        ]
        return cache_folder() / (hashlib.sha256(json.dumps(key).encode()).hexdigest()[:24] + ".json")

    def _time(self, request: PlanRequest, choices: list[Choice]) -> dict[Choice, float]:
        """Lower quartile of a few calls of each choice, in seconds, until the budget is spent."""
        end = time.perf_counter() + _BUDGET_S
        timed: dict[Choice, float] = {}
        for choice in choices:
            if timed and time.perf_counter() > end:
                break
            timed[choice] = call_seconds(self._make(request, choice), request.problem)
        return timed

    def _make(self, request: PlanRequest, choice: Choice) -> _kernels.PlanHandle:
        dense = request.kernel.method == "dense"
        fields = problem_fields(request.problem)
        return _kernels.make(fields, choice.fields, self.isa, choice.lanes, dense, request.weight, request.bias, request.relu, self.threads)


def _choice(found: Mapping[str, Any]) -> Choice | None:
    """A remembered choice; None when what was found is not one."""
    try:
        return Choice(**found)
    except TypeError:
        return None
