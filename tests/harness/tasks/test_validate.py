"""``task=validate``: without a calibration, and how errors and decisions are told."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.modelling.comparison import Comparison
from harness.tasks.validate import _print_decisions


def compared(kernel: str, sparse: bool, measured: float, projected: float, density: float = 0.1) -> Comparison:
    return Comparison("a layer", 1, density, kernel, sparse, measured, projected, projected, projected)


def decisions(found) -> str:
    console = Console(file=io.StringIO(), width=200)
    _print_decisions(console, found)
    return console.file.getvalue()


def test_the_error_is_relative_to_the_measurement():
    assert compared("k", True, 2.0, 3.0).error == pytest.approx(0.5)


def test_decisions_that_agree_differ_or_tie():
    agree = [compared("sparse", True, 1.0, 1.1), compared("dense", False, 2.0, 1.9)]
    differ = [compared("sparse", True, 1.0, 1.6, 0.3), compared("dense", False, 1.5, 1.5, 0.3)]
    tie = [compared("sparse", True, 1.0, 1.2, 0.5), compared("dense", False, 1.05, 1.1, 0.5)]
    text = decisions([*agree, *differ, *tie])
    assert "1 of 2 agree (50%), 1 within the 10% tie band" in text
    assert "differs a layer mb1 density 0.3: model dense, measured sparse" in text
    assert decisions([compared("sparse", True, 1.0, 1.1)]) == ""


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_without_a_calibration_the_way_to_one_is_told(call, empty_cache):
    result = call("task=validate", "+backend=reference", "baselines=none", "problem=ic4ih6oc4kh3ph1")
    assert result["code"] == 2
    assert "no kernel of 'reference' is calibrated here; run task=calibrate +backend=reference first" in result["err"]


def test_weights_whose_density_is_fixed_are_refused(call, tmp_path):
    result = call("task=validate", "weights=files", f"weights.path={tmp_path}", "problem=ic4ih6oc4kh3ph1")
    assert result["code"] == 2
    assert "task=validate varies the density; allowed: weights=random" in result["err"]
