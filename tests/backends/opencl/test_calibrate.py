"""Hardware numbers of an OpenCL device: measured beside declared, and doubted where they cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyopencl", reason="pyopencl is not installed")

from backends.opencl.calibrate import doubts
from backends.opencl.probes import Probe

FINE = {
    "peak_flops": Probe(1e11, 0.01),
    "bandwidth": Probe(2e10, 0.05),
    "bandwidth_local": Probe(1e11, 0.01),
    "call_overhead": Probe(2e-6, 0.1),
}


def test_plausible_numbers_are_believed() -> None:
    assert doubts(FINE, 8e10, 1) == {}
    assert doubts(FINE, None, None) == {}


@pytest.mark.parametrize(
    ("changed", "nominal", "cores", "reason"),
    [
        ({"peak_flops": Probe(1e12, 0.0)}, None, 2, "above 64 FLOP a cycle at 6 GHz on 2 cores"),
        ({"peak_flops": Probe(3.7e11, 0.0)}, 8e10, 1, "4.6 times the 80 GFLOP/s that the device declares"),
        ({"peak_flops": Probe(4e9, 0.0)}, 8e10, 1, "0.05 times the 80 GFLOP/s that the device declares"),
        ({"bandwidth_local": Probe(1e10, 0.0)}, None, None, "slower than bandwidth"),
        ({"call_overhead": Probe(0.02, 0.0)}, None, None, "not from 0 to 10 ms"),
        ({"bandwidth": Probe(2e10, 0.7)}, None, None, "samples spread by 70% of their median"),
    ],
)
def test_what_cannot_be_is_doubted_by_name(changed: dict[str, Probe], nominal: float | None, cores: int | None, reason: str) -> None:
    assert doubts(FINE | changed, nominal, cores) == {next(iter(changed)): reason}


def test_calibrate_measures_anew_and_shows_what_the_device_declares(
    backend: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    backend.hardware()
    capsys.readouterr()
    found = backend.calibrate()
    assert "measuring" in capsys.readouterr().err
    provenance = {name: number.provenance for name, number in found.numbers.items()}
    assert provenance["peak_flops"] == provenance["bandwidth"] == provenance["call_overhead"] == "measured"
    assert provenance["cores"] == provenance["cache_local"] == "declared"
