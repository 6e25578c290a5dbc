"""Tuning and the fall-back to smaller kernels, with plans that stand for a device which refuses some."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyopencl", reason="pyopencl is not installed")

import pyopencl as cl

from backends.opencl import tune
from backends.opencl.devices import Device
from backends.opencl.variants import VARIANTS, Choice
from harness.contract import BreakevenError, InputError, KernelClock, Problem

DEVICE = Device("H100", "gpu", "NVIDIA CUDA", "550", 132)
STAGED, CACHED = VARIANTS["staged64"], VARIANTS["cached64"]
LARGE, MIDDLE, SMALL = Choice(STAGED, 4, 8, 4), Choice(STAGED, 2, 4, 4), Choice(CACHED, 1, 1, 4)


@dataclass
class FakePlan:
    choice: Choice
    seconds: float

    def launch(self) -> KernelClock:
        return KernelClock(2 * self.seconds, self.seconds)


def builder(seconds: dict[Choice, float]) -> Callable[[Choice], Any]:
    """A device that takes only these choices."""

    def build(choice: Choice) -> FakePlan:
        if choice not in seconds:
            raise BreakevenError(f"H100 refuses {choice}: out of resources")
        return FakePlan(choice, seconds[choice])

    return build


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_tuning_passes_over_what_the_device_refuses() -> None:
    build = builder({MIDDLE: 3e-5, SMALL: 2e-5})
    assert tune.tuned(DEVICE, "question", [LARGE, MIDDLE, SMALL], build) == SMALL
    assert tune.tuned(DEVICE, "question", [LARGE, MIDDLE, SMALL], builder({})) == SMALL, "the remembered one needs no building"


def test_tuning_says_why_when_nothing_is_taken() -> None:
    with pytest.raises(BreakevenError, match=r"H100 refuses .*: out of resources"):
        tune.tuned(DEVICE, "question", [LARGE, MIDDLE], builder({}))


def test_no_patience_builds_the_likeliest_alone() -> None:
    assert tune.tuned(DEVICE, "question", [LARGE, MIDDLE], builder({LARGE: 2e-5, MIDDLE: 1e-5}), 0.0) == LARGE


def test_after_a_refusal_a_smaller_kernel_is_taken_with_a_notice(capsys: pytest.CaptureFixture[str]) -> None:
    assert tune.first_taken([LARGE, MIDDLE], builder({LARGE: 1.0})).choice == LARGE
    assert capsys.readouterr().err == ""
    plan = tune.first_taken([MIDDLE, LARGE, SMALL], builder({LARGE: 1.0, SMALL: 1.0}))
    assert plan.choice == SMALL, "a larger one is not tried"
    assert f"out of resources; {SMALL} taken instead" in capsys.readouterr().err
    with pytest.raises(BreakevenError, match="refuses staged64, 2 vectors"):
        tune.first_taken([MIDDLE, SMALL], builder({}))


def test_a_drivers_refusal_is_a_message_that_names_the_kernel(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*words: Any) -> None:
        raise cl.RuntimeError("clEnqueueNDRangeKernel failed: OUT_OF_RESOURCES\nmore words")

    monkeypatch.setattr("backends.opencl.build.build_plan", refuse)
    problem = Problem.parse("ic2ih5oc3kh3ph1")
    with pytest.raises(BreakevenError, match=r"refuses direct_sparse as .*: clEnqueueNDRangeKernel failed: OUT_OF_RESOURCES$"):
        backend.prepare(problem, np.ones(problem.weight_shape, np.float32))


@pytest.mark.parametrize("value", ["yes", -1.0, float("nan"), float("inf")])
def test_tune_takes_a_truth_or_seconds(backend: Any, value: object) -> None:
    problem = Problem.parse("ic1ih4oc1kh1")
    with pytest.raises(InputError, match=r"tune is .*; allowed: True, False, or the seconds"):
        backend.prepare(problem, np.ones(problem.weight_shape, np.float32), tune=value)
