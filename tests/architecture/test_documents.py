"""What is written about the project agrees with the project."""

from __future__ import annotations

import importlib.util
import inspect
import re
import tomllib

import pytest

import harness
from harness import hookspecs
from tests.architecture.sources import ROOT

HOOKS = [name for name, value in vars(hookspecs).items() if inspect.isfunction(value) and name.startswith("breakeven_")]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_with_its_arguments(hook: str) -> None:
    arguments = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)
    assert f"`{hook}({arguments})`" in (ROOT / "docs" / "writing-a-backend.md").read_text()


def test_no_public_name_is_hidden_by_a_module() -> None:
    hidden = [name for name in harness.__all__ if importlib.util.find_spec(f"harness.{name}")]
    assert not hidden, "importing the module would replace the function"


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    meson = re.search(r"^\s*version: '([^']+)'", (ROOT / "meson.build").read_text(), re.MULTILINE)
    assert meson
    assert project == meson[1] == harness.__version__
    assert f"## [{project}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_readme_gives_exactly_two_set_up_commands() -> None:
    commands = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("python3 -m venv")]
    assert len(commands) == 2
    assert commands[0].endswith("python -m harness")
    assert "[all,test]" in commands[1]
    assert commands[1].endswith("python -m pytest")


def test_links_between_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    broken = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in documents
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text())
        if not re.match(r"[a-z]+:", target) and not (document.parent / target).exists()
    ]
    assert not broken


def test_what_ci_installs_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(name for extra in project["optional-dependencies"].values() for name in extra)]
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    names = {re.split(r"[\[<>=; ]", name)[0].lower() for name in wanted} - {"breakeven"}
    assert names <= pinned, f"not in constraints.txt: {sorted(names - pinned)}"
