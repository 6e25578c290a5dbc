"""Pictures of a run: every decision's words are in them, and the control's curves are found."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("matplotlib", reason="pictures need matplotlib")

from harness.contract.record import read_record
from harness.prune.pictures import draw_run, steps_of

TRAIN = {"prune_epochs": 2, "retrain_epochs": 1, "batch": 64, "prune_lr": 0.02, "momentum": 0.9, "prune_decay": 1e-4, "augment": True}
DECISION = {
    "iteration": 0,
    "layer": "conv1",
    "state": "dropped",
    "density": 1.0,
    "seconds": 1e-5,
    "speedup": 0.9,
    "reason": "saves too little",
}
STOPPED = {
    "iteration": 150,
    "layer": "conv2",
    "state": "stopped",
    "density": 0.05,
    "seconds": 1e-5,
    "speedup": 8.0,
    "reason": "low end " * 40,
}


def write(results, name: str, pruner: str, seed: int = 1, epochs: int = 2, **more):
    folder = results / f"{name}-prune-made"
    folder.mkdir(parents=True)
    config = {"net": {"name": "n"}, "dataset": {"name": "d", "train": 6400}, "seed": seed, "pruner": {"name": pruner}}
    block = {"pruner": pruner, "guide": "gsl", "decisions": [DECISION, STOPPED], "layers": [{"name": "conv1"}, {"name": "conv2"}], **more}
    record = {
        "schema": "breakeven.record/1",
        "task": "prune",
        "status": "complete",
        "created": "",
        "machine": {},
        "versions": {},
        "rows": [],
    }
    text = json.dumps({**record, "config": {**config, "train": {**TRAIN, "prune_epochs": epochs}}, "prune": block})
    (folder / "record.json").write_text(text)
    (folder / "epochs.csv").write_text("epoch,loss,accuracy,lr,seconds,density/conv2\n1,0.5,0.8,0.02,1,0.4\n2,0.4,0.85,0.02,1,0.1\n")
    return folder


@pytest.fixture
def words(monkeypatch):
    """SVG text as text, so that it can be looked for."""
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")


def test_every_decision_is_told_with_step_density_projection_and_reason(words, tmp_path):
    folder = write(tmp_path, "a", "gmp")
    draw_run(folder, read_record(folder), pytest.fail)
    text = (folder / "decisions.svg").read_text()
    assert "step 0: dropped at density 1.000, projected 0.90x: saves too little" in text
    assert "step 150: stopped at density 0.050, projected 8.00x: low end low end" in text and "conv2" in text


def test_the_control_stands_beside_the_run_if_it_had_the_same_training(words, tmp_path):
    folder = write(tmp_path, "a", "l1")
    write(tmp_path, "b", "dense", seed=2)
    write(tmp_path, "c", "dense", epochs=5)
    draw_run(folder, read_record(folder), pytest.fail)
    assert "dense control" not in (folder / "trajectory.svg").read_text()
    write(tmp_path, "d", "dense")
    draw_run(folder, read_record(folder), pytest.fail)
    assert "dense control" in (folder / "trajectory.svg").read_text()
    assert sorted(p.name for p in folder.iterdir()) == ["decisions.svg", "epochs.csv", "record.json", "trajectory.svg"]


def test_steps_are_worked_out_for_older_records(tmp_path):
    assert steps_of(read_record(write(tmp_path, "a", "l1"))) == {"an_epoch": 100, "prune": 200, "total": 300}
    known = {"an_epoch": 7, "prune": 14, "total": 21}
    assert steps_of(read_record(write(tmp_path, "b", "l1", steps=known))) == known
