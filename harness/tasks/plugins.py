"""``task=plugins``: what is installed, what it can do, what is wrong with it."""

from __future__ import annotations

from rich import box
from rich.markup import escape
from rich.table import Table

from harness.config import RunConfig
from harness.console import out
from harness.contract import BackendSpec, InputError
from harness.plugins import PluginInfo, host
from harness.tasks import EXIT_OK
from harness.workers import WorkerError, open_worker


def run(config: RunConfig) -> int:
    """List every plugin; each backend is asked in a process of its own, so that a crash is one line."""
    console = out()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("plugin", "distribution", "contract", "backend", "kernels", "devices", "error"):
        table.add_column(name, overflow="fold", min_width=len(name))
    with console.status("asking the backends"):
        for info in host().plugins():
            for cells in _lines(info):
                table.add_row(*map(escape, cells))
    console.print(table)
    for kind, parts in (("pruners", host().pruners()), ("guides", host().guides())):
        console.print(f"{kind}: {', '.join(parts) or 'none'}")
    return EXIT_OK


def _lines(info: PluginInfo) -> list[tuple[str, ...]]:
    label = (info.name, f"{info.distribution} {info.version}")
    if info.error:
        return [(*label, "-", "-", "-", "-", info.error)]
    return [(*label, str(spec.contract), spec.name, *_ask(spec)) for spec in info.specs] or [(*label, "-", "-", "-", "-", "")]


def _ask(spec: BackendSpec) -> tuple[str, str, str]:
    """Kernels, devices and error of one backend."""
    try:
        with open_worker(spec) as worker:
            kernels = ", ".join(f"{k.name} ({k.method})" for k in worker.call("describe").kernels)
            return kernels, "\n".join(worker.call("devices")), ""
    except (InputError, WorkerError) as error:
        return _declared(spec), "-", str(error)


def _declared(spec: BackendSpec) -> str:
    """The kernels that a backend which does not open declares."""
    try:
        return ", ".join(f"{k.name} ({k.method})" for k in getattr(host().factory(spec), "specs", ())) or "-"
    except InputError:
        return "-"
