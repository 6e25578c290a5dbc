"""What each dense engine that is used whole has to do: ONNX Runtime and OpenVINO."""

from __future__ import annotations

from importlib import import_module

import pytest

from harness.contract import BackendConfig, Problem

ENGINES = {  # extra, class, modules
    "onnxruntime": ("onnx", "OnnxRuntimeBackend", ("onnxruntime", "onnx")),
    "openvino": ("openvino", "OpenVinoBackend", ("openvino",)),
}


@pytest.fixture(scope="module", params=ENGINES)
def kind(request):
    extra, name, modules = ENGINES[request.param]
    for module in modules:
        pytest.importorskip(module, reason=f"{module} is not installed (extra {extra})")
    return getattr(import_module(f"backends.{request.param}.backend"), name)


@pytest.fixture(scope="module")
def backend(kind):
    return kind(BackendConfig())


def test_agrees_with_the_reference(agrees, backend, awkward):
    agrees(backend, awkward, "conv")
    agrees(backend, awkward, "conv", bias=False, relu=False, density=1.0)


def test_two_threads_agree(agrees, kind):
    agrees(kind(BackendConfig(), threads=2), Problem.parse("mb3ic16ih20oc24kh3ph1"), "conv")


def test_all_zero_weights(agrees, backend):
    agrees(backend, Problem.parse("ic3ih7oc4kh3ph1"), "conv", density=0.0)


def test_wrong_arrays_are_refused(refuses, backend):
    refuses(backend, "conv")


def test_one_plan_serves_many_threads(shares, backend):
    shares(backend, "conv")
