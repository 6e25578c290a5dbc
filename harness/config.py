"""The configuration of a run as typed fields; Hydra fills it, :func:`check_config` judges it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.contract import InputError
from harness.plugins import check_threads
from harness.suggest import did_you_mean
from harness.tasks import REPORTS, TASKS

MODELS = ("auto", "paper")
MOST_PATIENCE_S = 60.0


@dataclass
class MeasureConfig:
    """How to measure: hot repetitions, calls with cold weights, seconds before a worker counts as hung.

    ``patience_s``: seconds that a sample may wait for a core that no other program shares; None: 1 where times are compared
    with the model, else 0.
    """

    repetitions: int = 15
    cold: int = 3
    timeout_s: float = 600.0
    patience_s: float | None = None


@dataclass
class TrainConfig:
    """How ``task=prune`` trains; see docs/pruning.md.

    The dense network gets ``dense_epochs`` at ``lr`` (or is read from the checkpoint ``dense``), then ``prune_epochs`` at ``prune_lr`` and
    ``retrain_epochs`` falling from there to 0. ``probes``: densities at which the sparse kernels are timed for the projections;
    ``reach``: share of a layer's largest speed-up at which its useful range ends. ``outlook``: an earlier run's folder whose layer times
    guide this run too; ``also``: further backends whose layer times guide it, each running its own best kernel;
    ``measure=false`` leaves timing the pruned weights to ``task=study``.
    """

    dense: str | None = None
    dense_epochs: int = 20
    prune_epochs: int = 6
    retrain_epochs: int = 4
    batch: int = 64
    lr: float = 0.05
    prune_lr: float = 0.02
    momentum: float = 0.9
    decay: float = 5e-4
    prune_decay: float = 1e-4
    warmup: int = 100
    augment: bool = True
    amp: bool = False
    probes: Any = field(default_factory=lambda: [0.02, 0.1, 0.3, 1.0])
    checkpoint_every: int = 200
    reach: float = 0.9
    outlook: str | None = None
    also: Any = None
    measure: bool = True
    force: bool = False
    skip_finished: bool = False


@dataclass
class StudyConfig:
    """What ``task=study`` does; see docs/sweeps.md.

    ``measure``: race the exported weights of finished runs first, where that is missing or doubtful, and with ``again`` all of them;
    ``draw``: draw each run's pictures anew, beside controls that have come later. ``loss``: between which losses of accuracy against
    the dense control curves are compared; ``most_loss``: the loss up to which the best speed-up is asked for (shares). ``seeds``: those
    whose runs count (null: all). ``choose``: validation losses for which to choose strengths, one each.
    """

    measure: bool = False
    again: bool = False
    draw: bool = False
    loss: Any = field(default_factory=lambda: [0.003, 0.01])
    most_loss: float = 0.005
    seeds: Any = None
    choose: Any = None


@dataclass
class RunConfig:
    """Every key of the command line. ``backend``, ``network`` and ``weights`` are Hydra groups."""

    task: str = "bench"
    backend: Any = None
    network: Any = None
    weights: Any = None
    problem: str | None = None
    problems: str | None = None
    layers: Any = None
    density: Any = None
    batch: Any = 1
    threads: int = 1
    kernels: Any = None
    options: Any = None
    baselines: Any = "auto"
    hardware: str | None = None
    model: str = "auto"
    share: Any = None
    seed: int = 2017
    net: Any = None
    dataset: Any = None
    pruner: Any = None
    guide: Any = None
    train: TrainConfig = field(default_factory=TrainConfig)
    study: StudyConfig = field(default_factory=StudyConfig)
    measure: MeasureConfig = field(default_factory=MeasureConfig)
    report: Any = None
    results: str = "results"
    job: str = ""
    resume: str | None = None


_NESTED: dict[str, type] = {"measure": MeasureConfig, "train": TrainConfig, "study": StudyConfig}


def check_keys(config: Mapping[str, Any], schema: type = RunConfig, prefix: str = "") -> None:
    """Refuse keys that the schema does not have, also those added with ``+``."""
    known = {f.name: f for f in dataclasses.fields(schema)}
    for key, value in config.items():
        if key not in known:
            raise InputError(f"unknown key {prefix + str(key)!r}; allowed: {', '.join(known)}.{did_you_mean(str(key), known)}")
        if key in _NESTED and isinstance(value, Mapping):
            check_keys(value, _NESTED[key], f"{key}.")


def as_list(value: Any) -> list[Any]:
    """A single value or a list of them, as a list; None is the empty list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def check_config(config: RunConfig) -> None:
    """Raise :class:`InputError` for a value out of range, naming field, value and what is allowed."""
    if config.task not in TASKS:
        raise InputError(f"task is {config.task!r}; allowed: {', '.join(TASKS)}.{did_you_mean(config.task, TASKS)}")
    _check_numbers(config)
    if config.problem and config.problems:
        raise InputError("problem and problems are both given; allowed: one of them")
    for value in as_list(config.report):
        if value not in (allowed := REPORTS.get(config.task, ())):
            raise InputError(f"report is {value!r}; allowed for task={config.task}: {', '.join(allowed) or 'none'}")
    if config.model not in MODELS:
        raise InputError(f"model is {config.model!r}; allowed: {', '.join(MODELS)}")
    if config.options is not None and not isinstance(config.options, dict):
        raise InputError(f"options is {config.options!r}; allowed: a mapping such as {{variant: x}}")
    for name in ("problem", "problems", "results", "resume", "hardware"):
        if getattr(config, name) == "":
            raise InputError(f"{name} is empty; allowed: a value, or leave {name}= out")
    if not set(config.job) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"):
        raise InputError(f"job is {config.job!r}; allowed: letters, digits and . _ -")


