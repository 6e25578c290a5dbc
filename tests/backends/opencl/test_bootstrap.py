"""pip's runtime is found and added to the loader's list; the user's own setting wins; nothing is left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backends.opencl import bootstrap


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    library = tmp_path / "lib" / "libintelocl.so"
    library.parent.mkdir()
    library.touch()
    monkeypatch.setattr(bootstrap, "pip_runtime", lambda *names: library)
    monkeypatch.setattr(bootstrap, "unannounced_driver", lambda entries: None)
    for name in ("OCL_ICD_VENDORS", "OPENCL_VENDOR_PATH"):
        monkeypatch.setenv(name, "")  # remembered, so that what the test sets is undone
    return library


def test_the_folder_keeps_the_systems_entries(runtime: Path, tmp_path: Path) -> None:
    vendors = tmp_path / "vendors"
    vendors.mkdir()
    (vendors / "nvidia.icd").write_text("libnvidia-opencl.so.1\n")
    folder = bootstrap.ensure_runtimes(vendors, tmp_path / "cache")
    assert folder is not None
    assert os.environ["OCL_ICD_VENDORS"] == str(folder)
    assert sorted(f.name for f in folder.iterdir()) == ["breakeven-intel-pip.icd", "nvidia.icd"]
    assert (folder / "breakeven-intel-pip.icd").read_text() == f"{runtime}\n"
    assert (folder / "nvidia.icd").read_text() == "libnvidia-opencl.so.1\n"


def test_a_second_process_uses_the_same_folder(runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bootstrap.ensure_runtimes(tmp_path / "none", tmp_path / "cache")
    monkeypatch.setenv("OCL_ICD_VENDORS", "")
    assert bootstrap.ensure_runtimes(tmp_path / "none", tmp_path / "cache") == first
    assert len(list((tmp_path / "cache").rglob("*.icd"))) == 1


@pytest.mark.parametrize("name", ["OCL_ICD_VENDORS", "OPENCL_VENDOR_PATH"])
def test_the_users_setting_wins(runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "/opt/mine")
    assert bootstrap.ensure_runtimes(tmp_path, tmp_path / "cache") is None
    assert os.environ[name] == "/opt/mine"
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_falls_back_to_the_library(runtime: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()  # a file where the folder should be
    assert bootstrap.ensure_runtimes(tmp_path / "none", tmp_path / "cache") == runtime


def test_without_the_package_nothing_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OCL_ICD_VENDORS", "")
    assert bootstrap.pip_runtime("no-such-distribution-here") is None
    monkeypatch.setattr(bootstrap, "pip_runtime", lambda *names: None)
    monkeypatch.setattr(bootstrap, "unannounced_driver", lambda entries: None)
    assert bootstrap.ensure_runtimes(tmp_path, tmp_path / "cache") is None


def test_the_message_names_the_missing_half_of_intels_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "pip_runtime", lambda *names: None if names else Path("libintelocl.so"))
    message = str(bootstrap.missing_runtime("PLATFORM_NOT_FOUND_KHR"))
    assert "no OpenCL platform found (PLATFORM_NOT_FOUND_KHR)" in message
    assert "pip install intel-cmplr-lib-rt" in message
    assert "/etc/OpenCL/vendors" in message


def test_a_mounted_driver_without_an_icd_file_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "libnvidia-opencl.so.1").touch()
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    assert bootstrap.unannounced_driver([], [str(tmp_path)]) == tmp_path / "libnvidia-opencl.so.1"
    assert bootstrap.unannounced_driver(["libnvidia-opencl.so.1\n"], [str(tmp_path)]) is None
    assert bootstrap.unannounced_driver([], [str(tmp_path / "none")]) is None
    monkeypatch.setenv("LD_LIBRARY_PATH", f":{tmp_path}")
    assert bootstrap.unannounced_driver([], []) == tmp_path / "libnvidia-opencl.so.1"


def test_the_driver_joins_pips_runtime(runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = tmp_path / "libnvidia-opencl.so.1"
    monkeypatch.setattr(bootstrap, "unannounced_driver", lambda entries: driver)
    folder = bootstrap.ensure_runtimes(tmp_path / "none", tmp_path / "cache")
    assert folder is not None
    assert {f.name: f.read_text() for f in folder.iterdir()} == {
        "breakeven-intel-pip.icd": f"{runtime}\n",
        "breakeven-nvidia.icd": f"{driver}\n",
    }
