"""Who is opened for a run: the chosen backend always, engines that give baselines only where something is timed."""

from __future__ import annotations

import pytest

from harness.bench.contenders import open_field
from harness.config import RunConfig
from harness.contract import InputError
from harness.plugins import host


def test_rivals_are_left_alone_where_none_is_wanted():
    notices: list[str] = []
    with open_field(RunConfig(backend={"name": "cpu"}), host(), notices.append, rivals=False) as field:
        assert field.rivals == [] and field.chosen.kernels and not field.absent
    assert notices == ["opening cpu"]


def test_a_wrong_baseline_is_refused_either_way():
    for rivals in (True, False):
        with (
            pytest.raises(InputError, match=r"baselines.*nonesuch"),
            open_field(RunConfig(backend={"name": "cpu"}, baselines=["nonesuch"]), host(), str, rivals=rivals),
        ):
            pass
