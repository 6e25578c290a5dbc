"""Who may import whom, and who may know whose name."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT, files, imported, module_name, strings

CONTRACT = ("harness.hookspecs", "harness.contract")
ALLOWED = {
    "perfmodel": ("perfmodel",),
    "harness": ("harness", "perfmodel", "conf"),
    "gsl": ("gsl", "perfmodel", *CONTRACT),
    "conf": (),
}
LATE = {"harness": "gsl"}
FRAMEWORK = ("harness", "perfmodel", "gsl")
OTHER_MEANING = {
    ("harness/machine.py", "cpu"),  # the processor's name in a record
    ("harness/tasks/doctor.py", "cpu"),
    ("harness/tasks/session.py", "cpu"),
    ("gsl/train.py", "cpu"),  # a device of PyTorch
    ("gsl/checkpoint.py", "cpu"),
}
ENGINES = {"torch", "mkl", "pyopencl", "onnxruntime", "onnx", "openvino", "tensorly", "scipy", "matplotlib", "hypothesis", "pytest"}


def _allowed(path: Path) -> tuple[str, ...]:
    """What ``path`` may import of ours."""
    parts = path.relative_to(ROOT).parts
    if parts[0] == "backends":
        own = "backends." + parts[1] if len(parts) > 2 else "backends"
        return (own, "backends.host", "perfmodel", *CONTRACT)
    return ALLOWED[parts[0]]


def _late(path: Path, line: int) -> bool:
    """True when the import at ``line`` stands inside a function."""
    return path.read_text().splitlines()[line - 1].startswith(" ")


@pytest.mark.parametrize("path", files(*PACKAGES), ids=module_name)
def test_imports_follow_the_arrows(path: Path) -> None:
    for line, name in imported(path):
        top = name.split(".")[0]
        if top not in PACKAGES or any(name == room or name.startswith(room + ".") for room in _allowed(path)):
            continue
        if LATE.get(path.relative_to(ROOT).parts[0]) == top and _late(path, line):
            continue
        pytest.fail(f"{path.relative_to(ROOT)}:{line} imports {name}; allowed of ours: {', '.join(_allowed(path))}")


def test_no_framework_file_names_a_backend() -> None:
    names = {point.name for point in entry_points(group="breakeven")}
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text!r}"
        for path in files(*FRAMEWORK)
        for line, text in strings(path)
        if (text in names or text.startswith("backends.")) and (path.relative_to(ROOT).as_posix(), text) not in OTHER_MEANING
    ]
    assert not found, "the framework knows a backend: " + "; ".join(found)


@pytest.mark.parametrize("path", [p for p in files("backends") if p.name == "plugin.py"], ids=module_name)
def test_a_plugin_module_imports_no_engine(path: Path) -> None:
    heavy = [f"{line}: {name}" for line, name in imported(path) if name.split(".")[0] in ENGINES]
    assert not heavy, f"{path.relative_to(ROOT)} imports an engine: {heavy}"


def test_every_backend_comes_in_by_an_entry_point() -> None:
    announced = {point.value for point in entry_points(group="breakeven")}
    assert {module_name(path) for path in files("backends") if path.name == "plugin.py"} <= announced


def test_third_party_imports_are_declared() -> None:
    declared = (ROOT / "pyproject.toml").read_text().lower().replace("_", "-")
    distribution = {"hydra": "hydra-core", "yaml": "hydra-core", "omegaconf": "hydra-core"}
    for path in files(*PACKAGES):
        for line, name in imported(path):
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and top not in PACKAGES:
                wanted = distribution.get(top, top).lower().replace("_", "-")
                assert f'"{wanted}' in declared, f"{path.relative_to(ROOT)}:{line} imports {name}, which pyproject.toml does not declare"
