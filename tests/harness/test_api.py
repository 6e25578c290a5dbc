"""The public functions as the design prints them."""

import numpy as np
import pytest

import harness


def test_the_printed_example(rng):
    backend = harness.open_backend("cpu", threads=1)
    problem = harness.Problem.parse('g2mb1ic8ih9oc16oh9kh5ph2n"alexnet:conv2"')
    weight = np.where(rng.random(problem.weight_shape) < 0.2, rng.standard_normal(problem.weight_shape), 0).astype(np.float32)
    plan = backend.prepare(problem, weight, kernel="direct_sparse", bias=None, relu=False)
    x = rng.standard_normal(problem.input_shape).astype(np.float32)
    y = plan.run(x)
    kept = y.copy()
    assert np.allclose(y, harness.open_backend("reference").prepare(problem, weight).run(x), atol=1e-4)
    plan.run(-x)
    assert np.array_equal(y, kept), "an earlier result was overwritten"
    m = harness.measure(plan, x)
    assert m.median_s > 0 and m.clocks.kernel_s > 0 and m.repetitions >= 15 and m.peak_gflops > 0 and m.spread >= 0
    assert "direct_sparse" in plan.explain()
    assert backend.kernels()[0].name == "direct_sparse" and backend.kernels()[0].method == "direct_sparse"
    assert backend.supports("direct_sparse", problem) == (True, "")
    assert backend.hardware().peak_flops > 1e9
    projection = harness.project(problem, density=0.1, backend=backend, kernel="direct_sparse")
    assert 0 < projection.low_s <= projection.median_s <= projection.high_s and projection.bound and projection.speedup > 0
    found = harness.useful_range(problem, backend=backend)
    assert found.reason or 0 <= found.low <= found.high <= 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: harness.open_backend("cup"), "unknown backend 'cup'; installed: .*cpu.*Did you mean 'cpu'"),
        (lambda: harness.open_backend("cpu", threads=0), "threads is 0; allowed: a whole number from 1 to 1024"),
        (lambda: harness.open_backend(None), "backend is None; allowed: one of .*cpu"),
        (lambda: harness.open_backend("reference", colour="red"), "backend 'reference' has no option 'colour'"),
        (lambda: harness.project(harness.Problem.parse("ic1ih3oc1kh1"), 1.5, harness.open_backend("cpu")), "density"),
        (lambda: harness.project(harness.Problem.parse("ic1ih3oc1kh1"), 0.5, harness.open_backend("cpu"), "x"), "no kernel 'x'; allowed"),
        (lambda: harness.project("ic1", 0.5, harness.open_backend("cpu")), "problem is 'ic1'; allowed: a Problem"),
        (lambda: harness.project(harness.Problem.parse("ic1ih3oc1kh1"), 0.5, "cpu"), "backend is 'cpu'; allowed: a Backend"),
        (
            lambda: harness.project(harness.Problem.parse("ic1ih3oc1kh1"), "0.5", harness.open_backend("cpu")),
            "density is '0.5'; allowed: a n",
        ),
        (lambda: harness.measure("plan", None), "plan is 'plan'; allowed: a Plan"),
        (lambda: harness.useful_range(harness.Problem.parse("ic1ih3oc1kh1"), harness.open_backend("reference")), "no sparse kernel"),
    ],
)
def test_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_unknown_attributes_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'open_backen'"):
        _ = harness.open_backen
    assert set(harness.__all__) <= set(dir(harness))
