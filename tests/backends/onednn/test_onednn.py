"""PyTorch's convolution as a backend."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (extra torch)")

from backends.host import engine
from backends.onednn.backend import OneDnnBackend
from harness.contract import BackendConfig, InputError, Problem

KERNELS = ("conv_nchw", "conv_channels_last")


@pytest.fixture(scope="module")
def backend():
    return OneDnnBackend(BackendConfig("onednn"))


@pytest.mark.parametrize("kernel", KERNELS)
def test_agrees_with_the_reference(agrees, backend, awkward, kernel):
    agrees(backend, awkward, kernel)
    agrees(backend, awkward, kernel, bias=False, relu=False, density=1.0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_two_threads_agree(agrees, kernel):
    agrees(OneDnnBackend(BackendConfig("onednn"), threads=2), Problem.parse("mb3ic16ih20oc24kh3ph1"), kernel)


@pytest.mark.parametrize("kernel", KERNELS)
def test_all_zero_weights(agrees, backend, kernel):
    agrees(backend, Problem.parse("ic3ih7oc4kh3ph1"), kernel, density=0.0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_wrong_arrays_are_refused(refuses, backend, kernel):
    refuses(backend, kernel)


@pytest.mark.parametrize("kernel", KERNELS)
def test_one_plan_serves_many_threads(shares, backend, kernel):
    shares(backend, kernel)


def test_versions_name_torch_and_onednn(backend):
    assert set(backend.versions()) == {"torch", "oneDNN"}


def test_absent_engine_names_the_extra(monkeypatch):
    monkeypatch.setattr(engine, "_exists", lambda module: False)
    assert OneDnnBackend.available(BackendConfig()).reason == "oneDNN is not installed: no module 'torch'; the extra 'torch' brings it"
    with pytest.raises(InputError, match="the extra 'torch'"):
        OneDnnBackend(BackendConfig())
