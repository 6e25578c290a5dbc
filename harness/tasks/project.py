"""``task=project``: seconds and speed-up against density, useful range and method choice, from the model alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table

from harness.bench.cases import batches, choose_layers
from harness.bench.contenders import open_team
from harness.bench.table import microseconds, short_problem
from harness.config import RunConfig, as_list
from harness.console import out
from harness.contract import Hardware, InputError, KernelSpec, Problem
from harness.files import make_folder
from harness.modelling.low_rank import UNKNOWN_ERROR, Chain, open_chains
from harness.modelling.outlook import Dense, choose, fastest_dense, find_kernel, project, useful_range
from harness.modelling.store import ModelledKernel, rivals
from harness.plugins import host
from harness.report.figures import check_plots
from harness.report.plots import Curve, plot_speedups
from harness.tasks import EXIT_OK
from perfmodel import load_hardware
from perfmodel.project import Choice, Projection
from perfmodel.useful import UsefulRange

CURVE = tuple(10 ** (-2 + step / 10) for step in range(21))
DENSITIES = (0.5, 0.3, 0.2, 0.1, 0.05, 0.02)


@dataclass(frozen=True)
class Source:
    """Where projections come from: a backend's sparse kernel on this machine, or the paper's model on any hardware.

    ``chains``: low-rank kernels that the method choice may take besides.
    """

    hardware: Hardware
    spec: KernelSpec
    kernel: ModelledKernel | None
    rivals: tuple[ModelledKernel, ...]
    chains: tuple[Chain, ...] = ()

    def dense(self, problem: Problem) -> Dense:
        """The dense time to compare with."""
        return fastest_dense(problem, self.rivals, self.hardware)

    def project(self, problem: Problem, density: float) -> Projection:
        """One projection."""
        return project(problem, density, self.spec, self.kernel, self.hardware, self.dense(problem))

    def choose(self, problem: Problem, density: float) -> Choice:
        """The fastest of this kernel, every calibrated one, the dense time, and the low-rank chains asked for."""
        dense = self.dense(problem)
        chains = [chain.project(problem, dense.seconds) for chain in self.chains]
        return choose(problem, density, self.spec, self.kernel, self.rivals, self.hardware, dense, chains)

    def useful_range(self, problem: Problem) -> UsefulRange:
        """The useful range."""
        return useful_range(problem, self.spec, self.kernel, self.hardware, self.dense(problem))


def run(config: RunConfig) -> int:
    """Print a table of projections for every layer, kernel and density."""
    check_plots(config.report)
    layers = choose_layers(config)
    densities = [float(d) for d in as_list(config.density)] or list(DENSITIES)
    console = out()
    hardware, known, specs = open_models(config)
    chains = open_chains(known, hardware, config.threads, [float(share) for share in as_list(config.share)])
    problems = [(layer.name, layer.problem.with_batch(batch)) for layer in layers for batch in batches(layer, config)]
    for spec, kernel in specs:
        source = Source(hardware, spec, kernel, known, chains)
        console.print(_title(source), soft_wrap=True, markup=False)
        console.print(_table(source, problems, densities))
        if "plots" in as_list(config.report):
            console.print(str(_plot(source, problems, config)), soft_wrap=True, markup=False)
    if chains:
        console.print(f"low rank on {_device(hardware)}: {UNKNOWN_ERROR}", soft_wrap=True, markup=False)
        console.print(_chains_table(chains, known, hardware, problems))
    return EXIT_OK


def _plot(source: Source, problems: Sequence[tuple[str, Problem]], config: RunConfig) -> Path:
    """Draw speed-up against sparsity under ``results``."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = Path(config.results).expanduser() / f"{stamp}-project-{source.spec.name}"
    make_folder(folder)
    title = f"{source.spec.name} on {source.hardware.device}, projected speed-up over the fastest dense kernel"
    return plot_speedups([curve(source, name, problem) for name, problem in problems], title, folder / "speedup.svg")


def curve(source: Source, name: str, problem: Problem) -> Curve:
    """The projected speed-up of one layer at densities from 0.01 to 1."""
    found = [source.project(problem, density) for density in CURVE]
    return Curve(name, [(p.density, p.dense_s / p.high_s, p.speedup, p.dense_s / p.low_s) for p in found])


Models = tuple[Hardware, tuple[ModelledKernel, ...], list[tuple[KernelSpec, ModelledKernel | None]]]


