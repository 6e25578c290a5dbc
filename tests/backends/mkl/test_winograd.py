"""MKL's Winograd kernel: both tiles on awkward and drawn problems, every instruction set, against float64."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.host import _host, machine
from backends.mkl import library, winograd
from backends.mkl.backend import MklBackend
from backends.reference.backend import convolve
from harness.contract import BackendConfig, InputError, Problem
from perfmodel.methods.winograd import best_tile

pytestmark = pytest.mark.skipif(not library.installed().ok, reason=library.installed().reason)

AWKWARD = (
    "ic3ih7oc4kh3ph1",
    "ic1ih3oc1kh3",
    "ic1ih1oc1kh3ph1",
    "g4ic4ih8oc4kh3ph1",
    "mb17ic4ih6iw7oc5kh3kw3ph1pw1",
    "ic3ih10oh9oc2kh3ph1",
    "ic3ih9iw9oc2oh8ow9kh3kw3sh1sw1ph1pw1",
    "ic3ih9iw4oc2oh7ow5kh3kw3sh1sw1ph0pw2",
    "g2mb2ic34ih29iw31oc70kh3kw3ph2pw0",
    "ic24ih19oc40kh3ph1",
    "mb3ic33ih2iw50oc17kh3kw3ph1pw1",
)


@pytest.fixture(scope="module")
def backend():
    return MklBackend(BackendConfig("mkl"))


def worst_error(backend, problem, rng, x=None, **options):
    """Largest error against float64, relative to the convolution of absolute values."""
    weight = rng.standard_normal(problem.weight_shape, np.float32)
    x = rng.standard_normal(problem.input_shape, np.float32) if x is None else x
    bias = rng.standard_normal(problem.oc, np.float32)
    expected = convolve(problem, x, weight) + bias[:, None, None]
    scale = convolve(problem, np.abs(x), np.abs(weight)) + np.abs(bias)[:, None, None]
    y = backend.prepare(problem, weight, "winograd", bias=bias, **options).run(x)
    return float(np.max(np.abs(y - expected) / scale))


@pytest.mark.parametrize("tile", [2, 4])
@pytest.mark.parametrize("text", AWKWARD)
def test_every_tile_agrees_with_the_reference(agrees, backend, text, tile):
    agrees(backend, Problem.parse(text), "winograd", tile=tile)
    agrees(backend, Problem.parse(text), "winograd", bias=False, relu=False, density=1.0, tile=tile)


def test_it_takes_exactly_what_it_declares(agrees, backend, awkward):
    p, support = awkward, backend.supports("winograd", awkward)
    assert support.ok == ((p.kh, p.kw, p.sh, p.sw, p.dh, p.dw) == (3, 3, 1, 1, 0, 0))
    if support.ok:
        agrees(backend, p, "winograd")


@pytest.mark.parametrize("tile", [2, 4])
@pytest.mark.parametrize("text", ["ic256ih14oc64kh3ph1", "mb2ic64ih30oc32kh3ph1"])
def test_errors_are_a_third_of_what_is_declared_at_most(backend, rng, text, tile):
    problem = Problem.parse(text)
    sparse = np.maximum(rng.standard_normal(problem.input_shape, np.float32) - 1, 0)
    for x in (None, sparse):
        assert worst_error(backend, problem, rng, x, tile=tile) < winograd.RTOL[tile] / 3
    assert winograd.SPEC.rtol == max(winograd.RTOL.values())


@settings(deadline=None, derandomize=True, max_examples=60)
@given(data=st.data())
def test_any_size_padding_group_and_batch(backend, data):
    draw, groups = data.draw, data.draw(st.sampled_from([1, 1, 2, 3]))
    ph, pw, ih, iw = draw(st.integers(0, 2)), draw(st.integers(0, 2)), draw(st.integers(3, 21)), draw(st.integers(3, 40))
    ic, oc = groups * draw(st.integers(1, 20)), groups * draw(st.integers(1, 20))
    oh, ow = ih + ph - 2 + draw(st.integers(0, ph)), iw + pw - 2 + draw(st.integers(0, pw))
    problem = Problem(groups, draw(st.integers(1, 3)), ic, ih, iw, oc, oh, ow, 3, 3, 1, 1, ph, pw)
    tile = draw(st.sampled_from([2, 4]))
    assert worst_error(backend, problem, np.random.default_rng(0), tile=tile) < winograd.RTOL[tile]


@pytest.mark.parametrize("tile", [2, 4])
def test_small_blocks_of_tiles_agree(agrees, backend, monkeypatch, tile):
    small = dataclasses.replace(machine.this_machine(), caches=(64, 4096, 4096))
    monkeypatch.setattr(winograd, "this_machine", lambda: small)
    monkeypatch.setattr(winograd, "_LEAST_TILES", 1)
    agrees(backend, Problem.parse("g2mb3ic8ih17iw9oc12kh3kw3ph1pw1"), "winograd", tile=tile)


@pytest.mark.parametrize("isa", _host.isas())
@pytest.mark.parametrize("tile", [2, 4])
def test_every_instruction_set_agrees(agrees, backend, monkeypatch, isa, tile):
    native = _host.winograd
    monkeypatch.setattr(_host, "winograd", lambda *arguments: native(*arguments, isa))
    agrees(backend, Problem.parse("g2mb2ic38ih19iw23oc42kh3kw3ph1pw1"), "winograd", tile=tile)


def test_two_threads_agree(agrees):
    agrees(MklBackend(BackendConfig("mkl"), threads=2), Problem.parse("mb3ic16ih20oc24kh3ph1"), "winograd")


def test_wrong_arrays_are_refused(refuses, backend):
    refuses(backend, "winograd")


def test_one_plan_serves_many_threads(shares, backend):
    shares(backend, "winograd")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ic2ih8oc2kh5ph2", "kernel size 5x5; this kernel does 3x3"),
        ("ic2ih8oc2kh3ph1sh2", "stride 2x2"),
        ("ic2ih8oc2kh3dh1ph1", "dilation 1x1"),
        ("ic2ih4oc2kh3ph3", "outputs that see padding alone"),
        ("ic8192ih16oc8192kh3ph1", "transformed weights of 9.0 GiB; this kernel does up to 2"),
        ("ic2ih3iw9000000oc2kh3kw3", "transformed tiles of one row of 9.7 GiB"),
    ],
)
def test_it_refuses_with_a_reason(backend, text, reason):
    assert backend.supports("winograd", Problem.parse(text)).reason.startswith(reason)


@pytest.mark.parametrize("tile", [3, True, "4", 2.5, [2]])
def test_wrong_tiles_are_refused(backend, tile):
    problem = Problem.parse("ic2ih8oc2kh3ph1")
    with pytest.raises(InputError, match=r"option tile is .*; allowed: 2, 4"):
        backend.prepare(problem, np.ones(problem.weight_shape, np.float32), "winograd", tile=tile)


def test_the_tile_follows_the_work_and_is_told(backend):
    chosen = {text: best_tile(Problem.parse(text)) for text in ("ic64ih56oc64kh3ph1", "ic512ih7oc512kh3ph1", "mb16ic512ih7oc512kh3ph1")}
    assert list(chosen.values()) == [4, 2, 4]
    problem = Problem.parse("ic64ih56oc64kh3ph1")
    text = backend.prepare(problem, np.ones(problem.weight_shape, np.float32), "winograd").explain()
    assert text.startswith("mkl winograd: F(4x4,3x3), 196 tiles in ")


def test_buffers_that_do_not_fit_are_refused():
    x, y, small = np.ones(64, np.float32), np.ones(36, np.float32), np.ones(8, np.float32)
    job = np.array([1, 1, 1, 8, 8, 1, 6, 6, 0, 0, 2, 3, 0], np.int32)
    for change in ({}, {10: 3}, {1: 2}, {3: 9}, {5: 2**30}, {11: 0}):
        wrong = job.copy()
        for place, value in change.items():
            wrong[place] = value
        with pytest.raises(ValueError, match="winograd: job or buffer sizes do not fit together"):
            _host.winograd(x, y, None, small, small, small, wrong, np.ones(1, np.uint64), 1)
