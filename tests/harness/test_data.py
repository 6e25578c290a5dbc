"""Inputs: exact to check with, incompressible to time with, both from the seed."""

import zlib

import numpy as np

from harness.contract import Problem
from harness.data import LARGEST_CHECK_VALUE, check_input, timing_input

PROBLEM = Problem.parse("mb2ic7ih19oc3kh3")


def test_check_input_is_small_whole_numbers_of_both_signs():
    x = check_input(PROBLEM, 5)
    assert x.shape == PROBLEM.input_shape and x.dtype == np.float32 and x.flags.c_contiguous
    assert set(np.unique(x)) == set(range(-LARGEST_CHECK_VALUE, LARGEST_CHECK_VALUE + 1))


def test_timing_input_is_incompressible_and_normal():
    x = timing_input(PROBLEM, 5)
    assert x.shape == PROBLEM.input_shape and x.dtype == np.float32 and x.flags.c_contiguous
    assert x.min() >= 0.5 and x.max() < 1.5
    assert len(zlib.compress(x.tobytes(), 9)) > 0.8 * x.nbytes


def test_the_seed_decides():
    for make in (check_input, timing_input):
        assert np.array_equal(make(PROBLEM, 5), make(PROBLEM, 5))
        assert not np.array_equal(make(PROBLEM, 5), make(PROBLEM, 6))
