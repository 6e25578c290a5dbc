"""The backend around its kernels: clocks, threads, tuning, limits, hardware numbers."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.opencl.config import OpenclConfig
from backends.opencl.plugin import breakeven_backends
from backends.opencl.store import recall, remember
from backends.reference.backend import convolve
from harness.contract import InputError, Problem

PROBLEM = Problem.parse("mb2ic8ih13oc12kh3ph1")


def arrays(problem: Problem = PROBLEM, density: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    weight = rng.standard_normal(problem.weight_shape) * (rng.random(problem.weight_shape) < density)
    return rng.standard_normal(problem.input_shape).astype(np.float32), weight.astype(np.float32)


def test_the_plugin_names_what_it_needs() -> None:
    (spec,) = breakeven_backends()
    assert (spec.name, spec.extra, spec.requires, spec.config) == ("opencl", "opencl", ("pyopencl",), OpenclConfig)


def test_clocks_agree(backend: Any) -> None:
    x, weight = arrays()
    plan = backend.prepare(PROBLEM, weight)
    assert plan.prepare_s > 0
    _, clocks = plan.run_clocked(x)
    assert 0 < clocks.device_s <= clocks.kernel_s * 1.5
    assert clocks.kernel_s < clocks.end_to_end_s


def test_one_plan_from_several_threads(backend: Any) -> None:
    x, weight = arrays()
    plan = backend.prepare(PROBLEM, weight)
    expected = [convolve(PROBLEM, x * scale, weight) for scale in range(1, 5)]
    wrong: list[int] = []

    def work(scale: int) -> None:
        for _ in range(20):
            if not np.allclose(plan.run(x * np.float32(scale)), expected[scale - 1], atol=1e-4):
                wrong.append(scale)

    threads = [threading.Thread(target=work, args=(scale,)) for scale in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_tuning_keeps_its_choice_on_disk(backend: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("backends.opencl.tune._TRIED", 3)
    x, weight = arrays()
    plan = backend.prepare(PROBLEM, weight, tune=True)
    assert np.allclose(plan.run(x), convolve(PROBLEM, x, weight), atol=1e-4)
    (kept,) = (tmp_path / "breakeven" / "opencl" / "facts").rglob("*.json")
    text = kept.read_text()
    assert "direct_sparse g1mb2ic8" in text
    monkeypatch.setattr("backends.opencl.tune._seconds", lambda plan: pytest.fail("timed again"))
    assert backend.prepare(PROBLEM, weight, tune=True).choice == plan.choice


def test_an_unreadable_fact_is_asked_again(backend: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    remember(backend._chosen, "question", {"flops": 1.0})
    assert recall(backend._chosen, "question") == {"flops": 1.0}
    (kept,) = tmp_path.rglob("*.json")
    assert [f.name for f in kept.parent.iterdir()] == [kept.name]
    kept.write_text("{half")
    assert recall(backend._chosen, "question") is None


def test_a_problem_too_large_for_the_device_is_refused_with_a_reason(backend: Any) -> None:
    huge = Problem.parse("mb4096ic512ih512oc1kh1")
    support = backend.supports("direct_sparse", huge)
    assert not support.ok
    assert "the input needs" in support.reason
    lowered = backend.supports("im2col_gemm", Problem.parse("ic4096ih8oc1kh99ph50"))
    assert "one panel of the lowered input needs" in lowered.reason


def test_explain_names_device_variant_bound_and_compilation(backend: Any) -> None:
    plan = backend.prepare(PROBLEM, arrays()[1])
    assert 0 <= plan.build_s < plan.prepare_s
    text = plan.explain()
    assert text.endswith(f"built in {plan.build_s:.3f} s")
    assert backend._chosen.name in text
    assert "bound by" in text
    assert "vectors x" in text


def test_hardware_is_measured_once_through_opencl(
    backend: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = backend.hardware()
    assert "notice: measuring" in capsys.readouterr().err
    assert {"peak_flops", "bandwidth", "bandwidth_local", "call_overhead", "cores"} <= set(first.numbers)
    origins = {name: quantity.provenance for name, quantity in first.numbers.items()}
    declared = {"cores", "cache_global", "cache_local", "nominal_flops"}
    assert all(origin == ("declared" if name in declared else "measured") for name, origin in origins.items()), origins
    assert backend.fma_peak() == pytest.approx(first.peak_flops, rel=0.9)
    second = backend.hardware()
    assert capsys.readouterr().err == "", "it was measured again"
    assert second.peak_flops == pytest.approx(first.peak_flops, rel=1e-3)
    assert backend._chosen.driver in second.driver


def test_threads_are_compute_units_of_a_sub_device(backend: Any) -> None:
    if backend._chosen.kind != "cpu" or backend._chosen.compute_units < 2:
        pytest.skip("needs a CPU device with two compute units")
    x, weight = arrays()
    for threads in (1, 2):
        other = type(backend)(OpenclConfig(device="cpu"), threads=threads)
        assert f"{threads} in use" in other.device()
        assert np.allclose(other.prepare(PROBLEM, weight).run(x), convolve(PROBLEM, x, weight), atol=1e-4)


@pytest.mark.parametrize("device", ["no such device", 7])
def test_a_wrong_device_is_an_input_error(backend: Any, device: Any) -> None:
    with pytest.raises(InputError, match="device "):
        type(backend)(OpenclConfig(device=device))
    assert not type(backend).available(OpenclConfig(device=device)).ok


def test_devices_are_one_flat_list(backend: Any) -> None:
    lines = backend.devices()
    assert any(backend._chosen.name in line and "compute unit" in line and "driver" in line for line in lines)
    assert backend._chosen.driver in backend.versions().values()
