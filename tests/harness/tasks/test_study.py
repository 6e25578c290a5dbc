"""The study's table and plot from made-up records; sweeps of real jobs through every launcher."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from harness.tasks.study import Cell, at_equal_accuracy, collect, plot_pareto


def harness(*words: str, task: str = "study") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *words, f"task={task}"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)


def write(results, number: int, guide: str, seed: int, accuracy: float, speedup: float, density: float = 0.1, status: str = "complete"):
    folder = results / f"2026010{number}-000000-prune-made"
    folder.mkdir(parents=True)
    options = {"pruner": {"name": "gmp", "density": density}, "guide": {"name": guide}}
    layers = [{"name": "conv2", "density": density, "projected_speedup": 2.0}, {"name": "fc", "density": 1.0, "projected_speedup": None}]
    time = {"projected_speedup": 4.0, "measured_speedup": speedup}
    block = {"pruner": "gmp", "guide": guide, "seed": seed, "accuracy_dense": 0.9, "accuracy_last": accuracy, "options": options}
    config = {"net": {"name": "tiny", "width": 0.5}, "dataset": {"name": "shapes"}}
    base = {"schema": "breakeven.record/1", "task": "prune", "status": status, "created": "", "machine": {}, "versions": {}, "rows": []}
    (folder / "record.json").write_text(json.dumps({**base, "config": config, "prune": {**block, "layers": layers, "time": time}}))


def test_seeds_come_together_and_unfinished_runs_are_counted(tmp_path):
    write(tmp_path, 1, "gsl", 1, 0.89, 3.0)
    write(tmp_path, 2, "gsl", 2, 0.87, 4.0)
    write(tmp_path, 3, "none", 1, 0.85, 3.5)
    write(tmp_path, 4, "none", 2, 0.85, 3.5, status="interrupted")
    done = harness(f"results={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert "3 finished runs, 1 not finished" in done.stdout
    head, line, _ = (tmp_path / "study.csv").read_text().splitlines()
    assert head.startswith("net,pruner,guide")
    assert line.split(",") == [
        "tiny x0.5 on shapes",
        "gmp",
        "gsl",
        "density=0.1",
        "2",
        "88.00%",
        "2.00%",
        "+2.00%",
        "4.00x",
        "3.50x",
        "0.100",
    ]


def test_an_empty_folder_is_refused(tmp_path):
    done = harness(f"results={tmp_path}")
    assert done.returncode == 2 and "no finished pruning run" in done.stderr


def cell(guide: str, accuracy: float, speedup: float) -> Cell:
    return Cell("n", "gmp", guide, "", (accuracy, accuracy + 0.01), (0.0,), (speedup,), (speedup,), 0.1)


def test_curves_are_compared_at_equal_accuracy_and_never_extrapolated():
    other = [cell("none", 0.8, 4.0), cell("none", 0.9, 1.0)]
    assert at_equal_accuracy([cell("gsl", 0.85, 3.0)], other) == [pytest.approx(1.5)]
    assert at_equal_accuracy([cell("gsl", 0.95, 3.0)], other) == []
    assert collect([]) == []


def test_the_plot_is_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="the plot needs matplotlib")
    path = plot_pareto([cell("none", 0.8, 4.0), cell("none", 0.9, 1.0), cell("gsl", 0.85, 3.0)], tmp_path / "pareto.svg")
    assert "<svg" in path.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "module", "extra"),
    [
        ("joblib", "hydra_plugins.hydra_joblib_launcher", ("hydra.launcher.n_jobs=2",)),
        ("submitit_local", "hydra_plugins.hydra_submitit_launcher", ("hydra.launcher.timeout_min=10",)),
    ],
)
def test_a_sweep_runs_on_one_machine_and_as_a_cluster_would(tmp_path, launcher, module, extra):
    pytest.importorskip(module, reason=f"the {launcher} launcher is not installed")
    pytest.importorskip("torch", reason="task=prune needs torch")
    tiny = ["net=lenet5", "net.width=0.2", "dataset.train=160", "dataset.validation=50", "dataset.test=50", "train.dense_epochs=1"]
    quick = ["train.prune_epochs=1", "train.retrain_epochs=1", "baselines=none", "measure.repetitions=1", "measure.cold=0"]
    words = ["-m", *tiny, *quick, "train.probes=[0.1,1.0]", "pruner=gmp", "guide=none,skip_ends", f"results={tmp_path}"]
    done = harness(*words, f"hydra/launcher={launcher}", *extra, task="prune")
    records = [json.loads(file.read_text()) for file in tmp_path.glob("*-prune-cpu-*/record.json")]
    assert sorted(r["prune"]["guide"] for r in records) == ["none", "skip_ends"], done.stdout + done.stderr
    assert {r["status"] for r in records} == {"complete"}
