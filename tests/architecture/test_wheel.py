"""The wheel holds what the tree holds: a forgotten YAML or kernel file is found here, not by a user."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT, files

SHIPPED = (".py", ".yaml", ".cl", ".h", ".j2", ".json", ".txt")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the tree that has no ``.git``."""
    pytest.importorskip("mesonpy", reason="meson-python is not installed (extra dev)")
    if not (shutil.which("meson") and shutil.which("ninja")):
        pytest.skip("meson or ninja is not on PATH")
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "tree"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "build", "__pycache__", "results", "tests"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(copy)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-3000:]
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_one_wheel_serves_every_python(wheel: Path) -> None:
    assert wheel.name.startswith("breakeven-")
    assert "-abi3-" in wheel.name


@pytest.mark.slow
def test_the_wheel_is_complete(wheel: Path) -> None:
    shipped = set(zipfile.ZipFile(wheel).namelist())
    wanted = {path.relative_to(ROOT).as_posix() for path in files(*PACKAGES, suffixes=SHIPPED) if "csrc" not in path.parts}
    assert not wanted - shipped
    assert {"backends/cpu/_kernels.abi3.so", "backends/host/_host.abi3.so"} <= shipped


@pytest.mark.slow
def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if "/csrc/" in name or name.endswith(("meson.build", ".pyc"))]
