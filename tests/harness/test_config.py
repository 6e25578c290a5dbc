"""The configuration's own checks: field, value and what is allowed."""

import dataclasses

import pytest

from harness.config import MeasureConfig, RunConfig, as_list, check_config, check_keys
from harness.contract import InputError


def test_the_defaults_are_fine():
    check_config(RunConfig())
    check_keys(dataclasses.asdict(RunConfig()))


@pytest.mark.parametrize(("value", "listed"), [(None, []), (3, [3]), ("ab", ["ab"]), ([1, 2], [1, 2]), ((1,), [1]), ([], [])])
def test_as_list(value, listed):
    assert as_list(value) == listed


@pytest.mark.parametrize(
    "fields",
    [
        {"density": 0},
        {"density": 1},
        {"density": [0.1, 1.0]},
        {"batch": [1, 64]},
        {"report": ["csv"]},
        {"task": "validate", "report": ["csv", "plots"]},
        {"job": "a.b_c-1"},
    ],
)
def test_good_values(fields):
    check_config(RunConfig(**fields))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"density": 1.01}, "density is 1.01; allowed: numbers from 0 to 1"),
        ({"density": -0.1}, "density is -0.1"),
        ({"density": [0.1, float("nan")]}, "density is nan"),
        ({"density": "x"}, "density is 'x'"),
        ({"density": True}, "density is True"),
        ({"batch": 0}, "batch is 0; allowed: a whole number of at least 1"),
        ({"batch": [1, 2.5]}, "batch is 2.5"),
        ({"batch": True}, "batch is True"),
        ({"threads": 0}, "threads is 0; allowed: a whole number from 1 to 1024"),
        ({"seed": -1}, "seed is -1; allowed: a whole number of at least 0"),
        ({"measure": MeasureConfig(repetitions=0)}, "measure.repetitions is 0"),
        ({"measure": MeasureConfig(cold=-1)}, "measure.cold is -1"),
        ({"measure": MeasureConfig(timeout_s=0)}, "measure.timeout_s is 0; allowed: more than 0 seconds"),
        ({"measure": MeasureConfig(patience_s=-1.0)}, "measure.patience_s is -1.0; allowed: 0 to 60 seconds"),
        ({"measure": MeasureConfig(timeout_s=float("nan"))}, "measure.timeout_s is nan"),
        ({"problem": "a", "problems": "b"}, "problem and problems are both given; allowed: one of them"),
        ({"report": "xls"}, "report is 'xls'; allowed for task=bench: csv"),
        ({"task": "plugins", "report": "csv"}, "report is 'csv'; allowed for task=plugins: none"),
        ({"batch": []}, "batch is []; allowed: a whole number or a list"),
        ({"task": "bnch"}, "task is 'bnch'; allowed: bench, breakeven"),
        ({"report": ["csv", 3]}, "report is 3"),
        ({"job": "a/b"}, "job is 'a/b'; allowed: letters, digits"),
        ({"options": [1]}, "options is [1]; allowed: a mapping"),
        ({"resume": ""}, "resume is empty"),
        ({"results": ""}, "results is empty"),
        ({"problem": ""}, "problem is empty"),
    ],
)
def test_bad_values(fields, words):
    with pytest.raises(InputError) as caught:
        check_config(RunConfig(**fields))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"densty": 1}, ["unknown key 'densty'", "allowed: task, backend", "Did you mean 'density'?"]),
        ({"measure": {"cld": 1}}, ["unknown key 'measure.cld'", "repetitions, cold, timeout_s", "Did you mean 'cold'?"]),
        ({3: 1}, ["unknown key '3'"]),
    ],
)
def test_unknown_keys(keys, words):
    with pytest.raises(InputError) as caught:
        check_keys(keys)
    for word in words:
        assert word in str(caught.value)
