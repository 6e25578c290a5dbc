"""``task=project`` inside this process: the table, the fastest method, and what is refused."""

from __future__ import annotations

import pytest

ATOM = ("task=project", "hardware=atom-c2750", "problem=ic64ih14oc64kh3ph1")


def test_the_papers_model_on_hardware_that_is_not_here(call):
    result = call(*ATOM, "density=[0.1,1.0]")
    assert result["code"] == 0
    assert "direct_sparse on" not in result["err"]
    assert "the paper's model" in result["out"]
    for words in ("fastest at 0.1", "fastest at 1", "paper x8.33", "C / F (paper) x1.20"):
        assert words in result["out"], result["out"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("hardware=toaster",), "toaster"),
        (("hardware=atom-c2750", "density=1.5"), "density is 1.5; allowed: numbers from 0 to 1"),
    ],
)
def test_refusals(call, words, message):
    result = call("task=project", "problem=ic64ih14oc64kh3ph1", *words)
    assert result["code"] == 2
    assert message in result["err"]


def test_a_backend_without_sparse_kernels_is_refused(call):
    result = call("task=project", "+backend=reference", "problem=ic4ih6oc4kh3ph1")
    assert result["code"] == 2
    assert "backend 'reference' has no" in result["err"]
