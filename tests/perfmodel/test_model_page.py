"""The page about the model: its examples run, and its figures are what they give."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import perfmodel
from perfmodel import Hardware, Problem, Quantity, load_hardware
from perfmodel.methods import DirectSparse

PAGE = Path(perfmodel.__file__).parents[1] / "docs" / "model.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="docs are not beside the package")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_papers_example():
    names: dict = {}
    exec(blocks("python")[0], names)
    assert (f"{names['p'].speedup:.2f}", names["p"].bound) == ("3.70", "compute")
    assert (round(names["r"].low, 4), round(names["r"].high, 3)) == (0.0197, 0.333)


def test_calibration_example():
    numbers = {"peak_flops": Quantity(1e11, "FLOP/s"), "bandwidth": Quantity(1e10, "B/s")}
    hardware, problem = Hardware("v", "d", numbers=numbers), Problem.parse("ic64ih14oc64kh3ph1")
    names = {"hardware": hardware, "problem": problem, "layers": [problem], "timed": []}
    before, after = blocks("python")[1].split("samples = ")
    exec(before, names)
    names["timed"] = [(p, DirectSparse().seconds(*p, hardware, names["shape"]).seconds, 1e11) for p in names["probes"]]
    exec("samples = " + after, names)
    assert names["project"](problem, 0.1, hardware, names["mine"], names["dense"]).model == "calibrated"


def test_record_on_the_page_loads(tmp_path):
    (tmp_path / "record.yaml").write_text(blocks("yaml")[0])
    assert load_hardware(tmp_path / "record.yaml").number("call_overhead") == 2e-6
