"""``task=doctor``: what is missing on this machine, and what works without it."""

from __future__ import annotations

import importlib.util
import shutil
from contextlib import suppress

import numpy as np
from rich.console import Console
from rich.markup import escape

from harness.config import RunConfig
from harness.console import counted, out
from harness.contract import BackendSpec, InputError, Problem
from harness.contract.plan import Array
from harness.machine import describe_machine, own_versions
from harness.plugins import PluginInfo, host
from harness.tasks import EXIT_OK
from harness.workers import WorkerError, WorkerProcess, open_worker
from harness.workers.service import Truth

PROBLEM = Problem.parse('mb2ic3ih8oc4kh3ph1n"doctor"')
SEED = 1
STYLES = {"works": "green", "broken": "red", "missing": "yellow", "not here": "yellow"}


def run(config: RunConfig) -> int:
    """Print the machine, then a line a backend: works (it got a small convolution right), or what to mend."""
    console = out()
    machine = describe_machine()
    cores = counted(machine["cores"], "core")
    console.print(f"machine  {machine['cpu']}, {cores} allowed, {machine['memory_gib']} GiB, {machine['os']}", markup=False)
    console.print("versions " + ", ".join(f"{name} {version}" for name, version in own_versions().items()))
    working: list[str] = []
    with console.status("asking the backends"):
        truth = _truth()
        for info in host().plugins():
            working += _examine(info, truth, console)
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    console.print(f"compiler {compiler or 'none: wheels work, building from source does not'}")
    console.print(
        f"Without what is missing, these work: {', '.join(working) or 'none'}. A backend that is missing only drops its baselines."
    )
    return EXIT_OK


def _examine(info: PluginInfo, truth: Truth | None, console: Console) -> list[str]:
    """Print what is the matter with a plugin and each of its backends; returns those that work."""
    if info.error:
        _tell(console, "broken", f"{info.name} ({info.distribution} {info.version}): {info.error}")
    working = []
    for spec in info.specs:
        state, words = _state(spec, truth)
        _tell(console, state, f"{spec.name}: {words}")
        working += [spec.name] if state == "works" else []
    return working


def _tell(console: Console, state: str, text: str) -> None:
    console.print(f"[{STYLES[state]}]{state:<8}[/] {escape(' '.join(text.split()))}")


def _state(spec: BackendSpec, truth: Truth | None) -> tuple[str, str]:
    """Whether the backend works here, and its summary or what is the matter."""
    if missing := [module for module in spec.requires if not _importable(module)]:
        hint = f"; pip install 'breakeven[{spec.extra}]'" if spec.extra else ""
        return "missing", f"needs {', '.join(missing)}{hint}"
    try:
        with open_worker(spec) as worker:
            wrong = _wrong(worker, truth)
    except InputError as error:
        return "not here", str(error)
    except WorkerError as error:
        return "broken", str(error)
    return ("broken", wrong) if wrong else ("works", spec.summary)


def _wrong(worker: WorkerProcess, truth: Truth | None) -> str:
    """What is wrong with the result of the backend's first kernel that takes a small problem; empty when it is right."""
    if truth is None:
        return ""
    for kernel in worker.call("describe").kernels:
        if worker.call("supports", kernel.name, PROBLEM).ok:
            worker.call("load", PROBLEM, _weight(), SEED, truth)
            worker.call("prepare", kernel.name, {})
            verdict = worker.call("verify", kernel.name)
            return f"{kernel.name}: {verdict.reason}" if verdict.status == "failed" else ""
    return ""


def _weight() -> Array:
    """Small integers, some of them zero."""
    return np.random.default_rng(SEED).integers(-2, 3, PROBLEM.weight_shape).astype(np.float32)


def _truth() -> Truth | None:
    """The oracle's answer, or None where it does not work: its own line says why."""
    for spec in host().specs().values():
        if spec.role == "oracle":
            with suppress(InputError, WorkerError), open_worker(spec) as worker:
                truth: Truth = worker.call("truth", PROBLEM, _weight(), SEED)
                return truth
    return None


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
