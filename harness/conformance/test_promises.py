"""What a plan promises beside the right answer: memory, threads, clocks, words."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from harness.conformance.cases import Case
from harness.conformance.subjects import Subject
from harness.conformance.test_results import check
from harness.contract import InputError, Problem, Status
from harness.contract.kernel import Method
from harness.contract.plan import Array
from harness.verify import relative_error

CLOCK_S = 1e-6


@pytest.fixture
def case(subject: Subject) -> Case:
    """A problem that every kernel takes, a fifth of its weights left."""
    kh, kw = (subject.spec.limits.kernel_sizes or ((3, 3),))[0]
    return Case(Problem(1, 2, 6, 14, 14, 18, 15 - kh, 15 - kw, kh, kw), density=0.2, bias=True)


def test_writes_all_of_out_and_returns_it(subject: Subject, case: Case) -> None:
    plan = subject.prepare(case.problem, case.weight(), bias=case.bias_values())
    out = np.full(case.problem.output_shape, np.nan, np.float32)
    assert plan.run(case.x(), out=out) is out
    check(subject, case, out)


def test_never_overwrites_an_earlier_result(subject: Subject, case: Case) -> None:
    plan = subject.prepare(case.problem, case.weight(), bias=case.bias_values())
    first = plan.run(case.x())
    kept = first.copy()
    second = plan.run(case.x() * np.float32(3))
    assert not np.shares_memory(first, second)
    np.testing.assert_array_equal(first, kept)
    check(subject, case, first)


def test_leaves_its_arguments_alone(subject: Subject, case: Case) -> None:
    weight, bias, x = case.weight(), case.bias_values(), case.x()
    plan = subject.prepare(case.problem, weight, bias=bias)
    plan.run(x)
    for array, before in ((weight, case.weight()), (bias, case.bias_values()), (x, case.x())):
        np.testing.assert_array_equal(array, before)


def test_keeps_its_own_copy_of_the_weights(subject: Subject, case: Case) -> None:
    weight, bias = case.weight(), case.bias_values()
    plan = subject.prepare(case.problem, weight, bias=bias)
    weight[...] = 99
    if bias is not None:
        bias[...] = 99
    check(subject, case, plan.run(case.x()))


def test_takes_read_only_arrays(subject: Subject, case: Case) -> None:
    weight, x = case.weight(), case.x()
    weight.flags.writeable = x.flags.writeable = False
    check(subject, case, subject.prepare(case.problem, weight, bias=case.bias_values()).run(x))


def test_plans_live_side_by_side(subject: Subject, case: Case) -> None:
    other = Case(case.problem, density=0.6, bias=True, seed=5)
    plans = [(c, subject.prepare(c.problem, c.weight(), bias=c.bias_values())) for c in (case, other)]
    for c, plan in plans * 2:
        check(subject, c, plan.run(c.x()))


def test_one_plan_serves_several_threads(subject: Subject, case: Case) -> None:
    plan = subject.prepare(case.problem, case.weight(), bias=case.bias_values())
    inputs = [case.x() * np.float32(factor) for factor in (1, 2, 3, 4)]
    alone = [plan.run(x) for x in inputs]

    def again(index: int) -> Array:
        return plan.run(inputs[index % 4])

    with ThreadPoolExecutor(4) as pool:
        for index, y in enumerate(pool.map(again, range(40))):
            np.testing.assert_allclose(y, alone[index % 4], rtol=1e-4, atol=1e-4)


def test_clocks_are_in_order(subject: Subject, case: Case) -> None:
    plan = subject.prepare(case.problem, case.weight())
    assert plan.prepare_s > 0
    for _ in range(3):
        _, clocks = plan.run_clocked(case.x())
        assert 0 < clocks.kernel_s <= clocks.end_to_end_s + CLOCK_S
        assert clocks.device_s is None or 0 <= clocks.device_s <= clocks.end_to_end_s + CLOCK_S


def test_a_plan_says_what_it_is(subject: Subject, case: Case) -> None:
    weight = case.weight()
    plan = subject.prepare(case.problem, weight, relu=True)
    assert plan.explain().strip()
    assert (plan.problem, plan.kernel, plan.relu) == (case.problem, subject.spec, True)
    assert plan.density == pytest.approx(np.count_nonzero(weight) / weight.size)
    assert (plan.backend, plan.threads) == (subject.backend_name, subject.threads)


def test_states_the_error_of_the_weights_it_uses(subject: Subject, case: Case) -> None:
    plan = subject.prepare(case.problem, case.weight())
    used = plan.effective_weight()
    if subject.spec.exact:
        assert plan.approximation is None
        assert used is None
    elif used is not None:
        assert used.dtype == np.float32
        assert plan.approximation == pytest.approx(relative_error(case.weight(), used), abs=1e-4)


def test_the_declaration_is_complete(subject: Subject) -> None:
    spec, backend = subject.spec, subject.backend
    names = [kernel.name for kernel in backend.kernels()]
    assert len(set(names)) == len(names)
    assert spec.method in Method.__args__  # type: ignore[attr-defined]
    assert spec.summary.strip()
    assert 0 < spec.rtol < 1e-2
    assert all(text.strip() for text in spec.options.values()), "an option without a word of explanation"
    assert backend.name == subject.backend_name
    assert backend.device().strip()
    assert backend.devices()
    assert all(backend.versions().values())
    assert "passed" in Status.__args__  # type: ignore[attr-defined]


def test_an_unknown_kernel_is_refused_with_the_list(subject: Subject) -> None:
    with pytest.raises(InputError, match=subject.kernel_name):
        subject.backend.supports("no_such_kernel", Problem.parse("ic1ih1oc1kh1"))
