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
from harness.modelling.outlook import Dense, choose, fastest_dense, find_kernel, project, useful_range
from harness.modelling.store import ModelledKernel, load_all
from harness.plugins import host
from harness.report.plots import Curve, plot_speedups
from harness.tasks import EXIT_OK
from perfmodel import load_hardware
from perfmodel.project import Choice, Projection
from perfmodel.useful import UsefulRange

CURVE = tuple(10 ** (-2 + step / 10) for step in range(21))
DENSITIES = (0.5, 0.3, 0.2, 0.1, 0.05, 0.02)


@dataclass(frozen=True)
class Source:
    """Where projections come from: a backend's sparse kernel on this machine, or the paper's model on any hardware."""

    hardware: Hardware
    spec: KernelSpec
    kernel: ModelledKernel | None
    rivals: tuple[ModelledKernel, ...]

    def dense(self, problem: Problem) -> Dense:
        """The dense time to compare with."""
        return fastest_dense(problem, self.rivals, self.hardware)

    def project(self, problem: Problem, density: float) -> Projection:
        """One projection."""
        return project(problem, density, self.spec, self.kernel, self.hardware, self.dense(problem))

    def choose(self, problem: Problem, density: float) -> Choice:
        """The fastest of this kernel, every calibrated one and the dense time."""
        return choose(problem, density, self.spec, self.kernel, self.rivals, self.hardware, self.dense(problem))

    def useful_range(self, problem: Problem) -> UsefulRange:
        """The useful range."""
        return useful_range(problem, self.spec, self.kernel, self.hardware, self.dense(problem))


def run(config: RunConfig) -> int:
    """Print a table of projections for every layer, kernel and density."""
    layers = choose_layers(config)
    densities = [float(d) for d in as_list(config.density)] or list(DENSITIES)
    console = out()
    for source in open_sources(config):
        console.print(_title(source), soft_wrap=True, markup=False)
        problems = [(layer.name, layer.problem.with_batch(batch)) for layer in layers for batch in batches(layer, config)]
        console.print(_table(source, problems, densities))
        if "plots" in as_list(config.report):
            console.print(str(_plot(source, problems, config)), soft_wrap=True, markup=False)
    return EXIT_OK


def _plot(source: Source, problems: Sequence[tuple[str, Problem]], config: RunConfig) -> Path:
    """Draw speed-up against sparsity under ``results``."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = Path(config.results) / f"{stamp}-project-{source.spec.name}"
    make_folder(folder)
    title = f"{source.spec.name} on {source.hardware.device}, projected speed-up over the fastest dense kernel"
    return plot_speedups([curve(source, name, problem) for name, problem in problems], title, folder / "speedup.svg")


def curve(source: Source, name: str, problem: Problem) -> Curve:
    """The projected speed-up of one layer at densities from 0.01 to 1."""
    found = [source.project(problem, density) for density in CURVE]
    return Curve(name, [(p.density, p.dense_s / p.high_s, p.speedup, p.dense_s / p.low_s) for p in found])


def open_sources(config: RunConfig) -> list[Source]:
    """One source a sparse kernel of the backend; with ``hardware=`` the paper's model on that record."""
    if config.hardware:
        hardware = load_hardware(config.hardware)
        return [Source(hardware, KernelSpec("paper", "direct_sparse", "the paper's direct sparse convolution"), None, ())]
    with open_team(config, host()) as team:
        found: Hardware | None = team.worker().call("hardware", timeout_s=config.measure.timeout_s)
        if found is None:
            raise InputError(f"backend {team.spec.name!r} has no hardware numbers; allowed: hardware=FILE or one of the shipped records")
        specs = [spec for spec in team.kernels if spec.sparse]
        if not specs:
            raise InputError(f"backend {team.spec.name!r} has no sparse kernel among the chosen ones")
        if config.model == "paper":
            return [Source(found, spec, None, ()) for spec in specs]
        rivals = load_all(config.threads)
        return [Source(found, spec, find_kernel(team.spec.name, spec, config.threads, found), rivals) for spec in specs]


def _title(source: Source) -> str:
    how = "the paper's model"
    if source.kernel is not None:
        how = f"calibrated {source.kernel.date}" if source.kernel.parameters.costs else "from first principles (task=calibrate measures)"
    return f"{source.spec.name} on {source.hardware.vendor} {source.hardware.device}: {how}"


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
        *(f"fastest at {d:g}" for d in densities),
    ):
        words = name in ("layer", "problem", "by", "bound") or name.startswith("fastest")
        table.add_column(name, justify="left" if words else "right", overflow="fold")
    for name, problem in problems:
        dense, found = source.dense(problem), source.useful_range(problem)
        projections = [source.project(problem, density) for density in densities]
        table.add_row(
            escape(name),
            short_problem(str(problem)),
            microseconds(dense.seconds),
            dense.name,
            f"{found.low:.3f} to {found.high:.3f}" if found.low is not None and found.high is not None else "none",
            _break_even(found),
            *(_speedup(projection) for projection in projections),
            projections[-1].bound,
            *(_fastest(source, problem, density) for density in densities),
        )
    return table


def _fastest(source: Source, problem: Problem, density: float) -> str:
    """The fastest of all kernels that the model knows, and how many times as long the next one takes."""
    choice = source.choose(problem, density)
    return f"{choice.best.name} x{choice.margin:.2f}"


def _break_even(found: UsefulRange) -> str:
    if found.high is None:
        return "never"
    if found.high_band is None:
        return f"{1 - found.high:.0%}"
    return f"{1 - found.high:.0%} ({1 - found.high_band[1]:.0%} to {1 - found.high_band[0]:.0%})"


def _speedup(projection: Projection) -> str:
    """Speed-up; a tilde marks extrapolation outside the probed range."""
    return f"{'~' if projection.extrapolated else ''}{projection.speedup:.2f}"
