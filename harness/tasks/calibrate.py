"""``task=calibrate``: measure a backend's hardware and the costs of its kernels, and store both."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Table

from harness.bench.contenders import Team, open_team
from harness.config import RunConfig
from harness.console import err, out
from harness.contract import BreakevenError, Hardware, InputError, KernelSpec
from harness.modelling import store
from harness.modelling.patience import patient, watch
from harness.modelling.probing import calibrate_kernel
from harness.modelling.store import ModelledKernel
from harness.networks import load_layers
from harness.plugins import host
from harness.tasks import EXIT_OK, EXIT_ROW_FAILED
from harness.tasks.session import make_progress


def run(config: RunConfig) -> int:
    """Calibrate every kernel of the backend (or ``kernels=``); layers of ``network`` are never probes."""
    exclude = load_layers(config.network)
    failed: dict[str, str] = {}
    found: list[ModelledKernel] = []
    with make_progress(err()) as progress:
        bar = progress.add_task("hardware", total=None)
        with open_team(config, host()) as team:
            hardware, measure = _hardware(team, config), patient(config.measure)
            watch(team, measure)
            for spec in filter(_modelled, team.kernels):
                progress.reset(bar, description=spec.name, total=1)
                try:
                    kernel = calibrate_kernel(team, spec, hardware, exclude, measure, partial(_advance, progress, bar))
                except BreakevenError as error:
                    failed[spec.name] = str(error)
                    continue
                store.save(kernel)
                found.append(kernel)
    console = out()
    print_hardware(console, hardware)
    _print_kernels(console, found, failed)
    console.print(str(store.folder(config.threads)), soft_wrap=True, markup=False)
    return EXIT_ROW_FAILED if failed else EXIT_OK


def _modelled(spec: KernelSpec) -> bool:
    """Whether a model projects it: a low-rank chain needs one that says of which form it is."""
    return bool(spec.method != "low_rank" or spec.model)


def _advance(progress: Progress, bar: TaskID, done: int, total: int) -> None:
    progress.update(bar, completed=done, total=total)


def _hardware(team: Team, config: RunConfig) -> Hardware:
    hardware: Hardware | None = team.worker().call("calibrate", timeout_s=config.measure.timeout_s)
    if hardware is None:
        raise InputError(f"backend {team.spec.name!r} has no hardware numbers to calibrate; the paper's model needs hardware=FILE")
    return hardware


def print_hardware(console: Console, hardware: Hardware) -> None:
    """Each number with its unit, provenance, spread, and why it is mistrusted; the measured peak beside the declared one."""
    table = Table(title=f"{hardware.vendor} {hardware.device} {hardware.driver}", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("number", "value", "unit", "provenance", "date", "spread", "mistrusted"):
        table.add_column(name, justify="right" if name in ("value", "spread") else "left")
    for name, number in hardware.numbers.items():
        table.add_row(name, f"{float(number):.4g}", number.unit, number.provenance, number.date, f"{number.spread:.1%}", number.mistrusted)
    console.print(table)
    if nominal := hardware.numbers.get("nominal_flops"):
        how = f" ({nominal.source})" if nominal.source else ""
        line = f"measured peak_flops is {hardware.peak_flops / nominal:.2f} times what the device declares{how}"
        console.print(line, soft_wrap=True, markup=False)


def _print_kernels(console: Console, kernels: Sequence[ModelledKernel], failed: dict[str, str]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("kernel", "model", "probes", "80 % of held-out probes within", "costs (peak FLOP a unit)"):
        table.add_column(name, overflow="fold")
    for kernel in kernels:
        low, high = kernel.parameters.band or (0.0, 0.0)
        costs = ", ".join(f"{name} {cost:.3g}" for name, cost in kernel.parameters.costs.items())
        table.add_row(kernel.name, kernel.model, str(len(kernel.parameters.probes)), f"{low:.2f} to {high:.2f} of the projection", costs)
    console.print(table)
    for kernel in kernels:
        if kernel.left_out:
            console.print(f"{kernel.name}: {kernel.left_out} probes left out, another program used the core meanwhile", markup=False)
    for name, reason in failed.items():
        console.print(f"[red]not calibrated[/] {name}: {escape(reason)}")
