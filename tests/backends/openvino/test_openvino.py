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


def test_agrees_with_the_reference(agrees, backend, awkward):
    agrees(backend, awkward, "conv")
    agrees(backend, awkward, "conv", bias=False, relu=False, density=1.0)


def test_two_threads_agree(agrees):
    agrees(OpenVinoBackend(BackendConfig("openvino"), threads=2), Problem.parse("mb3ic16ih20oc24kh3ph1"), "conv")


def test_all_zero_weights(agrees, backend):
    agrees(backend, Problem.parse("ic3ih7oc4kh3ph1"), "conv", density=0.0)


def test_wrong_arrays_are_refused(refuses, backend):
    refuses(backend, "conv")


def test_one_plan_serves_many_threads(shares, backend):
    shares(backend, "conv")


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
