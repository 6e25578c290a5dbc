"""Calibrated kernels on disk: exact round trip, messages."""

from __future__ import annotations

import json

import pytest

from perfmodel import InputError
from perfmodel.kernel import KernelParameters
from perfmodel.kernel_file import CalibratedKernel, as_record, from_record, load_kernel, save_kernel

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
STORED = CalibratedKernel("cpu", "direct_sparse", "acme--toaster", "2026-01-31", FULL)


@pytest.mark.parametrize("kernel", [FULL, KernelParameters()])
def test_round_trips_are_exact(tmp_path, kernel):
    assert from_record(json.loads(json.dumps(as_record(kernel)))) == kernel
    stored = CalibratedKernel("cpu", "direct_sparse", "acme--toaster", "2026-01-31", kernel)
    assert load_kernel(save_kernel(stored, tmp_path / "new" / "k.yaml")) == stored
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["k.yaml"]


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("schema: 1", "schema: 9"), "schema is 9; allowed: 1"),
        (
            ("backend: cpu", "back: cpu"),
            "the file has the keys schema, back, kernel, hardware, date, parameters; allowed: schema, backend, ",
        ),
        (("lanes: 16", "lanes: 0"), "lanes is 0; allowed: a whole number from 1"),
        (("schema", "{"), "cannot be read: "),
    ],
)
def test_wrong_files_are_named(tmp_path, change, message):
    path = save_kernel(STORED, tmp_path / "k.yaml")
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(InputError) as caught:
        load_kernel(path)
    assert str(caught.value).startswith(f"kernel file {str(path)!r}")
    assert message in str(caught.value)


def test_absent_and_empty_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"kernel file .*none\.yaml' cannot be read: "):
        load_kernel(tmp_path / "none.yaml")
    (tmp_path / "empty.yaml").touch()
    with pytest.raises(InputError, match="the file is None; allowed: a mapping"):
        load_kernel(tmp_path / "empty.yaml")
