"""``task=breakeven``: the projection beside the measurement."""

from __future__ import annotations

import pytest

from harness.tasks.breakeven import _agreement, _cells


def entry(sparsity, projected, reason=""):
    return {"sparsity": sparsity, "projected": projected, "reason": reason, "low": None, "high": None, "baseline": None}


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ([entry(0.40, 0.44), entry(0.40, 0.46)], "projected within 5 points in 1 of 2 layers (50%)"),
        ([entry(None, 0.02, "pays at every density, even with no zeros")], "projected within 5 points in 1 of 1 layers (100%)"),
        ([entry(None, 0.5, "does not pay even at density 0.005")], "projected within 5 points in 0 of 1 layers (0%)"),
        ([entry(0.4, None), {"error": "lost"}], ""),
    ],
)
def test_agreement(entries, text):
    assert _agreement(entries) == text


def test_the_table_shows_both():
    assert _cells(entry(0.40, 0.44))[2:5] == ["40%", "-", "44%"]
    assert _cells(entry(0.40, 0.44) | {"projected_band": [0.4, 0.5]})[4] == "44% (40% to 50%)"
    assert _cells(entry(0.40, None))[4] == "-"
