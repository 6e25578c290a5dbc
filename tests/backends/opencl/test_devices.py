"""The choice among devices, on lists that no machine at hand has."""

from __future__ import annotations

import pytest

from backends.opencl.devices import Device, choose_device
from harness.contract import InputError

INTEL = Device("Xeon", "cpu", "Intel(R) OpenCL", "2026.1", 8, "Intel")
POCL = Device("cpu-haswell-Xeon", "cpu", "Portable Computing Language", "3.0", 8, "GenuineIntel")
H100 = Device("NVIDIA H100", "gpu", "NVIDIA CUDA", "550", 132, "NVIDIA Corporation")
A40 = Device("NVIDIA A40", "gpu", "NVIDIA CUDA", "550", 84, "NVIDIA Corporation")
FPGA = Device("Stratix 10", "accelerator", "Intel(R) FPGA", "20", 1, "Intel")
SPEED = {INTEL: 100e9, POCL: 10e9}


def choose(devices: list[Device], wanted: str = "") -> Device:
    return choose_device(devices, wanted, SPEED.__getitem__)[0]


def test_a_gpu_comes_before_an_accelerator_before_a_cpu() -> None:
    assert choose([INTEL, FPGA, H100]) is H100
    assert choose([INTEL, FPGA]) is FPGA
    assert choose([INTEL]) is INTEL


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("cpu", INTEL),
        ("gpu", H100),
        ("portable", POCL),
        ("pocl", POCL),
        ("PoCL", POCL),
        ("cpu pocl", POCL),
        ("h100", H100),
        ("NVIDIA H100", H100),
        ("cpu intel", INTEL),
        ("#2", FPGA),
    ],
)
def test_by_type_fragment_or_number(wanted: str, found: Device | None) -> None:
    devices = [POCL, INTEL, FPGA, H100]
    if found:
        assert choose(devices, wanted) is found
    else:
        with pytest.raises(InputError, match="matches no OpenCL device"):
            choose(devices, wanted)


def test_of_two_runtimes_for_one_cpu_the_faster_with_a_notice() -> None:
    chosen, notice = choose_device([POCL, INTEL], "", SPEED.__getitem__)
    assert chosen is INTEL
    assert notice.endswith("(100 GFLOP/s FMA); other runtimes of this CPU: Portable Computing Language 10")


def test_of_two_runtimes_as_fast_the_one_without_quirks() -> None:
    assert choose_device([POCL, INTEL], "", {POCL: 101e9, INTEL: 100e9}.__getitem__)[0] is INTEL
    assert choose_device([INTEL, POCL], "cpu", {POCL: 130e9, INTEL: 100e9}.__getitem__)[0] is POCL


def test_two_real_devices_of_one_rank_are_an_error_that_lists_them() -> None:
    with pytest.raises(
        InputError,
        match=r"there are 2 OpenCL devices; allowed: part of one's name, or # and a number of\n  #1 NVIDIA H100 .*\n  #2 NVIDIA A40",
    ):
        choose([INTEL, H100, A40])
    twins = [H100, Device(**{**H100.__dict__})]
    with pytest.raises(InputError, match=r"device 'h100' matches 2 OpenCL devices"):
        choose(twins, "h100")
    assert choose(twins, "#1") is twins[1]


def test_two_cpus_of_one_platform_are_two_real_devices() -> None:
    with pytest.raises(InputError, match="there are 2 OpenCL devices"):
        choose([INTEL, Device("Xeon", "cpu", "Intel(R) OpenCL", "2026.1", 8, "Intel")])


@pytest.mark.parametrize("wanted", ["gpu", "radeon", "pocl", "#7"])
def test_no_match_lists_what_there_is_and_how_to_get_more(wanted: str) -> None:
    with pytest.raises(
        InputError,
        match=rf"device '{wanted}' matches no OpenCL device; allowed: a type \(gpu, .*\n  #0 Xeon \(cpu, 8 compute units\) by Intel"
        r".*\nOne that is not listed: install a runtime: .*an .icd file",
    ):
        choose([INTEL], wanted)
