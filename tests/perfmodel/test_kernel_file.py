"""Kernel parameters as plain values: exact round trip, messages."""

from __future__ import annotations

import json

import pytest
import yaml

from perfmodel import InputError
from perfmodel.kernel import KernelParameters
from perfmodel.kernel_file import as_record, from_record

FULL = KernelParameters(
    lanes=16,
    tile=28,
    narrower=(8, 4),
    across_images=False,
    layouts=("flat",),
    alpha=1.6,
    beta=2.5,
    costs={"multiply": 1.1, "call": 1e5 / 3},
    band=(0.9, 1.2),
    probed={"density": (0.02, 0.5)},
    probes=("ic3ih5oc4kh3 density 0.1",),
)


@pytest.mark.parametrize("kernel", [FULL, KernelParameters()])
def test_round_trips_are_exact(kernel):
    assert from_record(json.loads(json.dumps(as_record(kernel)))) == kernel
    assert from_record(yaml.safe_load(yaml.safe_dump(as_record(kernel)))) == kernel


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([1], r"kernel parameters are \[1\]; allowed: a mapping of lanes, tile, "),
        ({"lane": 8}, "kernel parameters have the unknown field 'lane'; allowed: lanes, tile, "),
        ({"lanes": "8"}, "lanes is '8'; allowed: a whole number from 1"),
        ({"probed": 7}, "kernel parameters cannot be read: "),
        ({"probed": {"density": [1]}}, "kernel parameters cannot be read: "),
        ({"band": [3.0, 1.0]}, r"band is \(3\.0, 1\.0\); allowed: \(least, greatest\), both positive"),
        ({"layouts": 7}, "kernel parameters cannot be read: "),
    ],
)
def test_wrong_parameters_are_named(record, message):
    with pytest.raises(InputError, match=message):
        from_record(record)
