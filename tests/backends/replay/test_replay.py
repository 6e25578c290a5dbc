"""Replay: right results, recorded clocks, and nothing that was not recorded."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import harness
from backends.replay.backend import convolve_image
from harness.contract import InputError, MissingNumberError, ProblemError, UnsupportedError
from harness.contract.record import Record, Row
from perfmodel import Problem

CONV2 = Problem.parse('g2ic4ih7iw6oc6kh3kw2ph1pw1sh2sw1dh1dw0n"conv2"')
CONV3 = Problem.parse('mb2ic3ih5oc4kh1n"conv3"')


def row(problem=CONV2, kernel="direct_sparse", method="direct_sparse", density=0.25, seconds=2e-3, **changes) -> Row:
    base = Row(problem.name, str(problem), "cpu", kernel, method, density, problem.mb, 1, "passed", end_to_end_s=seconds)
    timing = {"prepare_s": 0.5, "kernel_s": 0.75 * seconds, "spread": 0.012, "repetitions": 15, "peak_gflops": 64.0}
    return dataclasses.replace(base, **(timing | changes))


ROWS = (
    row(),
    row(density=0.5, seconds=4e-3, peak_gflops=66.0),
    row(kernel="dense", method="dense", density=0.25, seconds=1e-2, kernel_s=None),
    row(CONV3, density=0.1, seconds=1e-4),
    row(CONV3, density=0.3, status="mistrusted", reason="noise"),
    row(CONV3, kernel="blas", method="lowered_sparse", status="unsupported", end_to_end_s=None),
)


def write(folder: Path, *rows: Row, **changes) -> Path:
    record = Record("bench", "complete", "2026-05-01T10:00:00+00:00", {"cpu": "Test CPU"}, {"numpy": "2"}, {}, rows=rows or ROWS)
    (folder / "record.json").write_text(json.dumps(record.to_json() | changes))
    return folder


@pytest.fixture
def backend(tmp_path: Path):
    return harness.open_backend("replay", path=str(write(tmp_path)))


def weight(problem: Problem, density: float):
    array = np.zeros(problem.weight_count, np.float32)
    array[: round(density * array.size)] = 1
    return array.reshape(problem.weight_shape)


def test_kernels_are_those_that_were_timed(backend):
    kernels = backend.kernels()
    assert [(kernel.name, kernel.method) for kernel in kernels] == [("cpu.direct_sparse", "direct_sparse"), ("cpu.dense", "dense")]
    assert backend.kernel(None).name == "cpu.direct_sparse" and kernels[0].exact


def test_clocks_are_the_recorded_ones(backend):
    plan = backend.prepare(CONV2, weight(CONV2, 0.25))
    x = np.ones(CONV2.input_shape, np.float32)
    out, clocks = plan.run_clocked(x)
    assert (clocks.end_to_end_s, clocks.kernel_s, clocks.device_s) == (2e-3, 1.5e-3, None)
    assert plan.prepare_s == 0.5 and plan.peak_probe() == 64e9
    assert plan.run(x, out) is out
    assert "cpu direct_sparse on conv2 at density 0.25" in plan.explain() and "15 repetitions, spread 1.2%" in plan.explain()
    dense = backend.prepare(CONV2, weight(CONV2, 0.9), "cpu.dense").run_clocked(x)[1]
    assert dense.end_to_end_s == dense.kernel_s == 1e-2, "a dense kernel takes the same time at every density"


def test_measuring_a_replay_gives_the_record_back(backend):
    plan = backend.prepare(CONV2, weight(CONV2, 0.25))
    result = harness.measure(plan, np.ones(CONV2.input_shape, np.float32), repetitions=3)
    assert (result.median_s, result.clocks.kernel_s, result.prepare_s, result.peak_gflops) == (2e-3, 1.5e-3, 0.5, 64.0)
    assert result.status == "passed"


def test_the_nearest_density_within_the_tolerance_answers(backend, tmp_path: Path):
    x = np.ones(CONV2.input_shape, np.float32)
    near = weight(CONV2, 0.25)
    near.reshape(-1)[17:19] = 1  # 19 of 72: density 0.264, off by 5.3 %
    with pytest.raises(UnsupportedError) as caught:
        backend.prepare(CONV2, near)
    assert "at density 0.2639; recorded: 0.25, 0.5 (backend.tolerance=0.05)" in str(caught.value)
    wider = harness.open_backend("replay", path=str(tmp_path), tolerance=0.06)
    assert wider.prepare(CONV2, near).run_clocked(x)[1].end_to_end_s == 2e-3
    with pytest.raises(InputError, match=r"backend\.tolerance is 2\.0; allowed: from 0 to less than 1"):
        harness.open_backend("replay", path=str(tmp_path), tolerance=2.0)


@pytest.mark.parametrize(
    ("problem", "kernel", "reason"),
    [
        (CONV2, "cpu.direct_sparse", ""),
        (dataclasses.replace(CONV2, name="other"), "cpu.dense", ""),
        (CONV3.with_batch(1), "cpu.direct_sparse", "recorded at batch 2, not 1"),
        (CONV3, "cpu.dense", "not recorded; .* has cpu.dense on conv2"),
        (Problem.parse("ic3ih9oc4kh3"), "cpu.direct_sparse", "not recorded; .* has cpu.direct_sparse on conv2, conv3"),
    ],
)
def test_only_recorded_problems_are_supported(backend, problem, kernel, reason):
    support = backend.supports(kernel, problem)
    assert support.ok == (not reason)
    if reason:
        with pytest.raises(InputError, match=reason):
            backend.prepare(problem, weight(problem, 0.25), kernel)


def test_threads_must_be_the_recorded_ones(tmp_path: Path):
    backend = harness.open_backend("replay", threads=2, path=str(write(tmp_path)))
    assert backend.supports("cpu.dense", CONV2) == (False, "recorded with threads 1, not 2")
    assert backend.fma_peak() is None
    with pytest.raises(MissingNumberError, match="no peak_flops"):
        backend.hardware().peak_flops  # noqa: B018


def test_hardware_is_that_of_the_record(backend):
    peak = backend.hardware().peak_flops
    assert peak == backend.fma_peak() == 64e9 and peak.provenance == "inherited" and peak.date == "2026-05-01"
    assert backend.device() == "Test CPU, recorded 2026-05-01" and backend.versions() == {"numpy": "2"}
    with pytest.raises(MissingNumberError, match="no bandwidth; known numbers: peak_flops"):
        backend.hardware().bandwidth  # noqa: B018


def test_without_a_path_it_says_what_it_needs():
    with pytest.raises(InputError, match=r"it needs a recorded run; give backend\.path=FOLDER"):
        harness.open_backend("replay")


def test_broken_records_are_refused_by_name(tmp_path: Path):
    def refused(words: str) -> None:
        with pytest.raises(InputError, match=words):
            harness.open_backend("replay", path=str(tmp_path))

    refused("no record at .*record.json'; allowed: a run folder or its record.json")
    (tmp_path / "record.json").write_text('{"schema": ')
    refused(r"record.json' cannot be read as a record")
    for changes, words in (
        ({"schema": "other/9"}, "has schema 'other/9'"),
        ({"rows": 3}, "rows is a int; allowed: a list"),
        ({"rows": [3]}, r"rows\[0\] is a int; allowed: an object"),
        ({"rows": []}, "holds no row that passed"),
        ({"machine": "mine"}, "machine is a str; allowed: an object"),
        ({"created": None}, "created is a NoneType; allowed: a string"),
    ):
        write(tmp_path, **changes)
        refused(words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"end_to_end_s": None}, r"rows\[0\]: end_to_end_s is None in a row that passed"),
        ({"end_to_end_s": "fast"}, r"end_to_end_s is 'fast'; allowed: a number above 0"),
        ({"kernel_s": -1.0}, r"kernel_s is -1\.0"),
        ({"device_s": float("nan")}, "device_s is nan"),
        ({"density": None}, "density is None; allowed: a number from 0 to 1"),
        ({"density": 1.5}, r"density is 1\.5"),
        ({"method": "magic"}, "method is 'magic'; allowed: dense, lowered_sparse"),
        ({"problem": "nonsense"}, r"rows\[0\]: cannot read 'nonsense'"),
        ({"problem": 7}, "problem is 7; allowed: a descriptor"),
    ],
)
def test_wrong_fields_are_refused_by_row(tmp_path: Path, changes, words):
    write(tmp_path, dataclasses.replace(ROWS[0], **changes))
    with pytest.raises(InputError, match=words):
        harness.open_backend("replay", path=str(tmp_path))


def test_bias_and_relu(backend):
    rng = np.random.default_rng(5)
    w = weight(CONV2, 0.25) * rng.standard_normal(CONV2.weight_shape).astype(np.float32)
    x, bias = rng.standard_normal(CONV2.input_shape).astype(np.float32), rng.standard_normal(6).astype(np.float32)
    y = backend.prepare(CONV2, w, bias=bias, relu=True).run(x)
    oracle = harness.open_backend("reference").prepare(CONV2, w, bias=bias, relu=True).run(x)
    assert np.allclose(y, oracle, rtol=1e-6, atol=1e-6) and (y == 0).any()


sizes = st.integers(1, 3)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    groups=st.integers(1, 3),
    channels=st.tuples(sizes, sizes),
    image=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(sizes, sizes),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    shorter=st.booleans(),
)
def test_results_equal_the_definition(groups, channels, image, kernel, stride, padding, dilation, shorter):
    (ic, oc), (ih, iw), (kh, kw), (sh, sw), (ph, pw), (dh, dw) = channels, image, kernel, stride, padding, dilation
    text = f"g{groups}ic{groups * ic}oc{groups * oc}ih{ih}iw{iw}kh{kh}kw{kw}sh{sh}sw{sw}ph{ph}pw{pw}dh{dh}dw{dw}"
    try:
        problem = Problem.parse(text)
        if shorter:
            problem = dataclasses.replace(problem, oh=problem.oh - 1)
    except ProblemError:
        assume(False)
    rng = np.random.default_rng(1)
    x = rng.integers(-4, 5, problem.input_shape[1:]).astype(np.float64)
    w = rng.integers(-4, 5, problem.weight_shape).astype(np.float64)
    expected = np.zeros(problem.output_shape[1:])
    for o, y, z in np.ndindex(*expected.shape):
        first = o // oc * ic
        for c, r, s in np.ndindex(ic, kh, kw):
            i, j = y * sh + r * (dh + 1) - ph, z * sw + s * (dw + 1) - pw
            if 0 <= i < ih and 0 <= j < iw:
                expected[o, y, z] += w[o, c, r, s] * x[first + c, i, j]
    assert np.array_equal(convolve_image(problem, x, w.reshape(groups, oc, -1)), expected)
