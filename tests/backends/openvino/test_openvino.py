"""OpenVINO's convolution as a backend."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("openvino", reason="OpenVINO is not installed (extra openvino)")

from backends.host import engine
from backends.openvino.backend import OpenVinoBackend
from harness.contract import BackendConfig, InputError, Problem


@pytest.fixture(scope="module")
def backend():
    return OpenVinoBackend(BackendConfig("openvino"))


def test_arithmetic_is_float32_and_not_bfloat16(backend):
    problem = Problem.parse("ic1ih4oc1kh1")
    x = np.full(problem.input_shape, 1 + 2.0**-20, np.float32)
    y = backend.prepare(problem, np.ones(problem.weight_shape, np.float32)).run(x)
    np.testing.assert_array_equal(y, x)


def test_versions(backend):
    assert set(backend.versions()) == {"openvino"}


def test_absent_engine_names_the_extra(monkeypatch):
    monkeypatch.setattr(engine, "_exists", lambda module: False)
    reason = OpenVinoBackend.available(BackendConfig()).reason
    assert reason == "OpenVINO is not installed: no module 'openvino'; the extra 'openvino' brings it"
    with pytest.raises(InputError, match="the extra 'openvino'"):
        OpenVinoBackend(BackendConfig())
