"""Engines opened in one process, in either order, do not take each other's libraries away."""

from __future__ import annotations

import functools
import itertools
import subprocess
import sys

import pytest

OPEN = """
import sys, numpy, harness
problem = harness.Problem.parse("ic3ih8oc4kh3ph1")
weight, x = numpy.ones(problem.weight_shape, "f4"), numpy.ones(problem.input_shape, "f4")
answers = [harness.open_backend(name).prepare(problem, weight).run(x) for name in sys.argv[1:]]
assert all(numpy.allclose(answers[0], y) for y in answers)
"""


def run(*names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", OPEN, *names], capture_output=True, text=True, check=False)


@functools.cache
def missing(name: str) -> str:
    """Why ``name`` does not even work alone, or an empty string."""
    alone = run(name)
    return "" if alone.returncode == 0 else alone.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(("first", "second"), itertools.permutations(("openvino", "opencl", "onednn"), 2))
def test_two_engines_in_one_process(first: str, second: str) -> None:
    for name in (first, second):
        if reason := missing(name):
            pytest.skip(reason)
    together = run(first, second)
    assert together.returncode == 0, together.stderr[-2000:]
