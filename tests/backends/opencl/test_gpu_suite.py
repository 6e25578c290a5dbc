"""The GPU script's parts on a machine without a GPU: arithmetic, and its behaviour where CUDA or a driver fails."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyopencl", reason="pyopencl is not installed")

import pyopencl as cl

from backends.opencl.variants import VARIANTS, Choice
from harness.contract import Hardware, Problem, Quantity
from tests.benchmarks import gpu_rivals, gpu_suite
from tests.benchmarks.gpu_breakeven import Moment, measured_break_even, projected_break_even, projected_seconds

GROUPED = Problem.parse("g2mb2ic4ih7oc6kh3ph1sh2")
H100 = Hardware(
    "v",
    "d",
    numbers={
        "peak_flops": Quantity(60e12, "FLOP/s"),
        "bandwidth": Quantity(3e12, "B/s"),
        "bandwidth_local": Quantity(30e12, "B/s"),
    },
)


def later() -> float:
    return time.perf_counter() + 60


@pytest.mark.parametrize(("slope", "expected"), [(10.0, 0.8), (4.0, 0.5), (1.0, 0.0)])
def test_bisection_finds_where_ours_is_as_fast(slope: float, expected: float) -> None:
    found = measured_break_even(lambda density: Moment(1 + slope * density, {"dense": 3.0}), "dense", later())
    assert found == pytest.approx(expected, abs=1 / 128)


def test_break_even_is_unknown_where_ours_never_wins_or_time_is_short() -> None:
    assert math.isnan(measured_break_even(lambda density: Moment(2.0, {"tf32": 1.0}), "tf32", later()))
    assert math.isnan(measured_break_even(lambda density: Moment(density, {"tf32": 0.4}), "tf32", 0.0))


@pytest.mark.parametrize("variant", ["staged64", "constant64", "cached64", "literal64", "item32"])
def test_the_projection_rises_with_density_and_meets_dense(variant: str) -> None:
    p, choice = Problem.parse("mb32ic256ih14oc256kh3ph1"), Choice(VARIANTS[variant], 2, 8, 4)
    seconds = [projected_seconds(p, density, choice, H100) for density in (0.0, 0.05, 0.1, 0.5, 1.0)]
    assert all(earlier < now for earlier, now in itertools.pairwise(seconds))
    assert seconds[2] >= p.flops * 0.1 / 60e12
    even = projected_break_even(p, choice, H100, seconds[2])
    assert even == pytest.approx(0.9, abs=0.001)
    assert math.isnan(projected_break_even(p, choice, H100, seconds[0] / 2))


def test_one_word_a_multiply_add_is_a_quarter_of_the_peak() -> None:
    p, choice = Problem.parse("mb256ic512ih14oc512kh3ph1"), Choice(VARIANTS["staged64"], 4, 8, 4)
    rate = 0.1 * p.flops / projected_seconds(p, 0.1, choice, H100)
    assert 0.6 * 15e12 < rate < 15e12


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Any:
    """PyTorch on the CPU that says it were on a GPU; ``flags`` collects TF32 and layout of each convolution."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    flags: list[tuple[bool, bool]] = []

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            self.record = self.synchronize = lambda: None

        def elapsed_time(self, end: Event) -> float:
            return 20.0

    @contextlib.contextmanager
    def graph(captured: Any) -> Iterator[None]:
        yield

    def conv2d(x: Any, *rest: Any) -> Any:
        flags.append((fake.backends.cudnn.allow_tf32, not x.is_contiguous()))
        return torch.nn.functional.conv2d(x, *rest)

    fake = SimpleNamespace(
        flags=flags,
        contiguous_format=torch.contiguous_format,
        channels_last=torch.channels_last,
        from_numpy=lambda array: SimpleNamespace(to=lambda where: torch.from_numpy(array)),
        backends=SimpleNamespace(cudnn=SimpleNamespace(allow_tf32=None), cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=True))),
        nn=SimpleNamespace(functional=SimpleNamespace(conv2d=conv2d, unfold=torch.nn.functional.unfold)),
        cuda=SimpleNamespace(
            is_available=lambda: True,
            synchronize=lambda: None,
            Event=Event,
            graph=graph,
            CUDAGraph=lambda: SimpleNamespace(replay=lambda: None),
        ),
    )
    return fake


def arrays(p: Problem) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(1).standard_normal(p.input_shape).astype(np.float32), gpu_suite.weights(p, 0.4)


@pytest.mark.filterwarnings("ignore:Sparse CSR:UserWarning")
def test_dense_runs_with_tf32_off_and_on_in_both_layouts(cuda: Any) -> None:
    runs = gpu_rivals.torch_runs(cuda, GROUPED, *arrays(GROUPED))
    assert list(runs) == ["dense nchw", "dense nhwc", "tf32 nchw", "tf32 nhwc", "cusparse", "spmm"]
    assert sorted(set(cuda.flags)) == [(False, False), (False, True), (True, False), (True, True)]
    assert cuda.backends.cuda.matmul.allow_tf32 is False
    seconds = gpu_rivals.take_turns(runs)
    assert seconds["dense"] == seconds["tf32"] == seconds["cusparse"] == pytest.approx(20e-3 / gpu_rivals.CALLS)


