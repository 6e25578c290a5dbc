"""Engines opened in one process, in either order, do not take each other's libraries away."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest

from harness.contract import InputError
from harness.plugins import host

OPEN = """
import sys, numpy, harness
problem = harness.Problem.parse("ic3ih8oc4kh3ph1")
weight, x = numpy.ones(problem.weight_shape, "f4"), numpy.ones(problem.input_shape, "f4")
answers = [harness.open_backend(name).prepare(problem, weight).run(x) for name in sys.argv[1:]]
assert all(numpy.allclose(answers[0], y) for y in answers)
"""


@pytest.mark.parametrize(("first", "second"), itertools.permutations(("openvino", "opencl", "onednn"), 2))
def test_two_engines_in_one_process(first: str, second: str) -> None:
    for name in (first, second):
        try:
            host().open(name)
        except InputError as error:
            pytest.skip(str(error))
    run = subprocess.run([sys.executable, "-c", OPEN, first, second], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
