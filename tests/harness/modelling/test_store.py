"""Calibrations are found by kernel, device and model; two devices of one machine do not mix."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest

from harness.contract import Hardware, KernelSpec, Quantity
from harness.modelling import store
from harness.modelling.calibrated import calibrated
from harness.modelling.outlook import find_kernel
from harness.modelling.store import ModelledKernel
from perfmodel.kernel import KernelParameters

SPEC = KernelSpec("sparse", "direct_sparse", "")
GPU, CPU, NEWER = (
    Hardware(vendor, device, driver, {"peak_flops": Quantity(peak, "FLOP/s", "measured")})
    for vendor, device, driver, peak in (("v", "gpu", "1.0", 1e12), ("v", "cpu", "1.0", 1e11), ("v", "gpu", "2.0", 1e12))
)


def kept(backend: str, hardware: Hardware, cost: float) -> ModelledKernel:
    """Store a calibration whose one cost tells it apart."""
    kernel = ModelledKernel.declared(backend, SPEC, 1, hardware)
    kernel = dataclasses.replace(kernel, parameters=KernelParameters(costs={"multiply": cost}), date="2026-01-31")
    store.save(kernel)
    return kernel


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_two_devices_of_one_backend_keep_their_own_calibrations():
    kept("opencl", GPU, 1.0)
    kept("opencl", CPU, 2.0)
    for hardware, cost in ((GPU, 1.0), (CPU, 2.0)):
        found = store.find("opencl", SPEC, 1, hardware)
        assert found is not None
        assert (found.parameters.costs, found.hardware.key, found.name) == ({"multiply": cost}, hardware.key, "opencl sparse")
        assert find_kernel("opencl", SPEC, 1, hardware) == found
    assert store.find("opencl", SPEC, 1, NEWER) is None
    assert store.find("opencl", SPEC, 2, GPU) is None
    assert store.find("opencl", dataclasses.replace(SPEC, model="direct_sparse/generated"), 1, GPU) is None


def test_devices_whose_names_make_the_same_file_name_are_told_apart():
    kept("opencl", GPU, 1.0)
    alike = dataclasses.replace(GPU, device="GPU")
    assert alike.slug == GPU.slug
    assert store.find("opencl", SPEC, 1, alike) is None


def test_rivals_are_those_of_the_own_device_and_all_of_other_backends():
    for backend, hardware in (("opencl", GPU), ("opencl", CPU), ("mkl", CPU)):
        kept(backend, hardware, 1.0)
    assert [kernel.name for kernel in store.rivals(1, "opencl", GPU)] == ["mkl sparse", "opencl sparse"]
    assert [kernel.hardware.key for kernel in store.rivals(1, "opencl", GPU)] == [CPU.key, GPU.key]
    assert [kernel.name for kernel in store.rivals(1, "mkl", CPU)] == ["mkl sparse", "opencl sparse on cpu", "opencl sparse on gpu"]


@pytest.mark.parametrize(("hardware", "names"), [(GPU, ["sparse"]), (CPU, []), (None, [])])
def test_a_teams_kernels_are_calibrated_on_the_device_that_it_uses(hardware, names):
    kept("opencl", GPU, 1.0)
    worker = SimpleNamespace(call=lambda method, timeout_s: hardware)
    team = SimpleNamespace(spec=SimpleNamespace(name="opencl"), threads=1, kernels=(SPEC,), worker=lambda: worker)
    assert list(calibrated(team, 1.0)) == names


def test_nobody_is_asked_for_hardware_where_nothing_was_calibrated():
    team = SimpleNamespace(spec=SimpleNamespace(name="opencl"), threads=1, kernels=(SPEC,), worker=None)
    assert calibrated(team, 1.0) == {}