def open_models(config: RunConfig) -> Models:
    """Hardware, the calibrated kernels of this machine, and each sparse kernel of the backend as calibrated or declared.

    With ``hardware=`` the paper's model on that record. Raises :class:`InputError` where nothing can be projected.
    """
    if config.hardware:
        hardware = load_hardware(config.hardware)
        return hardware, (), [(KernelSpec("paper", "direct_sparse", "the paper's direct sparse convolution"), None)]
    with open_team(config, host()) as team:
        name, found = team.spec.name, team.worker().call("hardware", timeout_s=config.measure.timeout_s)
        if found is None:
            raise InputError(f"backend {name!r} has no hardware numbers; allowed: hardware=FILE or one of the shipped records")
        specs = [spec for spec in team.kernels if spec.sparse]
        if not specs and not as_list(config.share):
            raise InputError(f"backend {name!r} has no sparse kernel among the chosen ones; share= shows low-rank chains")
        if config.model == "paper":
            return found, (), [(spec, None) for spec in specs]
        known = rivals(config.threads, name, found)
        return found, known, [(spec, find_kernel(name, spec, config.threads, found)) for spec in specs]


def _title(source: Source) -> str:
    how = "the paper's model"
    if source.kernel is not None:
        how = f"calibrated {source.kernel.date}" if source.kernel.parameters.costs else "from first principles (task=calibrate measures)"
    return f"{source.spec.name} on {_device(source.hardware)}: {how}"


def _device(hardware: Hardware) -> str:
    """Vendor and device, the vendor once."""
    return hardware.device if hardware.device.startswith(hardware.vendor) else f"{hardware.vendor} {hardware.device}"


def _table(source: Source, problems: Sequence[tuple[str, Problem]], densities: Sequence[float]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in (
        "layer",
        "problem",
        "dense us",
        "by",
        "useful density",
        "break-even sparsity",
        *(f"x {d:g}" for d in densities),
        "bound",
        "why",
        *(f"fastest at {d:g}" for d in densities),
    ):
        words = name in ("layer", "problem", "by", "bound", "why") or name.startswith("fastest")
        table.add_column(name, justify="left" if words else "right", overflow="fold")
    for name, problem in problems:
        dense, found = source.dense(problem), source.useful_range(problem)
        projections = [source.project(problem, density) for density in densities]
        table.add_row(
            escape(name),
            short_problem(str(problem)),
            microseconds(dense.seconds),
            dense.name,
            f"{_end(found.low, found.low_band)} to {_end(found.high, found.high_band)}" if found.exists else "none",
            _break_even(found),
            *(_speedup(projection) for projection in projections),
            projections[-1].bound,
            found.reason,
            *(_fastest(source, problem, density) for density in densities),
        )
    return table


def _chains_table(
    chains: Sequence[Chain], known: Sequence[ModelledKernel], hardware: Hardware, problems: Sequence[tuple[str, Problem]]
) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("layer", "problem", "dense us", "by", "kernel", "share", "rank", "us", "band us", "speed-up", "bound", "model"):
        words = name in ("layer", "problem", "by", "kernel", "bound", "model")
        table.add_column(name, justify="left" if words else "right", overflow="fold")
    for name, problem in problems:
        dense = fastest_dense(problem, known, hardware)
        for chain in chains:
            found = chain.project(problem, dense.seconds)
            table.add_row(
                *(escape(name), short_problem(str(problem)), microseconds(dense.seconds), dense.name),
                *(chain.kernel.name, f"{chain.share:g}", ", ".join(map(str, chain.ranks(problem)))),
                *(microseconds(found.median_s), f"{microseconds(found.low_s)} to {microseconds(found.high_s)}", _speedup(found)),
                *(found.bound, found.model),
            )
    return table


def _fastest(source: Source, problem: Problem, density: float) -> str:
    """The fastest of all kernels that the model knows, and how many times as long the next one takes."""
    choice = source.choose(problem, density)
    return f"{choice.best.name} x{choice.margin:.2f}"


def _end(density: float | None, band: tuple[float, float] | None) -> str:
    """One end of a useful range with its band."""
    within = f" ({band[0]:.3g}-{band[1]:.3g})" if band else ""
    return f"{density or 0.0:.3g}{within}"


def _break_even(found: UsefulRange) -> str:
    if found.high is None:
        return "never"
    if found.high_band is None:
        return f"{1 - found.high:.0%}"
    return f"{1 - found.high:.0%} ({1 - found.high_band[1]:.0%} to {1 - found.high_band[0]:.0%})"


def _speedup(projection: Projection) -> str:
    """Speed-up; a tilde marks extrapolation outside the probed range."""
    return f"{'~' if projection.extrapolated else ''}{projection.speedup:.2f}"
