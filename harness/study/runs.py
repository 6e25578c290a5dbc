"""The finished pruning runs of a folder, as the study sees them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.contract import InputError, Record
from harness.contract.record import RECORD_NAME, read_record
from harness.prune.pictures import RECIPE, read_epochs

Budget = tuple[str, float, bool, int]  # network, epochs, mixed precision, seed


@dataclass(frozen=True)
class Run:
    """One finished run. Accuracies are shares: on the test set ``accuracy`` (last epoch) and ``dense`` (before pruning), ``validation``.

    ``options`` are those of pruner, guide and training by dotted name. ``projected``, ``measured`` and ``measured_rest`` are speed-ups of
    all convolutions and of all but the first; nan where unknown. ``density`` is the mean of the convolutions' densities.
    """

    folder: Path
    net: str
    pruner: str
    guide: str
    options: Mapping[str, Any]
    seed: int
    accuracy: float
    validation: float
    dense: float
    projected: float
    measured: float
    measured_rest: float
    density: float

    @property
    def budget(self) -> Budget:
        """What a run and its control have in common: network, epochs after the dense training, arithmetic, seed."""
        epochs = self.options.get("train.prune_epochs", 0) + self.options.get("train.retrain_epochs", 0)
        return self.net, epochs, bool(self.options.get("train.amp")), self.seed


def find_runs(results: Path) -> tuple[list[Run], int]:
    """The finished runs under ``results``, oldest first, and how many are unfinished; raises :class:`InputError` where none is finished."""
    if not results.is_dir():
        raise InputError(f"results: there is no folder {str(results)!r}; allowed: the folder of a study's runs")
    records = [(file.parent, read_record(file)) for file in sorted(results.glob(f"*-prune-*/{RECORD_NAME}"))]
    done = [(folder, r) for folder, r in records if r.status == "complete" and "accuracy_last" in r.extra.get("prune", {})]
    if not done:
        raise InputError(f"no finished pruning run in {str(results)!r} ({len(records)} unfinished); allowed: results=FOLDER of a study")
    return [_run(folder, record) for folder, record in done], len(records) - len(done)


def _run(folder: Path, record: Record) -> Run:
    block, net, time = record.extra["prune"], record.config["net"], record.extra["prune"]["time"]
    densities = [layer["density"] for layer in block["layers"] if layer.get("projected_speedup")]
    return Run(
        folder=folder,
        net=f"{net['name']} x{net.get('width', 1)} on {record.config['dataset']['name']}",
        pruner=block["pruner"],
        guide=block["guide"],
        options=_options(block["options"], record.config.get("train", {})),
        seed=block["seed"],
        accuracy=block["accuracy_last"],
        validation=_validation(folder),
        dense=block["accuracy_dense"],
        projected=time.get("projected_speedup", math.nan),
        measured=time.get("measured_speedup", math.nan),
        measured_rest=time.get("measured_rest_speedup", math.nan),
        density=statistics.fmean(densities) if densities else 1.0,
    )


def _options(parts: Mapping[str, Mapping[str, Any]], train: Mapping[str, Any]) -> dict[str, Any]:
    """Options of pruner and guide, and what of the training changes its result."""
    found = {f"{part}.{name}": value for part, options in parts.items() for name, value in options.items() if name != "name"}
    return found | {f"train.{name}": train[name] for name in (*RECIPE, "reach") if name in train}


def _validation(folder: Path) -> float:
    """Validation accuracy of the last epoch; nan where the run left no epochs."""
    epochs = read_epochs(folder)
    return epochs[-1]["accuracy"] if epochs else math.nan
