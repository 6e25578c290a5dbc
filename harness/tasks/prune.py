"""``task=prune``: train, prune, retrain, then measure the pruned weights against the best dense."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from harness.bench.race import race
from harness.bench.rows import make_rows
from harness.bench.table import print_table
from harness.config import RunConfig, check_train
from harness.console import err, out
from harness.contract import InputError
from harness.prune.export import export_weights, write_epochs, write_tensorboard
from harness.prune.finished import find_earlier
from harness.prune.measured import network_times, weight_cases, with_weights
from harness.prune.memory import keep_freed_memory
from harness.prune.parts import Parts, dense_recipe, make_parts, prune_recipe
from harness.prune.pictures import draw_run
from harness.prune.projections import check_also, outlooks
from harness.prune.tables import epoch_line, print_prune
from harness.runs import RunFolder
from harness.tasks import EXIT_OK, EXIT_ROW_FAILED
from harness.tasks.session import Session, run_session

if TYPE_CHECKING:
    from gsl import Pruning
    from gsl.train import Trainer

CHECKPOINT = "checkpoint.pt"


def run(config: RunConfig) -> int:
    """Do the whole job, or what is left of it; returns the exit code."""
    check_train(config.train)
    check_also(config)
    if not isinstance(config.batch, int):
        raise InputError(f"batch is {config.batch!r}; allowed for task=prune: a whole number, the images of a call that is timed")
    if config.train.skip_finished and not config.resume:
        folder, complete = find_earlier(config)
        if complete:
            out().print(f"finished before: {folder}", soft_wrap=True, markup=False)
            return EXIT_OK
        config.resume = str(folder) if folder else None
    parts = make_parts(config)
    _check_fits(config, parts)
    t, an_epoch = config.train, len(parts.data.train) // config.train.batch
    total = (t.prune_epochs + t.retrain_epochs + (0 if t.dense else t.dense_epochs)) * an_epoch
    covered = f"{len(parts.problems)} convolutions, {len(parts.data.train)} training images"
    timed = t.measure or not t.outlook
    keep_freed_memory()
    return run_session(config, covered, total, lambda session: _work(session, parts), lambda f, c: _conclude(config, f, c), rivals=timed)


def _check_fits(config: RunConfig, parts: Parts) -> None:
    """Refuse now what would be found out only after the layers are timed."""
    if config.train.batch > (images := len(parts.data.train)):
        raise InputError(f"train.batch is {config.train.batch}; allowed: at most the {images} training images")
    if config.train.dense and not Path(config.train.dense).expanduser().is_file():
        raise InputError(f"train.dense: there is no file {config.train.dense!r}; allowed: a checkpoint of the dense network")


def _conclude(config: RunConfig, folder: RunFolder, console: Console) -> int:
    rows = folder.record.rows
    if rows:
        print_table(console, rows, str(config.backend["name"]))
    print_prune(console, folder.record.extra.get("prune", {}))
    return EXIT_ROW_FAILED if any(row.status == "failed" for row in rows) else EXIT_OK


def _work(session: Session, parts: Parts) -> None:
    seen = outlooks(session, parts.problems)
    _refuse_hopeless(session.config, parts, seen)
    model, accuracy = _dense(session, parts)
    pruning, trainer = _prune(session, parts, model, seen)
    _report(session, parts, pruning, trainer, accuracy)


def _refuse_hopeless(config: RunConfig, parts: Parts, seen: dict[str, Any]) -> None:
    """Say so before training where no layer can gain; stop unless forced."""
    from gsl.layers import find_layers

    useful = [name for name, outlook in seen.items() if outlook.useful.exists]
    guide = parts.guide.open(list(find_layers(parts.build())), seen)
    prunes = [name for name in guide.pruning if name in useful]
    if prunes:
        err().print(f"this guide may prune {', '.join(guide.pruning)}; largest useful speed-up {guide.ceiling or 1:.2f}x", soft_wrap=True)
        return
    reasons = "; ".join(f"{name}: {outlook.useful.reason}" for name, outlook in seen.items() if name not in useful)
    logged = "; ".join(f"{d.layer}: {d.reason}" for d in guide.log)
    text = f"pruning cannot pay here: no layer that would be pruned has a useful range ({reasons or logged})"
    if not config.train.force:
        raise InputError(f"{text}; allowed: another network, backend or batch, or train.force=true")
    err().print(text, markup=False, soft_wrap=True)


def _dense(session: Session, parts: Parts) -> tuple[Any, float]:
    """The dense network and its test accuracy: from a checkpoint, from an earlier run of the same recipe, or trained now."""
    from gsl.checkpoint import load_checkpoint, one_at_a_time
    from gsl.train import Trainer, evaluate
    from harness.prune.accuracy import dense_accuracy

    config, model = session.config, parts.build()
    if config.train.dense:
        path = Path(config.train.dense).expanduser()
        saved = load_checkpoint(path, _notice)
        try:
            model.load_state_dict(saved["model"])
        except (RuntimeError, KeyError) as error:
            raise InputError(f"train.dense {str(path)!r} does not fit the network: {error}") from None
        return model, evaluate(model, parts.data.test)
    path = Path(config.results).expanduser() / "dense" / f"{_dense_key(config)}.pt"
    session.describe("training the dense net")
    trainer = Trainer(model, parts.data, dense_recipe(config), checkpoint=path, every=config.train.checkpoint_every)
    trainer.on_step, trainer.notice = session.tick, _notice
    trainer.on_epoch = lambda line: err().print(epoch_line("dense", line), markup=False, soft_wrap=True)
    with one_at_a_time(path):
        trainer.run()
        return model, dense_accuracy(model, parts.data, path)


def _dense_key(config: RunConfig) -> str:
    """A name for everything that the dense network depends on."""
    used = ("net", "dataset", "seed", "threads")
    recipe = dataclasses.asdict(dense_recipe(config))
    text = json.dumps([{key: getattr(config, key) for key in used}, recipe], sort_keys=True, default=str)
    return f"{config.net.get('name')}-{config.dataset.get('name')}-s{config.seed}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def _prune(session: Session, parts: Parts, model: Any, seen: dict[str, Any]) -> tuple[Pruning, Trainer]:
    from gsl.pruning import Pruning
    from gsl.train import Trainer, evaluate, sgd

    config, folder, recipe = session.config, session.folder.folder, prune_recipe(session.config)
    optimizer = sgd(model, recipe)
    steps = config.train.prune_epochs * (len(parts.data.train) // recipe.batch)
    pruning = Pruning(model, optimizer, parts.pruner, parts.guide, seen, prune_steps=steps, seed=config.seed)
    trainer = Trainer(model, parts.data, recipe, pruning, optimizer, folder / CHECKPOINT, config.train.checkpoint_every)
    trainer.on_step, trainer.notice = session.tick, _notice

    def told(line: Any) -> None:
        phase = "retrain" if pruning.frozen and line["epoch"] > config.train.prune_epochs else "prune"
        err().print(epoch_line(phase, line), markup=False, soft_wrap=True)
        write_epochs(folder, trainer.history)

    trainer.on_epoch = told
    session.folder.note("prune", "validation_dense", evaluate(model, parts.data.validation, amp=recipe.amp))
    session.describe("pruning")
    trainer.run()
    pruning.finish()
    return pruning, trainer


def _report(session: Session, parts: Parts, pruning: Pruning, trainer: Trainer, accuracy_dense: float) -> None:
    """Accuracies, exports, measured rows, the record's ``prune`` block, and pictures of the run."""
    from harness.prune.accuracy import accuracies_on_test

    config, folder = session.config, session.folder
    last, best = accuracies_on_test(trainer)
    write_epochs(folder.folder, trainer.history)
    write_tensorboard(folder.folder, trainer.history)
    csr = export_weights(trainer.model, parts.problems, parts.data.shape, folder.folder / "export", _notice)
    if config.train.measure:
        _measure(session, parts, csr)
    guide, densities = pruning.guide, pruning.densities
    time = {"projected_speedup": guide.dense_s / guide.seconds(densities), "ceiling": guide.ceiling, **network_times(folder.record.rows)}
    for key, value in {
        "pruner": config.pruner["name"],
        "guide": config.guide["name"],
        "seed": config.seed,
        "accuracy_dense": accuracy_dense,
        "accuracy_last": last,
        "accuracy_best": best,
        "layers": [_layer(name, pruning) for name in pruning.layers],
        "decisions": guide.state_dict()["log"],
        "steps": {"an_epoch": trainer.steps_an_epoch, "prune": pruning.prune_steps, "total": trainer.step},
        "time": time,
        "options": {"pruner": dict(config.pruner), "guide": dict(config.guide)},
    }.items():
        folder.note("prune", key, value)
    draw_run(folder.folder, folder.record, _notice)