@pytest.mark.filterwarnings("ignore:Sparse CSR:UserWarning")
def test_cusparse_multiplies_the_unfolded_input(cuda: Any) -> None:
    x, weight = (cuda.from_numpy(array).to("cuda") for array in arrays(GROUPED))
    p = GROUPED
    expected = gpu_rivals.dense_calls(cuda, p, x, weight)["dense nchw"]()
    for name, call in gpu_rivals.cusparse_calls(cuda, p, x, weight).items():
        parts = [part.reshape(p.oc // p.g, p.mb, p.oh, p.ow).permute(1, 0, 2, 3) for part in call()]
        assert np.allclose(np.concatenate([part.numpy() for part in parts], axis=1), expected.numpy(), atol=1e-5), name


@pytest.mark.filterwarnings("ignore:Sparse CSR:UserWarning")
def test_a_rival_that_fails_is_named_and_left_out(cuda: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("CUDA error: out of memory\nmore")

    cuda.cuda.graph = broken  # graphs are refused: plain calls take their place
    runs = gpu_rivals.torch_runs(cuda, GROUPED, *arrays(GROUPED))
    assert len(runs) == 6
    seconds = gpu_rivals.take_turns(runs | {"tf32 nhwc": broken})
    assert "tf32 nhwc" not in seconds
    assert seconds["tf32"] == seconds["tf32 nchw"]
    assert "note: tf32 nhwc left out: CUDA error: out of memory\n" in capsys.readouterr().out
    cuda.nn.functional.unfold = broken
    assert list(gpu_rivals.torch_runs(cuda, GROUPED, *arrays(GROUPED))) == ["dense nchw", "dense nhwc", "tf32 nchw", "tf32 nhwc"]
    cuda.from_numpy = broken
    assert gpu_rivals.torch_runs(cuda, GROUPED, *arrays(GROUPED)) == {}


def test_a_wrong_result_and_clocks_that_disagree_are_not_believed() -> None:
    p = Problem.parse("mb2ic3ih6oc4kh3ph1")
    x, weight = arrays(p)
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    y = torch.nn.functional.conv2d(torch.from_numpy(x), torch.from_numpy(weight), None, 1, 1).numpy()
    assert gpu_suite.off_by(p, x, weight, y) < 1e-6
    assert gpu_suite.off_by(p, x, weight, y * np.float32(1.01)) > 1e-3
    assert gpu_suite.doubt({"ours": 1e-4, "wall": 1.1e-4}, 1e-7) == ""
    assert "wrong by" in gpu_suite.doubt({"ours": 1e-4, "wall": 1.1e-4}, 1e-3)
    assert "exceed the wall clock" in gpu_suite.doubt({"ours": 2e-4, "wall": 1e-4}, 0.0)
    assert "fall short" in gpu_suite.doubt({"ours": 1e-5, "wall": 1e-4}, 0.0)


def row(name: str, even: float) -> gpu_suite.Row:
    seconds = {"dense": 4e-4, "tf32": 2e-4, "cusparse": 1e-3, "ours": 1e-4, "wall": 1.1e-4}
    sparser = {"ours": 5e-5, "dense": 4e-4, "tf32": 2e-4}
    return gpu_suite.Row(name, seconds, "staged64", 1.0, 1e12, 0.2, 0.8, {"tf32": even}, {"tf32": 0.9}, sparser, 1e-7, "")


def test_the_summary_names_each_baseline() -> None:
    lines = gpu_suite.summary([row("a", 0.6), row("b", 0.7), row("c", math.nan)])
    assert "2.00x over dense, TF32 on (geometric mean of 3 layers)" in lines
    assert "4.00x over dense, TF32 on at density 0.05 (geometric mean of 3 layers)" in lines
    assert "70% sparsity is break-even with dense, TF32 on (median of 3 layers, 1 of them never)" in lines
    assert "90% sparsity is break-even with dense, TF32 on as the model projects it (median of 3 layers)" in lines
    assert "10.00x over cuSPARSE on the unfolded input (geometric mean of 3 layers)" in lines
    assert "80% of the measured local-memory bound (geometric mean)" in lines
    assert gpu_suite.summary([row("a", 0.6)._replace(mistrusted="wrong")]) == []


def test_a_layer_that_fails_or_comes_too_late_costs_only_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(backend: Any, torch: Any, name: str, *rest: Any) -> gpu_suite.Row:
        if name == "b":
            raise cl.RuntimeError("clEnqueueNDRangeKernel failed: OUT_OF_RESOURCES\nmore")
        if name == "c":
            clock[0] += 1.0
        return row(name, math.nan)

    clock = [0.0]
    monkeypatch.setattr(gpu_suite, "measure", measure)
    monkeypatch.setattr(gpu_suite, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    problems = dict.fromkeys("abcd", "ic1ih4oc1kh1")
    asked = argparse.Namespace(problems=problems, seconds=0.25, batch=1, out=tmp_path / "gpu.json")
    rows = gpu_suite.run_all(None, None, asked, H100, {"device": "H100"})  # type: ignore[arg-type]
    assert [r.layer for r in rows] == ["a", "c"]
    out = capsys.readouterr().out
    assert "b           failed: clEnqueueNDRangeKernel failed: OUT_OF_RESOURCES\n" in out
    assert "d           left out" in out
    kept = json.loads((tmp_path / "gpu.json").read_text())
    assert [r["layer"] for r in kept["rows"]] == ["a", "c"]
    assert kept["rows"][0]["break_even"] == {"tf32": None}
    assert [f.name for f in tmp_path.iterdir()] == ["gpu.json"]


def test_a_density_that_fails_keeps_what_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    def measured(density: float) -> Moment:
        if density > 0.4:
            raise cl.LogicError("INVALID_WORK_GROUP_SIZE")
        return Moment(1e-4, {"dense": 3e-4})

    sparser, even = gpu_suite.other_densities(measured, ["dense"], later())
    assert (sparser, even) == ({"ours": 1e-4, "dense": 3e-4}, {})
    assert "note: no further densities: INVALID_WORK_GROUP_SIZE" in capsys.readouterr().out
