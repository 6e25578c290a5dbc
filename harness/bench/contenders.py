"""Who takes part: the chosen backend's kernels, and every exact dense kernel to compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from harness.config import RunConfig, as_list
from harness.contract import BackendSpec, InputError, KernelSpec, Problem
from harness.contract.plan import Array
from harness.plugins import PluginHost
from harness.suggest import did_you_mean
from harness.workers import WorkerError, WorkerProcess
from harness.workers.service import Description, Truth

BASELINE_METHODS = ("dense", "winograd", "fft")


@dataclass(frozen=True)
class Stage:
    """What the workers are told of a case: a layer, its weights, the seed of its inputs, the oracle's answer."""

    problem: Problem
    weight: Array
    seed: int
    truth: Truth
    timeout_s: float


@dataclass
class Team:
    """A backend in its worker, and the kernels of it that take part; a dead worker is started anew."""

    spec: BackendSpec
    threads: int
    options: Mapping[str, Any]
    kernels: tuple[KernelSpec, ...] = ()
    kernel_options: Mapping[str, Any] = field(default_factory=dict)
    description: Description | None = None
    _worker: WorkerProcess | None = field(default=None, repr=False)
    _loaded: tuple[WorkerProcess, Stage] | None = field(default=None, repr=False)

    def worker(self) -> WorkerProcess:
        """The running worker; starts one if there is none."""
        if self._worker is None or not self._worker.alive:
            self.stop()
            self._worker = WorkerProcess(self.spec, self.threads, self.options)
            self._worker.open()
            self.description = self._worker.call("describe")
        return self._worker

    def on_stage(self, stage: Stage) -> WorkerProcess:
        """The running worker with ``stage`` loaded; it is loaded anew into a worker that had to be replaced."""
        worker = self.worker()
        if self._loaded is None or self._loaded[0] is not worker or self._loaded[1] is not stage:
            worker.call("load", stage.problem, stage.weight, stage.seed, stage.truth, timeout_s=stage.timeout_s)
            self._loaded = worker, stage
        return worker

    def stop(self, at_once: bool = False) -> None:
        """End the worker, politely unless ``at_once``."""
        if self._worker is not None:
            self._worker.stop(at_once)
            self._worker = None


Contender = tuple[Team, KernelSpec]


@dataclass
class Field:
    """Everybody in a run. ``chosen`` is measured, ``rivals`` give baselines, ``oracle`` checks."""

    chosen: Team
    rivals: list[Team]
    oracle: Team
    absent: dict[str, str]

    def teams(self) -> list[Team]:
        """Chosen first, then the rivals."""
        return [self.chosen, *self.rivals]

    def contenders(self) -> list[Contender]:
        """Every kernel that takes part, with its team."""
        return [(team, kernel) for team in self.teams() for kernel in team.kernels]

    def dense(self) -> list[Contender]:
        """Those that may serve as the headline baseline: exact dense kernels of engines."""
        return [(t, k) for t, k in self.contenders() if t.spec.role == "engine" and k.exact and k.method in BASELINE_METHODS]


@contextmanager
def open_field(config: RunConfig, host: PluginHost, notice: Callable[[str], None], rivals: bool = True) -> Iterator[Field]:
    """Start the workers of a run and stop them at the end; ``rivals``: also those that give baselines.

    Raises :class:`InputError` for an unknown backend, kernel or baseline, or when the chosen backend is absent.
    """
    name = str(config.backend["name"])
    opened: list[Team] = []
    try:
        chosen = _chosen_team(config, host)
        opened.append(chosen)
        notice(f"opening {name}")
        chosen.worker()
        chosen.kernels = _choose_kernels(chosen, config)
        oracle = _oracle(host)
        opened.append(oracle)
        oracle.worker()
        ready, absent = [], {}
        specs = _rival_specs(config, host, name)  # refuses a wrong name even where none is opened
        for spec in specs if rivals else ():
            notice(f"opening {spec.name}")
            team = Team(spec, config.threads, {})
            opened.append(team)
            try:
                team.worker()
            except (InputError, WorkerError) as error:
                absent[spec.name] = str(error)
                continue
            team.kernels = tuple(k for k in _description(team).kernels if k.exact and k.method in BASELINE_METHODS)
            ready.append(team)
        yield Field(chosen, ready, oracle, absent)
    except BaseException:
        for team in opened:
            team.stop(at_once=True)
        raise
    finally:
        for team in opened:
            team.stop()


@contextmanager
def open_team(config: RunConfig, host: PluginHost) -> Iterator[Team]:
    """Only the chosen backend's worker; errors as :func:`open_field`."""
    team = _chosen_team(config, host)
    try:
        team.worker()
        team.kernels = _choose_kernels(team, config)
        yield team
    finally:
        team.stop()


def _chosen_team(config: RunConfig, host: PluginHost) -> Team:
    options = {k: v for k, v in dict(config.backend).items() if k != "name"}
    return Team(host.spec(str(config.backend["name"])), config.threads, options, kernel_options=dict(config.options or {}))


def _description(team: Team) -> Description:
    assert team.description is not None
    return team.description


def _choose_kernels(team: Team, config: RunConfig) -> tuple[KernelSpec, ...]:
    kernels = {k.name: k for k in _description(team).kernels}
    wanted = [str(k) for k in as_list(config.kernels)]
    for name in wanted:
        if name not in kernels:
            raise InputError(
                f"kernels: backend {team.spec.name!r} has no kernel {name!r}; allowed: {', '.join(kernels)}.{did_you_mean(name, kernels)}"
            )
    chosen = tuple(k for k in kernels.values() if not wanted or k.name in wanted)
    known = {option for kernel in chosen for option in kernel.options}
    for option in config.options or ():
        if option not in known:
            allowed = ", ".join(sorted(known)) or "none"
            raise InputError(
                f"options: no chosen kernel of {team.spec.name!r} has {option!r}; allowed: {allowed}.{did_you_mean(option, known)}"
            )
    return chosen


def _oracle(host: PluginHost) -> Team:
    for spec in host.specs().values():
        if spec.role == "oracle":
            return Team(spec, 1, {})
    raise InputError("no installed backend has the role of oracle, so results cannot be verified; reinstall breakeven")


def _rival_specs(config: RunConfig, host: PluginHost, chosen: str) -> list[BackendSpec]:
    """Engines other than the chosen one; ``baselines`` is auto, none, or a list of names."""
    wanted = as_list(config.baselines)
    engines = {name: spec for name, spec in host.specs().items() if spec.role == "engine"}
    if wanted == ["auto"]:
        return [spec for name, spec in engines.items() if name != chosen]
    if wanted == ["none"] or not wanted:
        return []
    for name in wanted:
        if name not in engines:
            raise InputError(f"baselines: no engine {name!r}; allowed: auto, none, {', '.join(engines)}.{did_you_mean(str(name), engines)}")
    return [engines[name] for name in wanted if name != chosen]
