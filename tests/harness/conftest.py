"""Plugins of strangers, installed beside the suite: some good, some broken in every way we could think of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

STRANGE = Path(__file__).parent / "strange"
ENTRY_POINTS = {
    "naughty": "strange_backends",
    "exits": "strange_exits",
    "misspelt": "strange_misspelt",
    "outdated": "strange_outdated",
    "raises": "strange_raises",
    "thief": "strange_thief",
}


@pytest.fixture(scope="session")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to put on PYTHONPATH: it holds the strange modules as an installed distribution."""
    folder = tmp_path_factory.mktemp("strangers")
    for module in STRANGE.glob("*.py"):
        (folder / module.name).write_text(module.read_text())
    info = folder / "strange-1.2.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.2.3\n")
    points = "\n".join(f"{name} = {module}" for name, module in ENTRY_POINTS.items())
    (info / "entry_points.txt").write_text(f"[breakeven]\n{points}\n")
    return folder


class Command:
    """``python -m harness`` in a folder of its own, with the strangers installed."""

    def __init__(self, folder: Path, strangers: Path) -> None:
        self.folder = folder
        path = os.pathsep.join([str(strangers), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.environment = os.environ | {"PYTHONPATH": path, "COLUMNS": "200"}

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Start it and return at once."""
        return subprocess.Popen(
            [sys.executable, "-m", "harness", *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def __call__(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        process = self.start(*words, **options)
        try:
            output, errors = process.communicate(timeout=120)
        finally:
            process.kill()
        assert "Traceback" not in output + errors, output + errors
        return subprocess.CompletedProcess(words, process.returncode, output, errors)

    def records(self) -> list[dict[str, Any]]:
        """Every record below the folder, oldest first; fails on JSON with NaN."""
        return [read_json(path) for path in sorted(self.folder.glob("results/*/record.json"))]


def read_json(path: Path) -> Any:
    """Strict JSON: no NaN, no infinity."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{path} holds {word}")

    return json.loads(path.read_text(), parse_constant=refuse)


@pytest.fixture
def command(tmp_path: Path, strangers: Path) -> Command:
    """The command line in an empty folder."""
    return Command(tmp_path, strangers)


@pytest.fixture(scope="session")
def make_command(strangers: Path) -> Callable[[Path], Command]:
    """As ``command``, for fixtures that live longer."""
    return lambda folder: Command(folder, strangers)


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Mapping[str, Any]]:
    """Run the command line inside this process, in an empty folder: exit code, output and errors."""
    import signal

    from harness.cli.main import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> Mapping[str, Any]:
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        argv = sys.argv
        try:
            code = main(words)
        finally:
            sys.argv = argv
            for number, handler in handlers.items():
                signal.signal(number, handler)
        output = capsys.readouterr()
        assert "Traceback" not in output.out + output.err
        return {"code": code, "out": output.out, "err": output.err}

    return run


@pytest.fixture(scope="session")
def strict_json() -> Callable[[Path], Any]:
    """Reads a JSON file and fails on NaN."""
    return read_json