def _layer(name: str, pruning: Pruning) -> dict[str, Any]:
    density, outlook = pruning.layers[name].density, pruning.guide.layers.get(name)
    made = [d for d in pruning.log if d.layer == name]
    decision, reason, iteration = (str(made[-1].state), made[-1].reason, made[-1].iteration) if made else ("pruning", "to the end", 0)
    speedup = outlook.dense_s / outlook.best_s(density) if outlook else None
    kernel = outlook.kernel(density) if outlook else None
    found = {"name": name, "density": density, "decision": decision, "reason": reason, "iteration": iteration}
    return {**found, "projected_speedup": speedup, "kernel": kernel}


def _measure(session: Session, parts: Parts, csr: Path) -> None:
    """Race every kernel on the pruned weights, layer by layer, as ``task=bench`` does with ``weights=files``."""
    config, hardware = with_weights(session.config, csr), session.hardware()
    for case in weight_cases(parts.problems, config):
        if not session.folder.has(case.key):
            session.describe(f"measuring {case.layer.name}")
            entries = race(case, session.field.contenders(), session.field.oracle, config.measure, lambda: None)
            session.folder.append(case.key, make_rows(case, entries, config, hardware))


def _notice(text: str) -> None:
    err().print(text, markup=False, soft_wrap=True)
