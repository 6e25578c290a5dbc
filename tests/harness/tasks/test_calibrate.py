"""``task=calibrate``: hardware and kernels are stored and shown, failures are named; nothing is timed here."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from harness.contract import Hardware, InputError, KernelSpec, Quantity
from harness.modelling import store
from harness.modelling.store import ModelledKernel
from harness.tasks import calibrate

HARDWARE = Hardware("v", "toaster", "1.0", {"peak_flops": Quantity(1e11, "FLOP/s", "measured", spread=0.4, mistrusted="too hot")})
SPECS = (KernelSpec("good", "direct_sparse", ""), KernelSpec("bad", "dense", ""))


@pytest.fixture
def team(monkeypatch, tmp_path):
    """A backend whose worker only knows its hardware."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    answers = {"calibrate": HARDWARE, "watch_pace": 1.0}
    worker = SimpleNamespace(call=lambda method, *words, timeout_s=None: answers[method])
    made_up = SimpleNamespace(spec=SimpleNamespace(name="made-up"), threads=1, kernels=SPECS, worker=lambda: worker, answers=answers)

    @contextmanager
    def opened(config, host):
        yield made_up

    def calibrated(team, spec, hardware, exclude, measure, tick):
        tick(1, 1)
        if spec.name == "bad":
            raise InputError("only 3 candidates")
        declared = ModelledKernel.declared("made-up", spec, 1, hardware)
        parameters = dataclasses.replace(declared.parameters, costs={"multiply": 1.25}, band=(0.9, 1.2), probes=("a probe",))
        return dataclasses.replace(declared, parameters=parameters, date="2026-01-31", left_out=7)

    monkeypatch.setattr(calibrate, "open_team", opened)
    monkeypatch.setattr(calibrate, "calibrate_kernel", calibrated)
    return made_up


def test_what_was_found_is_stored_and_shown_and_a_failure_named(call, team):
    result = call("task=calibrate", "problem=ic4ih6oc4kh3ph1")
    assert result["code"] == 1
    for words in ("v toaster 1.0", "too hot", "40.0%", "made-up good", "0.90 to 1.20 of the projection", "multiply 1.25"):
        assert words in result["out"], result["out"]
    assert "made-up good: 7 probes left out, another program used the core meanwhile" in result["out"]
    assert "not calibrated bad: only 3 candidates" in result["out"]
    found = store.find("made-up", SPECS[0], 1, HARDWARE)
    assert found is not None
    assert (found.parameters.costs, found.parameters.band, found.date) == ({"multiply": 1.25}, (0.9, 1.2), "2026-01-31")
    assert store.find("made-up", SPECS[1], 1, HARDWARE) is None
    assert [kernel.name for kernel in store.rivals(1, "another", HARDWARE)] == ["made-up good"]


def test_the_measured_peak_is_told_beside_the_declared_one(call, team):
    nominal = Quantity(8e10, "FLOP/s", "declared", source="1 cores x 2.50 GHz x 16 lanes x 2")
    team.answers["calibrate"] = HARDWARE.with_numbers(nominal_flops=nominal)
    told = "measured peak_flops is 1.25 times what the device declares (1 cores x 2.50 GHz x 16 lanes x 2)"
    assert told in call("task=calibrate", "problem=ic4ih6oc4kh3ph1")["out"]


def test_a_backend_without_numbers_is_refused(call, team):
    team.answers["calibrate"] = None
    result = call("task=calibrate")
    assert result["code"] == 2
    assert "backend 'made-up' has no hardware numbers to calibrate; the paper's model needs hardware=FILE" in result["err"]


def test_a_damaged_calibration_is_named(team):
    folder = store.folder(1)
    folder.mkdir(parents=True)
    (folder / f"made-up--good--{HARDWARE.slug}.yaml").write_text("- 1")
    with pytest.raises(InputError, match="cannot be read: it is not a mapping; delete it and run task=calibrate again"):
        store.find("made-up", SPECS[0], 1, HARDWARE)
