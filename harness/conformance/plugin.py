"""Pytest plugin: ``--backend NAME`` chooses what the conformance tests run on."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.conformance.subjects import Subject

Provider = Callable[[], Iterable[Any]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose a backend."""
    group = parser.getgroup("breakeven", "conformance of breakeven backends")
    group.addoption("--backend", action="append", default=[], metavar="NAME", help="backend to test; may be given several times")
    group.addoption("--backend-threads", type=int, default=1, metavar="N", help="threads to open it with (default: 1)")
    group.addoption("--backend-option", action="append", default=[], metavar="KEY=VALUE", help="option of the backend's configuration")
    group.addoption(
        "--prepare-option", action="append", default=[], metavar="KEY=VALUE", help="option of prepare, where a kernel declares it"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test of the suite on each kernel: those of ``--backend``, else those that the collecting module names."""
    if "subject" not in metafunc.fixturenames or not metafunc.function.__module__.startswith("harness.conformance."):
        return
    provider: Provider | None = getattr(metafunc.module, "conformance_subjects", None)
    chosen: list[Any] = _chosen(metafunc.config) if metafunc.config.getoption("backend") or provider is None else list(provider())
    metafunc.parametrize("subject", chosen, ids=str, scope="session")


def _chosen(config: pytest.Config) -> list[Subject]:
    from harness.conformance.subjects import subjects
    from harness.contract import InputError
    from harness.plugins import host

    names: list[str] = config.getoption("backend")
    if not names:
        raise pytest.UsageError(f"conformance tests need --backend NAME; installed: {', '.join(host().specs())}")
    options, prepare = _pairs(config, "backend_option"), _pairs(config, "prepare_option")
    try:
        return [subject for name in names for subject in subjects(name, config.getoption("backend_threads"), options, prepare)]
    except InputError as error:
        raise pytest.UsageError(str(error)) from error


def _pairs(config: pytest.Config, option: str) -> dict[str, Any]:
    """``KEY=VALUE`` texts as a dictionary; values that read as Python numbers or truths become such."""
    pairs: dict[str, Any] = {}
    for text in config.getoption(option):
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise pytest.UsageError(f"--{option.replace('_', '-')} is {text!r}; allowed: KEY=VALUE")
        try:
            pairs[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            pairs[key] = value
    return pairs
