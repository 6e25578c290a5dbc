"""``tune`` with generated code: what wins is remembered on disk and found again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backends.cpu import _kernels, generated
from backends.cpu.backend import CpuBackend
from backends.cpu.generated import GeneratedPlan
from backends.cpu.plan import CpuPlan
from backends.cpu.plugin import CpuConfig
from perfmodel.errors import InputError
from perfmodel.problem import Problem
from tests.backends.cpu.cpu_cases import cpu_seconds, make_case

OBSTACLE = _kernels.obstacle()
pytestmark = pytest.mark.skipif(OBSTACLE is not None, reason=f"no generated code here: {OBSTACLE}")
PROBLEM = Problem.parse("ic12ih13oc40kh3ph1")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "breakeven" / "cpu"


def backend(threads: int = 1) -> CpuBackend:
    return CpuBackend(CpuConfig(name="cpu", isa="avx512"), threads)


def outcome(cache: Path) -> Path:
    """The one file that tells of a winner."""
    (file,) = (file for file in cache.glob("*.json") if "winner" in json.loads(file.read_text()))
    return file


def always(monkeypatch: pytest.MonkeyPatch, winner: type[GeneratedPlan] | type[CpuPlan]) -> None:
    for kind in (GeneratedPlan, CpuPlan):
        monkeypatch.setattr(kind, "seconds", lambda self: 1.0 if isinstance(self, winner) else 2.0)


@pytest.mark.parametrize("winner", [GeneratedPlan, CpuPlan])
def test_winner_is_remembered(cache: Path, monkeypatch: pytest.MonkeyPatch, winner: type[GeneratedPlan] | type[CpuPlan]) -> None:
    case = make_case(PROBLEM, density=0.2)
    always(monkeypatch, winner)
    first = backend().prepare(case.problem, case.weight, tune=True)
    assert isinstance(first, winner)
    assert "tuned: best of" in first.explain()
    monkeypatch.setattr(GeneratedPlan, "seconds", lambda self: pytest.fail("timed again"))
    again = backend().prepare(case.problem, case.weight, tune=True)
    assert isinstance(again, winner)
    assert "tuned earlier on this machine" in again.explain()
    np.testing.assert_array_equal(again.run(case.x), case.expected())


def test_every_cut_is_right_and_the_fastest_is_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(PROBLEM, density=0.3)
    planned = backend(2).prepare(case.problem, case.weight)
    assert isinstance(planned, GeneratedPlan)
    cuts = planned.cuts()
    assert len(cuts) >= 2
    monkeypatch.setattr(GeneratedPlan, "seconds", lambda self: 1.0 if self.cut == cuts[-1] else 2.0)
    for _ in range(2):
        plan = backend(2).prepare(case.problem, case.weight, variant=generated.VARIANT, tune=True)
        assert isinstance(plan, GeneratedPlan)
        assert plan.cut == cuts[-1]
        np.testing.assert_array_equal(plan.run(case.x), case.expected())


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"winner": "luck"}', '{"winner": "generated"}', '{"winner": "generated", "strip_tiles": -1, "parts": 0}',
     '{"winner": "generated", "strip_tiles": true, "parts": 1.5}'],
)  # fmt: skip
def test_damaged_outcome_is_measured_anew(cache: Path, content: str) -> None:
    case = make_case(PROBLEM, density=0.2)
    backend().prepare(case.problem, case.weight, tune=True)
    outcome(cache).write_text(content)
    assert "tuned: best of" in backend().prepare(case.problem, case.weight, tune=True).explain()


def test_key_tells_threads_and_forced_variants_apart(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(PROBLEM, density=0.2)
    always(monkeypatch, GeneratedPlan)
    backend().prepare(case.problem, case.weight, tune=True)
    before = set(cache.glob("*.json"))
    backend(2).prepare(case.problem, case.weight, tune=True)
    backend().prepare(case.problem, case.weight, tune=True, variant=generated.VARIANT)
    told = [json.loads(file.read_text()) for file in set(cache.glob("*.json")) - before]
    assert sum("winner" in found for found in told) == 2


def test_preparing_is_quick(cache: Path) -> None:
    case = make_case(Problem.parse("ic256ih13oc384kh3ph1"), density=0.1)
    assert cpu_seconds(lambda: backend(2).prepare(case.problem, case.weight)) < 0.1
    assert cpu_seconds(lambda: backend(2).prepare(case.problem, case.weight, tune=True)) < 2
    assert cpu_seconds(lambda: backend(2).prepare(case.problem, case.weight, tune=True)) < 0.1  # known to the cache now


def test_tune_must_be_true_or_false() -> None:
    case = make_case(PROBLEM)
    with pytest.raises(InputError, match="tune is 1; allowed: True or False"):
        backend().prepare(case.problem, case.weight, tune=1)
