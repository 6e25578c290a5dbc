"""Did you mean."""

import pytest

from harness.suggest import did_you_mean


@pytest.mark.parametrize(
    ("word", "choices", "text"),
    [
        ("densty", ["density", "threads"], " Did you mean 'density'?"),
        ("xyz", ["density"], ""),
        ("", ["density"], ""),
        ("a", [], ""),
        ("opencl", iter(["opencl2", "openvino"]), " Did you mean 'opencl2'?"),
    ],
)
def test_nearest(word, choices, text):
    assert did_you_mean(word, choices) == text