def _check_numbers(config: RunConfig) -> None:
    """Densities, batch sizes, threads, seed, and how often to measure."""
    for value in as_list(config.density):
        if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and 0 <= value <= 1):
            raise InputError(f"density is {value!r}; allowed: numbers from 0 to 1 (share of non-zeros)")
    for value in as_list(config.share):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            raise InputError(f"share is {value!r}; allowed: numbers above 0 and up to 1 (share of the full rank)")
    if not as_list(config.batch):
        raise InputError(f"batch is {config.batch!r}; allowed: a whole number or a list of them")
    for name in ("density", "share", "kernels", "layers"):
        if getattr(config, name) is not None and not as_list(getattr(config, name)):
            raise InputError(f"{name} is []; allowed: one or more, or leave {name}= out")
    for value in as_list(config.batch):
        _whole("batch", value, 1)
    check_threads(config.threads)
    _whole("measure.repetitions", config.measure.repetitions, 1)
    _whole("measure.cold", config.measure.cold, 0)
    _whole("seed", config.seed, 0)
    check_measure_seconds(config.measure)


def check_measure_seconds(measure: MeasureConfig) -> None:
    """As :func:`check_config`, for the times of ``measure``."""
    if not measure.timeout_s > 0:
        raise InputError(f"measure.timeout_s is {measure.timeout_s}; allowed: more than 0 seconds")
    if not 0 <= (measure.patience_s or 0) <= MOST_PATIENCE_S:
        raise InputError(f"measure.patience_s is {measure.patience_s}; allowed: 0 to {MOST_PATIENCE_S:g} seconds")


def check_train(train: TrainConfig) -> None:
    """As :func:`check_config`, for the keys of ``train``."""
    for name, least in (
        ("dense_epochs", 1),
        ("prune_epochs", 1),
        ("retrain_epochs", 0),
        ("batch", 1),
        ("warmup", 0),
        ("checkpoint_every", 1),
    ):
        _whole(f"train.{name}", getattr(train, name), least)
    for name in ("lr", "prune_lr", "momentum", "decay", "prune_decay"):
        value = getattr(train, name)
        if not (math.isfinite(value) and 0 <= value <= (1 if name == "momentum" else math.inf)):
            raise InputError(f"train.{name} is {value}; allowed: a finite number of at least 0")
    if not 0 < train.reach < 1:
        raise InputError(f"train.reach is {train.reach}; allowed: between 0 and 1")
    probes = as_list(train.probes)
    if len(probes) < 2 or any(isinstance(p, bool) or not isinstance(p, int | float) or not 0 < p <= 1 for p in probes):
        raise InputError(f"train.probes is {train.probes!r}; allowed: two or more densities, above 0 and up to 1")


def check_study(study: StudyConfig) -> None:
    """As :func:`check_config`, for the keys of ``study``."""
    window = as_list(study.loss)
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) and 0 <= x < 1 for x in window)
    if len(window) != 2 or not numbers or window[0] >= window[1]:
        raise InputError(f"study.loss is {study.loss!r}; allowed: two shares, the lesser first (0.003 is 0.3 points)")
    if study.again and not study.measure:
        raise InputError("study.again is True while study.measure is False; allowed: both, to measure everything anew")
    if not 0 <= study.most_loss < 1:
        raise InputError(f"study.most_loss is {study.most_loss}; allowed: a share from 0 (0.005 is 0.5 points)")
    for seed in as_list(study.seeds):
        _whole("study.seeds", seed, 0)
    if not all(isinstance(x, int | float) and not isinstance(x, bool) and -1 < x < 1 for x in as_list(study.choose)):
        raise InputError(f"study.choose is {study.choose!r}; allowed: shares lost on the validation split (0.005 is 0.5 points)")


def _whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name} is {value!r}; allowed: a whole number of at least {least}")
