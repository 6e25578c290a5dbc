"""Wrong input is refused by a message that names the argument, what was found and what is allowed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.conformance.subjects import Subject
from harness.contract import InputError, Plan, Problem
from harness.contract.plan import Array

Wrong = Callable[[Array], object]


def _misaligned(array: Array) -> Array:
    raw = np.empty(array.nbytes + 1, np.uint8)
    shifted = raw[1:].view(np.float32).reshape(array.shape)
    shifted[...] = array
    return shifted


WRONG: dict[str, tuple[Wrong, str]] = {
    "a list": (lambda a: a.tolist(), "list"),
    "None": (lambda a: None, "NoneType"),
    "float64": (lambda a: a.astype(np.float64), "float64"),
    "int32": (lambda a: a.astype(np.int32), "int32"),
    "foreign byte order": (lambda a: a.astype(np.dtype(np.float32).newbyteorder()), "dtype"),
    "one axis less": (lambda a: a[0], "shape"),
    "one more element": (lambda a: np.concatenate([a, a[:1]]), "shape"),
    "empty": (lambda a: a[:0], "shape"),
    "Fortran order": (np.asfortranarray, "contiguous"),
    "every second": (lambda a: np.repeat(a, 2, axis=-1)[..., ::2], "contiguous"),
    "misaligned": (_misaligned, "contiguous"),
}
# out=None is no mistake: it asks for a new array.
PAIRS = [(argument, wrong) for argument in ("weight", "x", "out") for wrong in WRONG if (argument, wrong) != ("out", "None")]


def _problem(subject: Subject) -> Problem:
    kh, kw = (subject.spec.limits.kernel_sizes or ((3, 3),))[0]
    return Problem(1, 2, 4, 9, 9, 8, 10 - kh, 10 - kw, kh, kw)


@pytest.fixture
def weight(subject: Subject) -> Array:
    """Weights of the problem in use."""
    return np.random.default_rng(3).standard_normal(_problem(subject).weight_shape).astype(np.float32)


@pytest.fixture
def plan(subject: Subject, weight: Array) -> Plan:
    """A good plan to misuse."""
    return subject.prepare(_problem(subject), weight)


@pytest.mark.parametrize(("argument", "wrong"), PAIRS, ids=map(" is ".join, PAIRS))
def test_a_wrong_array_is_refused_by_name(subject: Subject, plan: Plan, weight: Array, argument: str, wrong: str) -> None:
    spoil, found = WRONG[wrong]
    x = np.ones(plan.problem.input_shape, np.float32)
    out = np.zeros(plan.problem.output_shape, np.float32)
    with pytest.raises(InputError) as refusal:
        if argument == "weight":
            subject.prepare(plan.problem, spoil(weight))  # type: ignore[arg-type]
        elif argument == "x":
            plan.run(spoil(x))  # type: ignore[arg-type]
        else:
            plan.run(x, out=spoil(out))  # type: ignore[arg-type]
    message = str(refusal.value)
    assert message.startswith(argument), message
    assert found in message, message
    assert "allowed" in message, message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("argument", ["weight", "bias"])
def test_weights_that_are_not_numbers_are_refused(subject: Subject, weight: Array, argument: str, value: float) -> None:
    bias = np.zeros(weight.shape[0], np.float32)
    (weight if argument == "weight" else bias).flat[5] = value
    with pytest.raises(InputError, match=rf"^{argument}\[.*(nan|inf).*finite"):
        subject.prepare(_problem(subject), weight, bias=bias)


def test_a_bias_of_another_length_is_refused(subject: Subject, weight: Array) -> None:
    with pytest.raises(InputError, match=r"^bias has shape \(9,\); allowed: \(8,\)"):
        subject.prepare(_problem(subject), weight, bias=np.zeros(9, np.float32))


def test_a_read_only_out_is_refused(plan: Plan) -> None:
    out = np.zeros(plan.problem.output_shape, np.float32)
    out.flags.writeable = False
    with pytest.raises(InputError, match="out is read-only"):
        plan.run(np.ones(plan.problem.input_shape, np.float32), out=out)


def test_an_out_that_overlaps_x_is_refused(subject: Subject) -> None:
    kh, kw = (subject.spec.limits.kernel_sizes or ((3, 3),))[0]
    problem = Problem(1, 1, 4, kh, kw, 4 * kh * kw, 1, 1, kh, kw)
    plan = subject.prepare(problem, np.ones(problem.weight_shape, np.float32))
    memory = np.ones(problem.input_shape, np.float32)
    with pytest.raises(InputError, match="out shares memory with x"):
        plan.run(memory, out=memory.reshape(problem.output_shape))


def test_an_unknown_option_is_refused_with_the_list(subject: Subject, weight: Array) -> None:
    with pytest.raises(InputError, match="no option 'no_such_option'; allowed: "):
        subject.backend.prepare(_problem(subject), weight, subject.kernel_name, no_such_option=1)
