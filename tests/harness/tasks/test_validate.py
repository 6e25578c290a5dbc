"""``task=validate``: without a calibration, and how errors and decisions are told."""

from __future__ import annotations

import dataclasses
import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from harness.config import RunConfig
from harness.contract import Clocks, Measurement, Problem
from harness.modelling.comparison import Comparison
from harness.modelling.patience import doubt
from harness.networks import Layer
from harness.tasks import validate
from harness.tasks.validate import _print_decisions

PROBLEM = Problem.parse("ic4ih6oc4kh3ph1")


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


def test_choices_among_kernels_that_agree_differ_or_tie():
    def race(density, *seconds):
        return [
            compared(name, name == "sparse", *pair, density) for name, pair in zip(("sparse", "gemm", "winograd"), seconds, strict=True)
        ]

    agree = race(0.1, (1.0, 1.1), (2.0, 1.9), (3.0, 3.0))
    tie = race(0.3, (3.0, 3.0), (1.0, 1.2), (1.05, 1.1))
    differ = race(0.5, (3.0, 3.0), (1.0, 1.2), (1.5, 1.1))
    text = decisions([*agree, *tie, *differ])
    assert "decisions sparse or dense: 3 of 3 agree (100%), 0 within the 10% tie band" in text
    assert "choices of the fastest kernel: 1 of 2 agree (50%), 1 within the 10% tie band" in text
    assert "differs a layer mb1 density 0.5: model winograd, measured gemm" in text


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_without_a_calibration_the_way_to_one_is_told(call, empty_cache):
    result = call("task=validate", "+backend=reference", "baselines=none", "problem=ic4ih6oc4kh3ph1")
    assert result["code"] == 2
    assert "no kernel of 'reference' is calibrated on this device; run task=calibrate +backend=reference first" in result["err"]


def test_weights_whose_density_is_fixed_are_refused(call, tmp_path):
    result = call("task=validate", "weights=files", f"weights.path={tmp_path}", "problem=ic4ih6oc4kh3ph1")
    assert result["code"] == 2
    assert "task=validate varies the density; allowed: weights=random" in result["err"]


def test_a_case_in_doubt_is_measured_once_more_at_the_end(monkeypatch):
    cases = [SimpleNamespace(key=name, layer=Layer(name, PROBLEM), problem=PROBLEM, density=0.1) for name in "abc"]
    doubts = {"a": ["crowded", ""], "b": [""], "c": ["crowded", "crowded"]}
    order, notes = [], {}

    def raced(case, *words):
        order.append(case.key)
        return [case.key]

    def comparison(case, entry, known):
        return dataclasses.replace(compared("cpu k", True, 1.0, 1.0), doubt=doubts[case.key].pop(0))

    chosen = SimpleNamespace(spec=SimpleNamespace(name="cpu"))
    field = SimpleNamespace(chosen=chosen, oracle=None, teams=lambda: [chosen], contenders=lambda: [(chosen, SimpleNamespace(name="k"))])
    folder = SimpleNamespace(
        has=lambda key: False, note=lambda block, key, found: notes.update({key: found}), append=lambda key, rows: None
    )
    session = SimpleNamespace(config=RunConfig(), field=field, folder=folder, hardware=lambda: None, describe=str, tick=lambda: None)
    for name, value in {
        "calibrated": lambda team, timeout_s: {"k": SimpleNamespace(name="cpu k", setting="")},
        "race": raced,
        "_compare": comparison,
        "make_rows": lambda *words: [],
        "watch": lambda *words: None,
    }.items():
        monkeypatch.setattr(validate, name, value)
    validate._measure(cases, session)
    assert order == ["a", "b", "c", "a", "c"]
    assert [notes[key][0]["doubt"] for key in "abc"] == ["", "", "crowded"]


def test_a_kernel_with_a_setting_takes_part_where_the_run_gives_it():
    known = {"o cp": SimpleNamespace(setting="share"), "o conv": SimpleNamespace(setting="")}
    for options, expected in (({}, [False, True, False]), ({"share": 0.2}, [True, True, False])):
        team = SimpleNamespace(spec=SimpleNamespace(name="o"), kernel_options=options)
        assert [validate._projected(team, SimpleNamespace(name=name), known) for name in ("cp", "conv", "tucker2")] == expected


def test_doubt_names_the_shared_core_or_the_reason():
    found = Measurement(1.0, 0.0, Clocks(1.0, 1.0), 0.0, 3)
    assert doubt(found) == "" and doubt(dataclasses.replace(found, shared=0.3)) == ""
    assert doubt(dataclasses.replace(found, shared=0.6)) == "another program used the core during 60% of the samples"
    assert doubt(found.mistrusted("too fast")) == "too fast"
