"""Options, messages, remembered choices and explanations of the cpu backend."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backends.cpu import tuning
from backends.cpu.backend import CpuBackend
from backends.cpu.isa import VARIABLE, chosen_isa, isa_names
from backends.cpu.plugin import CpuConfig
from perfmodel.errors import InputError
from perfmodel.problem import Problem
from tests.backends.cpu.cpu_cases import cpu_seconds, make_case

PROBLEM = Problem.parse("ic12ih13oc10kh3ph1")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "breakeven" / "cpu"


def portable(threads: int = 1) -> CpuBackend:
    return CpuBackend(CpuConfig(name="cpu", isa="portable"), threads)


def test_isa_from_configuration_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen_isa() == isa_names()[0]
    monkeypatch.setenv(VARIABLE, "portable")
    assert chosen_isa() == "portable"
    assert chosen_isa(isa_names()[0]) == isa_names()[0]


def test_impossible_isa_is_refused_with_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"backend\.isa is 'altivec', which does not run on this machine; allowed: auto, .*portable"):
        CpuBackend(CpuConfig(name="cpu", isa="altivec"))
    monkeypatch.setenv(VARIABLE, "sse9")
    with pytest.raises(InputError, match=r"BREAKEVEN_ISA is 'sse9'"):
        chosen_isa()


def test_unknown_variant_lists_names() -> None:
    case = make_case(PROBLEM)
    with pytest.raises(InputError, match=r"variant is 'fast'; allowed on portable: slide, copies, flat-slide, flat-copies"):
        portable().prepare(case.problem, case.weight, variant="fast")


def test_tune_must_be_true_or_false() -> None:
    case = make_case(PROBLEM)
    with pytest.raises(InputError, match="tune is 'yes'; allowed: True or False"):
        portable().prepare(case.problem, case.weight, tune="yes")


def test_tuned_choice_is_remembered(cache: Path) -> None:
    case = make_case(PROBLEM)
    first = portable().prepare(case.problem, case.weight, tune=True)
    assert "tuned: best of" in first.explain()
    assert first.prepare_s < 2
    (file,) = cache.glob("*.json")
    again = portable().prepare(case.problem, case.weight, tune=True)
    assert "tuned earlier" in again.explain()
    assert again.choice == first.choice  # type: ignore[attr-defined]
    np.testing.assert_array_equal(again.run(case.x), case.expected())
    assert json.loads(file.read_text())["lanes"] == 4


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"layout": "slide"}', '{"layout": "slide", "lanes": 4, "rows": 99, "vectors": 99, "channel_block": 1, "chunks": 1}'],
)
def test_damaged_cache_is_tuned_anew(cache: Path, content: str) -> None:
    case = make_case(PROBLEM)
    portable().prepare(case.problem, case.weight, tune=True)
    (file,) = cache.glob("*.json")
    file.write_text(content)
    assert "tuned: best of" in portable().prepare(case.problem, case.weight, tune=True).explain()
    assert list(cache.glob("*.tmp")) == []


def test_unwritable_cache_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocker))
    case = make_case(PROBLEM)
    np.testing.assert_array_equal(portable().prepare(case.problem, case.weight, tune=True).run(case.x), case.expected())


def test_key_tells_problems_densities_and_threads_apart(cache: Path) -> None:
    case, denser = make_case(PROBLEM), make_case(PROBLEM, density=0.9)
    portable().prepare(case.problem, case.weight, tune=True)
    portable().prepare(case.problem, denser.weight, tune=True)
    portable(2).prepare(case.problem, case.weight, tune=True)
    assert len(list(cache.glob("*.json"))) == 3
    assert tuning.cache_folder() == cache


@pytest.mark.parametrize("kernel", ["direct_sparse", "direct_dense"])
def test_explain_says_it_in_words(kernel: str) -> None:
    case = make_case(PROBLEM)
    text = portable(2).prepare(case.problem, case.weight, kernel).explain()
    for word in ("portable", "variant", "layout:", "tile:", "lanes", "threads: 2", "copies:", "bound:"):
        assert word in text


def test_estimating_takes_little_time() -> None:
    case = make_case(Problem.parse("ic256ih13oc384kh3ph1"), density=0.1)
    assert cpu_seconds(lambda: portable().prepare(case.problem, case.weight)) < 0.1


def test_clock_counts_the_kernel_without_copies() -> None:
    case = make_case(PROBLEM)
    _, clocks = portable().prepare(case.problem, case.weight).run_clocked(case.x)
    assert 0 < clocks.kernel_s < clocks.end_to_end_s


def test_overheads_follow_the_instruction_set() -> None:
    sparse, dense = portable().kernels()
    assert (sparse.alpha, sparse.beta, dense.alpha) == (1.9, 1.5, None)
    if "avx512" in isa_names():
        assert CpuBackend(CpuConfig(name="cpu", isa="avx512")).kernel(None).beta == 3.7
