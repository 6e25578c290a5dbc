"""The right answer: on drawn problems, awkward problems, and every kind of zero."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings

from harness.conformance import oracle
from harness.conformance.cases import AWKWARD, Case, cases, solve
from harness.conformance.oracle import Double, Expected
from harness.conformance.subjects import Subject
from harness.contract import InputError, Limits, Problem
from harness.contract.plan import Array

EXAMPLES = 500
_SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@functools.lru_cache(maxsize=2000)
def wanted(subject: Subject, case: Case) -> Expected:
    """The oracle's answer; for an inexact kernel that with the weights that its plan says it uses."""
    plan = None if subject.spec.exact else subject.prepare(case.problem, case.weight(), bias=case.bias_values(), relu=case.relu)
    used = plan.effective_weight() if plan else None
    return solve(case) if used is None else oracle.expected(case.problem, case.x(), used, case.bias_values(), case.relu)


def tolerance(subject: Subject, case: Case) -> Double:
    """Error allowed of each output, relative to the convolution of absolute values.

    A transform spreads its rounding errors, also over outputs that see padding alone: there the scale of a
    typical output without padding is the least.
    """
    scale = wanted(subject, case).scale
    if subject.spec.transforms:
        scale = np.maximum(scale, np.abs(case.x()).mean() * np.abs(case.weight()).sum() / case.problem.oc)
    allowed: Double = subject.spec.rtol * scale + np.finfo(np.float32).tiny
    return allowed


def check(subject: Subject, case: Case, y: Array) -> None:
    """Fail unless every element of ``y`` is within the kernel's tolerance of the exact result."""
    exact = wanted(subject, case).exact
    assert y.dtype == np.float32
    assert y.shape == case.problem.output_shape
    assert np.isfinite(y).all(), f"{case}: not finite"
    error = np.abs(y - exact)
    allowed = tolerance(subject, case)
    if (error > allowed).any():
        place = np.unravel_index(int((error - allowed).argmax()), y.shape)
        at = tuple(map(int, place))
        pytest.fail(f"{subject} on {case}: y{list(at)} is {y[at]:.8g}, {oracle.NAME} says {exact[at]:.8g}; allowed error {allowed[at]:.1e}")


def solved(subject: Subject, case: Case) -> Array:
    """Prepare and run."""
    plan = subject.prepare(case.problem, case.weight(), bias=case.bias_values(), relu=case.relu)
    return plan.run(case.x())


@functools.cache
def drawn(limits: Limits) -> tuple[Case, ...]:
    """The drawn cases within ``limits``: drawing costs more than solving, and every kernel is asked the same."""
    found: list[Case] = []

    @_SETTINGS
    @given(case=cases(limits))
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return tuple(found)


def shrink(subject: Subject) -> None:
    """Draw again and fail with the smallest case that ``subject`` gets wrong."""

    @_SETTINGS
    @given(case=cases(subject.spec.limits))
    def agrees(case: Case) -> None:
        assume(subject.backend.supports(subject.kernel_name, case.problem).ok)
        check(subject, case, solved(subject, case))

    agrees()


def test_agrees_with_an_independent_convolution(subject: Subject) -> None:
    taken = [case for case in drawn(subject.spec.limits) if subject.backend.supports(subject.kernel_name, case.problem).ok]
    assert taken, "none of the drawn problems is supported: declare the limits"
    try:
        for case in taken:
            check(subject, case, solved(subject, case))
    except Exception:
        shrink(subject)
        raise


@pytest.mark.parametrize("text", AWKWARD, ids=lambda text: text.split('"')[1])
def test_solves_an_awkward_problem_or_says_why_not(subject: Subject, text: str) -> None:
    problem = Problem.parse(text)
    support = subject.backend.supports(subject.kernel_name, problem)
    if not support.ok:
        assert len(support.reason) > 3, "unsupported without a reason"
        with pytest.raises(InputError, match="does not support"):
            subject.prepare(problem, np.ones(problem.weight_shape, np.float32))
        return
    for density in (1.0, 0.15):
        case = Case(problem, density, bias=True, seed=7)
        check(subject, case, solved(subject, case))


@pytest.mark.parametrize("bias", [False, True], ids=["plain", "bias"])
@pytest.mark.parametrize("relu", [False, True], ids=["linear", "relu"])
def test_no_weight_at_all(subject: Subject, bias: bool, relu: bool) -> None:
    case = Case(_medium(subject), density=0.0, bias=bias, relu=relu)
    check(subject, case, solved(subject, case))


def test_negative_zero_is_zero(subject: Subject) -> None:
    case = Case(_medium(subject), density=0.2)
    weight = case.weight()
    weight[weight == 0] = -0.0
    check(subject, case, subject.prepare(case.problem, weight).run(case.x()))


def test_large_and_tiny_values(subject: Subject) -> None:
    case = Case(_medium(subject), density=0.4)
    exact = wanted(subject, case).exact
    for factor in (np.float32(2.0**40), np.float32(2.0**-40)):
        y = subject.prepare(case.problem, case.weight()).run(case.x() * factor)
        assert (np.abs(y / factor - exact) <= tolerance(subject, case)).all()


def _medium(subject: Subject) -> Problem:
    """A problem of a few tiles that every kernel takes."""
    kh, kw = (subject.spec.limits.kernel_sizes or ((3, 3),))[0]
    return Problem(1, 2, 5, 12, 12, 19, 13 - kh, 13 - kw, kh, kw)
