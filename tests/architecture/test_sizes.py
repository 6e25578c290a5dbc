"""Files of one idea, functions that one can see whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT, files, functions, module_name

SOURCES = files(*PACKAGES, "examples", suffixes=(".py", ".pyi", ".c", ".h", ".cl"))
TESTS = files("tests", suffixes=(".py", ".c", ".h"))
FILE_LINES, TEST_FILE_LINES, FUNCTION_LINES = 300, 400, 40
BANNED_NAMES = {"utils.py", "util.py", "helpers.py", "common.py", "misc.py"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")


@pytest.mark.parametrize(("paths", "limit"), [(SOURCES, FILE_LINES), (TESTS, TEST_FILE_LINES)], ids=["sources", "tests"])
def test_no_file_is_long(paths: list[Path], limit: int) -> None:
    sizes = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in paths}
    long = {str(path): lines for path, lines in sizes.items() if lines > limit}
    assert not long, f"more than {limit} lines"


@pytest.mark.parametrize("path", files(*PACKAGES), ids=module_name)
def test_no_function_is_long(path: Path) -> None:
    spans = {f"{node.name} (line {node.lineno})": (node.end_lineno or 0) - node.lineno + 1 for node in functions(path)}
    long = {name: lines for name, lines in spans.items() if lines > FUNCTION_LINES}
    assert not long, f"more than {FUNCTION_LINES} lines"


def test_no_file_is_called_after_nothing() -> None:
    assert not [str(path.relative_to(ROOT)) for path in SOURCES if path.name in BANNED_NAMES]


def test_nothing_is_left_unfinished() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in (*SOURCES, *files("conf", "docs", suffixes=(".yaml", ".md")))
        for number, text in enumerate(path.read_text().splitlines(), 1)
        if UNFINISHED.search(text)
    ]
    assert not found
