"""``task=doctor``: what is missing on this machine, and what works without it."""

from __future__ import annotations

import importlib.util
import shutil

from rich.markup import escape

from harness.config import RunConfig
from harness.console import out
from harness.contract import InputError
from harness.machine import allowed_cores, describe_machine, own_versions
from harness.plugins import host
from harness.tasks import EXIT_OK
from harness.workers import WorkerError, WorkerProcess


def run(config: RunConfig) -> int:
    """Print the machine, then a line a backend: works, or what to install and what works without it."""
    console = out()
    machine = describe_machine()
    console.print(f"machine  {machine['cpu']}, {allowed_cores()} cores allowed, {machine['memory_gib']} GiB, {machine['os']}")
    console.print("versions " + ", ".join(f"{name} {version}" for name, version in own_versions().items()))
    working = []
    for info in host().plugins():
        if info.error:
            console.print(f"[red]broken[/]   {escape(f'{info.name} ({info.distribution} {info.version}): {info.error}')}")
        for spec in info.specs:
            missing = [module for module in spec.requires if not _importable(module)]
            problem = f"needs {', '.join(missing)}" if missing else _trouble(spec.name)
            hint = f"; pip install 'breakeven[{spec.extra}]'" if spec.extra and missing else ""
            said = escape(f"{spec.name}: {problem + hint if problem else spec.summary}")
            console.print(f"[yellow]missing[/]  {said}" if problem else f"[green]works[/]    {said}")
            working += [] if problem else [spec.name]
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    console.print(f"compiler {compiler or 'none: wheels work, building from source does not'}")
    console.print(
        f"Without what is missing, these work: {', '.join(working) or 'none'}. A backend that is missing only drops its baselines."
    )
    return EXIT_OK


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _trouble(name: str) -> str:
    """Why the backend does not open here, or an empty string."""
    try:
        worker = WorkerProcess(host().spec(name), 1, {})
    except WorkerError as error:
        return str(error)
    try:
        worker.open()
    except (InputError, WorkerError) as error:
        return str(error)
    finally:
        worker.stop()
    return ""
