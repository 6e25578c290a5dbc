"""What base classes promise for every backend: checks before any kernel runs, clocks, outputs."""

import numpy as np
import pytest

from harness.contract import Backend, BackendConfig, Clocks, InputError, KernelClock, KernelSpec, Limits, MissingNumberError, Plan, Problem

PROBLEM = Problem.parse("mb2ic3ih5oc4kh3")


class Filling(Plan):
    """Fills the output with one number."""

    ran = 0

    def _run(self, x, y):
        self.ran += 1
        y[...] = 7
        return KernelClock(0.25, 0.125) if self.kernel.name == "clocked" else None


class Able(Backend):
    name = "able"
    specs = (
        KernelSpec("plain", "dense", "fills", options={"tile": "its size"}),
        KernelSpec("clocked", "direct_sparse", "fills and tells"),
        KernelSpec("narrow", "dense", "stride 1", Limits(unit_stride=True)),
    )

    def _prepare(self, request):
        return Filling(request, self.name, self.threads)


@pytest.fixture
def backend():
    return Able(BackendConfig("able"), 3)


@pytest.fixture
def weight(rng):
    return rng.random(PROBLEM.weight_shape, np.float32)


@pytest.fixture
def x(rng):
    return rng.random(PROBLEM.input_shape, np.float32)


def test_run_gives_a_new_array_or_the_one_given(backend, weight, x):
    plan = backend.prepare(PROBLEM, weight)
    first, second, out = plan.run(x), plan.run(x), np.empty(PROBLEM.output_shape, np.float32)
    assert first is not second and first.shape == PROBLEM.output_shape and (first == 7).all()
    assert plan.run(x, out=out) is out
    assert plan.threads == 3 and plan.prepare_s > 0 and plan.peak_probe() is None
    assert "able plain: fills" in plan.explain()


def test_clocks(backend, weight, x):
    _, clocks = backend.prepare(PROBLEM, weight, "clocked").run_clocked(x)
    assert clocks == Clocks(clocks.end_to_end_s, 0.25, 0.125)
    _, clocks = backend.prepare(PROBLEM, weight).run_clocked(x)
    assert clocks.kernel_s == clocks.end_to_end_s > 0 and clocks.device_s is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x.astype(np.float64), "x has dtype float64; allowed: float32"),
        (lambda x: x.astype(">f4"), "x has dtype >f4"),
        (lambda x: x[:1], r"x has shape \(1, 3, 5, 5\); allowed: \(2, 3, 5, 5\)"),
        (lambda x: x.reshape(2, 75), "x has shape"),
        (lambda x: x.transpose(0, 1, 3, 2), "x is not C-contiguous"),
        (lambda x: np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape), "x is not C-contiguous|aligned"),
        (lambda x: x.tolist(), "x is a list; allowed: a numpy array"),
        (lambda x: None, "x is a NoneType"),
    ],
)
def test_inputs_that_no_kernel_sees(backend, weight, x, change, words):
    plan = backend.prepare(PROBLEM, weight)
    with pytest.raises(InputError, match=words):
        plan.run(change(x))
    assert plan.ran == 0


def test_outputs_that_no_kernel_sees(backend, weight, x):
    plan = backend.prepare(PROBLEM, weight)
    out = np.empty(PROBLEM.output_shape, np.float32)
    out.flags.writeable = False
    with pytest.raises(InputError, match="out is read-only"):
        plan.run(x, out=out)
    with pytest.raises(InputError, match="out has shape"):
        plan.run(x, out=np.empty((1, 4, 3, 3), np.float32))
    room = np.empty(x.size + 100, np.float32)
    shared = room[: x.size].reshape(x.shape)
    with pytest.raises(InputError, match="out shares memory with x"):
        plan.run(shared, out=room[50 : 50 + 72].reshape(PROBLEM.output_shape))
    assert plan.ran == 0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kernel": "plian"}, "backend 'able' has no kernel 'plian'; allowed: plain, clocked, narrow"),
        ({"colour": 1}, "kernel 'plain' has no option 'colour'; allowed: tile"),
        ({"kernel": "clocked", "tile": 1}, "kernel 'clocked' has no option 'tile'; allowed: none"),
        ({"relu": "yes"}, "relu is 'yes'; allowed: True or False"),
        ({"bias": np.zeros(3, np.float32)}, r"bias has shape \(3,\); allowed: \(4,\)"),
        ({"bias": np.full(4, np.nan, np.float32)}, r"bias\[0\] is nan"),
    ],
)
def test_what_prepare_refuses(backend, weight, fields, words):
    with pytest.raises(InputError, match=words):
        backend.prepare(PROBLEM, weight, **fields)


def test_weights_that_prepare_refuses(backend, weight):
    weight[1, 2, 0, 1] = np.inf
    with pytest.raises(InputError, match=r"weight\[1, 2, 0, 1\] is inf; allowed: finite numbers \(1 of 108 are not\)"):
        backend.prepare(PROBLEM, weight)
    with pytest.raises(InputError, match="problem is 'ic3ih5oc4kh3'; allowed: a Problem, such"):
        backend.prepare("ic3ih5oc4kh3", weight)
    with pytest.raises(InputError, match="weight has dtype float64"):
        backend.prepare(PROBLEM, np.ones(PROBLEM.weight_shape))
    with pytest.raises(InputError, match="weight has shape"):
        backend.prepare(PROBLEM, np.ones((4, 3, 3, 4), np.float32))
    with pytest.raises(InputError, match=r"able narrow does not support .*: stride 2x2; this kernel does stride 1"):
        backend.prepare(Problem.parse("ic3ih5oc4kh3sh2"), np.ones((4, 3, 3, 3), np.float32), "narrow")


def test_a_backend_without_numbers_says_so(backend):
    with pytest.raises(MissingNumberError, match="backend 'able' exposes no hardware numbers"):
        backend.hardware()
    assert backend.fma_peak() is None and backend.versions() == {} and backend.device() == "host CPU"


@pytest.mark.parametrize(
    ("limits", "text", "reason"),
    [
        (Limits(), "g3ic3ih9iw7oc6kh3kw2sh2sw1ph1pw1dh1dw0", ""),
        (Limits(kernel_sizes=((3, 3), (5, 5))), "ic3ih9oc4kh5", ""),
        (Limits(kernel_sizes=((3, 3), (5, 5))), "ic3ih9iw9oc4kh5kw3", "kernel size 5x3; this kernel does 3x3, 5x5"),
        (Limits(unit_stride=True), "ic3ih9iw9oc4kh3kw3sh1sw2", "stride 1x2"),
        (Limits(no_dilation=True), "ic3ih9oc4kh3dh1", "dilation 1x1"),
        (Limits(no_groups=True), "g3ic3ih9oc3kh3", "3 groups; this kernel does one"),
        (Limits(symmetric_padding=True), "ic3ih9oc4kh3ph1", ""),
    ],
)
def test_limits(limits, text, reason):
    support = limits.check(Problem.parse(text))
    assert support.ok is (reason == "") and reason in support.reason
