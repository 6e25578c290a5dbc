"""Chains of factors: they compute with the weights they state, and those are as near as was asked."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (extra onnx)")
pytest.importorskip("onnx", reason="ONNX is not installed (extra onnx)")
pytest.importorskip("tensorly", reason="TensorLy is not installed (extra factor)")

from backends.host import engine
from backends.onnxruntime import cp, tucker
from backends.onnxruntime.backend import OnnxRuntimeBackend
from backends.reference.backend import convolve
from harness.contract import BackendConfig, InputError, Problem
from perfmodel.methods import LowRank

KERNELS = ("tucker2", "cp")


@pytest.fixture(scope="module")
def backend():
    return OnnxRuntimeBackend(BackendConfig("onnxruntime"))


def _off(weight, other):
    return float(np.linalg.norm(weight - other) / np.linalg.norm(weight))


def _computes_with_its_weights(plan, rng, bias):
    p, used = plan.problem, plan.effective_weight()
    x = rng.standard_normal(p.input_shape, np.float32)
    expected = np.maximum(convolve(p, x, used) + bias[:, None, None], 0)
    scale = convolve(p, np.abs(x), np.abs(used)) + np.abs(bias)[:, None, None]
    assert (np.abs(plan.run(x) - expected) <= 2e-5 * scale).all()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("options", [{}, {"rank": 1}, {"error": 0.4}], ids=["default", "rank 1", "error 0.4"])
def test_runs_the_weights_that_it_states(backend, awkward, rng, kernel, options):
    weight, bias = rng.standard_normal(awkward.weight_shape, np.float32), rng.standard_normal(awkward.oc, np.float32)
    plan = backend.prepare(awkward, weight, kernel, bias=bias, relu=True, **options)
    _computes_with_its_weights(plan, rng, bias)
    assert plan.approximation == pytest.approx(_off(weight, plan.effective_weight()), abs=1e-6)
    if "rank" not in options:
        assert plan.approximation <= options.get("error", 0.1)
    assert f"error of the weights {plan.approximation:.2%}" in plan.explain()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("kept", [0.7, 0.0], ids=["random", "zeros"])
def test_a_share_of_the_full_rank_gives_the_chain_that_the_model_counts(backend, rng, kernel, kept):
    problem = Problem.parse("g2mb2ic16ih9oc24kh3ph1")
    weight = (rng.standard_normal(problem.weight_shape) * kept).astype(np.float32)
    plan = backend.prepare(problem, weight, kernel, relu=True, share=0.25)
    _computes_with_its_weights(plan, rng, np.zeros(problem.oc, np.float32))
    first, *_, last = LowRank(kernel).chain(problem, 0.25)
    words = f"ranks {first.oc // 2} (in) and {last.ic // 2} (out)" if kernel == "tucker2" else f"rank {first.oc // 2}"
    assert words in plan.explain()


def test_tucker2_finds_weights_of_low_rank_again(backend, rng):
    problem = Problem.parse("g2ic12ih9oc16kh3ph1sh2")
    core = rng.standard_normal((2, 3, 2, 3, 3))
    full = np.einsum("gos,gsrhw,gir->goihw", rng.standard_normal((2, 8, 3)), core, rng.standard_normal((2, 6, 2)))
    weight = full.reshape(problem.weight_shape).astype(np.float32)
    for options in ({"rank": (2, 3)}, {"error": 0.001}):
        plan = backend.prepare(problem, weight, "tucker2", **options)
        assert "ranks 2 (in) and 3 (out) of each of 2 groups" in plan.explain()
        assert plan.approximation < 1e-6
    assert backend.prepare(problem, weight, "tucker2", rank=[2, 2]).approximation > 0.1


def test_cp_finds_weights_of_low_rank_again(backend, rng):
    problem = Problem.parse("ic12ih9oc16kh3ph1")
    factors = [rng.standard_normal((size, 4)) for size in (16, 12, 3, 3)]
    weight = np.einsum("or,ir,hr,wr->oihw", *factors).astype(np.float32)
    plan = backend.prepare(problem, weight, "cp", error=0.02)
    assert plan.approximation <= 0.02
    rank = int(plan.explain().split("rank ")[1].split(";")[0])
    assert 4 <= rank <= 8, "bisection stops near the fewest terms"
    assert backend.prepare(problem, weight, "cp", rank=rank).approximation <= 0.02


def test_tucker2_error_of_every_pair_is_that_of_the_cut_unfoldings(rng):
    """The pair found is the cheapest of all whose truncated singular vectors keep the error, by trying every one."""
    problem = Problem.parse("ic5ih8oc6kh3ph1")
    weight = rng.standard_normal((1, 6, 5, 3, 3))
    left = np.linalg.svd(weight[0].reshape(6, -1))[0]
    right = np.linalg.svd(weight[0].transpose(1, 0, 2, 3).reshape(5, -1))[0]
    cost = {}
    for r_in in range(1, 6):
        for r_out in range(1, 7):
            u, v = left[:, :r_out], right[:, :r_in]
            kept = np.einsum("op,pj,jihw,ik,kl->olhw", u, u.T, weight[0], v, v.T.copy(), optimize=True)
            if _off(weight[0], kept) <= 0.5:
                cost[r_in, r_out] = 64 * (r_in * 5 + r_in * r_out * 9 + r_out * 6)
    assert tucker.smallest_ranks(weight, problem, 0.5) == min(cost, key=cost.__getitem__)


def test_taps_of_cp_are_exact_when_all_are_kept(rng):
    weight = rng.standard_normal((2, 4, 3, 3, 2))
    np.testing.assert_allclose(cp.by_taps(weight).weight(), weight, atol=1e-12)


def test_least_squares_only_improve(rng):
    weight = rng.standard_normal((1, 8, 6, 3, 3))
    start = cp.by_taps(weight).cut(9)
    assert _off(weight, cp.factorise(weight, 9).weight()) < _off(weight, start.weight())


@pytest.mark.parametrize("kernel", KERNELS)
def test_all_zero_weights(backend, rng, kernel):
    problem = Problem.parse("g2ic4ih7oc6kh3ph1")
    plan = backend.prepare(problem, np.zeros(problem.weight_shape, np.float32), kernel)
    assert plan.approximation == 0
    assert not plan.run(rng.standard_normal(problem.input_shape, np.float32)).any()


@pytest.mark.parametrize("kernel", KERNELS)
def test_channels_without_weights_stay_without(backend, rng, kernel):
    problem = Problem.parse("ic6ih7oc8kh3ph1")
    weight = rng.standard_normal(problem.weight_shape, np.float32)
    weight[[1, 4]], weight[:, 2] = 0, 0
    used = backend.prepare(problem, weight, kernel).effective_weight()
    assert not used[[1, 4]].any()
    assert not used[:, 2].any()


@pytest.mark.parametrize("kernel", KERNELS)
def test_two_preparations_give_the_same_weights(backend, rng, kernel):
    problem = Problem.parse("ic6ih7oc8kh3ph1")
    weight = rng.standard_normal(problem.weight_shape, np.float32)
    first, second = (backend.prepare(problem, weight, kernel).effective_weight() for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("kernel", "options", "words"),
    [
        ("tucker2", {"rank": 0}, r"rank is 0; allowed: a whole number or a pair, from 1 to 3 \(in\) and 4 \(out\)"),
        ("tucker2", {"rank": (4, 4)}, r"rank is \(4, 4\); allowed"),
        ("tucker2", {"rank": [1, 2, 3]}, r"rank is \[1, 2, 3\]; allowed"),
        ("tucker2", {"rank": 1.5}, r"rank is 1.5; allowed"),
        ("cp", {"rank": 28}, "rank is 28; allowed: a whole number from 1 to 27"),
        ("cp", {"rank": (2, 2)}, r"rank is \(2, 2\); allowed: a whole number"),
        ("cp", {"rank": True}, "rank is True; allowed"),
        ("cp", {"error": 1.0}, "error is 1.0; allowed: a number from 1e-05 to below 1"),
        ("tucker2", {"error": "small"}, "error is 'small'; allowed"),
        ("tucker2", {"error": float("nan")}, "error is nan; allowed"),
        ("tucker2", {"rank": 2, "error": 0.1}, "rank is 2 and error is 0.1; allowed: one of them"),
        ("cp", {"share": 0.2, "error": 0.1}, "share is 0.2 and error is 0.1; allowed: one of them"),
        ("cp", {"share": 0.0}, "share is 0.0; allowed: a number above 0, at most 1"),
        ("tucker2", {"share": True}, "share is True; allowed: a number above 0, at most 1"),
    ],
)
def test_wrong_options_are_refused(backend, kernel, options, words):
    problem = Problem.parse("ic3ih7oc4kh3ph1")
    with pytest.raises(InputError, match=words):
        backend.prepare(problem, np.ones(problem.weight_shape, np.float32), kernel, **options)


@pytest.mark.parametrize("kernel", KERNELS)
def test_absent_library_names_the_extra(monkeypatch, backend, kernel):
    monkeypatch.setattr(engine, "_exists", lambda module: module != "tensorly")
    problem = Problem.parse("ic3ih7oc4kh3ph1")
    reason = "TensorLy is not installed: no module 'tensorly'; the extra 'factor' brings it"
    assert backend.supports(kernel, problem) == (False, reason)
    assert backend.supports("conv", problem).ok
    with pytest.raises(InputError, match="the extra 'factor'"):
        backend.prepare(problem, np.ones(problem.weight_shape, np.float32), kernel)
