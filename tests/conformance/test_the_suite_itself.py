"""The suite sees mistakes: two oracles agree, wrong kernels fail, wrong options are explained."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings

from harness.conformance import oracle
from harness.conformance.cases import Case, awkward, cases, solve
from harness.conformance.subjects import Subject, subjects
from harness.conformance.test_results import check, drawn, solved
from harness.contract import InputError, Limits, Problem

CASE = Case(Problem.parse("mb2ic3ih7oc5kh3ph1"), density=0.5, bias=True)


@pytest.fixture
def subject() -> Subject:
    return subjects("reference")[0]


def pytest_run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "harness.conformance", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@settings(deadline=None, derandomize=True, max_examples=60, database=None)
@given(case=cases(Limits()))
def test_two_oracles_agree(case: Case) -> None:
    pytest.importorskip("torch")
    p = case.problem
    bottom, right = p.end_padding
    padded = np.pad(case.x().astype(np.float64), ((0, 0), (0, 0), (p.ph, bottom), (p.pw, right)))
    weight = case.weight().astype(np.float64)
    np.testing.assert_allclose(oracle._torch(p, padded, weight), oracle._einsum(p, padded, weight), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("spoil", ["shifted", "one element", "no bias", "not a number"])
def test_a_wrong_result_fails(subject: Subject, spoil: str) -> None:
    y = solved(subject, CASE)
    check(subject, CASE, y)
    if spoil == "shifted":
        y = np.roll(y, 1, axis=-1)
    elif spoil == "one element":
        y[1, 4, 6, 6] *= np.float32(1.001)
    elif spoil == "no bias":
        y = y - CASE.bias_values()[:, None, None]  # type: ignore[index]
    else:
        y[0, 0, 0, 0] = np.nan
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(subject, CASE, y)


@pytest.mark.parametrize("limits", [Limits(), Limits(kernel_sizes=((3, 3),), unit_stride=True, no_dilation=True, no_groups=True)])
def test_cases_stay_within_limits_and_reach_every_corner(limits: Limits) -> None:
    found = drawn(limits)
    assert len(found) >= 500
    assert all(limits.check(case.problem).ok for case in found)
    assert {0.0, 1.0} < {case.density for case in found}
    assert {case.bias for case in found} == {case.relu for case in found} == {True, False}
    assert any(case.problem.end_padding != (case.problem.ph, case.problem.pw) for case in found)
    if not limits.no_groups:
        assert {case.problem.g for case in found} == {1, 2, 3}
        assert any(case.problem.sh != case.problem.sw for case in found)
    assert awkward(limits)


def test_the_same_case_gives_the_same_arrays() -> None:
    np.testing.assert_array_equal(CASE.weight(), CASE.weight())
    assert solve(CASE) is solve(CASE)


def test_prepare_options_go_to_the_kernels_that_declare_them() -> None:
    assert all(not subject.prepare_options for subject in subjects("reference", prepare_options={"variant": "x"}))
    with pytest.raises(InputError, match="unknown backend 'no_such'; installed: "):
        subjects("no_such")


def test_without_a_backend_the_installed_ones_are_listed() -> None:
    run = pytest_run()
    assert run.returncode == pytest.ExitCode.USAGE_ERROR or "need --backend NAME; installed: " in run.stdout
    assert "reference" in run.stdout + run.stderr


def test_an_unknown_backend_or_a_bad_option_is_explained() -> None:
    run = pytest_run("--backend", "no_such")
    assert "unknown backend 'no_such'" in run.stdout + run.stderr
    run = pytest_run("--backend", "reference", "--backend-option", "nonsense")
    assert "--backend-option is 'nonsense'; allowed: KEY=VALUE" in run.stdout + run.stderr
