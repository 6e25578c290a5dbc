"""Inputs: exact small integers to check with, incompressible random numbers to time with."""

from __future__ import annotations

import numpy as np

from harness.contract import Problem
from harness.contract.plan import Array

LARGEST_CHECK_VALUE = 4


def check_input(problem: Problem, seed: int) -> Array:
    """Small integers of both signs, NCHW: a wrong index cannot hide in rounding."""
    generator = np.random.default_rng([seed, 1])
    return generator.integers(-LARGEST_CHECK_VALUE, LARGEST_CHECK_VALUE + 1, problem.input_shape).astype(np.float32)


def timing_input(problem: Problem, seed: int) -> Array:
    """Random mantissas in [0.5, 1.5), NCHW: incompressible, no denormals, no zeros."""
    generator = np.random.default_rng([seed, 2])
    return generator.random(problem.input_shape, np.float32) + np.float32(0.5)
