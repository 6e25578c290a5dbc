"""The study's table and plot from made-up records; sweeps of real jobs through every launcher."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import pytest

TINY = ["net=lenet5", "net.width=0.2", "dataset.train=160", "dataset.validation=50", "dataset.test=50", "train.dense_epochs=1"]
QUICK = ["train.prune_epochs=1", "train.retrain_epochs=1", "baselines=none", "measure.repetitions=1", "measure.cold=0", "train.force=true"]


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
    assert "no dense control of equal budget" in done.stdout
    line, _ = csv.DictReader((tmp_path / "study.csv").read_text().splitlines())
    assert (line["net"], line["guide"], line["strength"], line["seeds"]) == ("tiny x0.5 on shapes", "gsl", "density=0.1", "2")
    assert [float(line[name]) for name in ("accuracy", "spread", "projected", "least", "greatest")] == [0.88, 0.02, 4.0, 3.0, 4.0]
    assert float(line["measured"]) == pytest.approx(12**0.5, rel=1e-5) and line["loss"] == ""


def test_only_the_seeds_asked_for_count(tmp_path):
    for seed in (1, 2):
        write(tmp_path, seed, "gsl", seed, 0.9 - seed / 100, 3.0)
    done = harness(f"results={tmp_path}", "study.seeds=[2]")
    assert done.returncode == 0 and "1 finished runs" in done.stdout, done.stderr
    (line,) = csv.DictReader((tmp_path / "study.csv").read_text().splitlines())
    assert (line["seeds"], line["accuracy"]) == ("1", "0.88")
    done = harness(f"results={tmp_path}", "study.seeds=7")
    assert done.returncode == 2 and "study.seeds is [7]; allowed here: 1, 2" in done.stderr


def test_an_empty_folder_is_refused(tmp_path):
    done = harness(f"results={tmp_path}")
    assert done.returncode == 2 and "no finished pruning run" in done.stderr


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("study.loss=[0.01,0.003]", "study.loss is [0.01, 0.003]; allowed: two shares, the lesser first"),
        ("study.again=true", "study.again is True while study.measure is False; allowed: both"),
        ("study.most_loss=2", "study.most_loss is 2.0; allowed: a share from 0"),
        ("study.mesure=true", "unknown key 'study.mesure'; allowed: study.measure, study.again, study.draw, study.loss, study.most_loss"),
        ("study.seeds=[1,x]", "study.seeds is 'x'; allowed: a whole number of at least 0"),
        ("study.choose=[0.002,2]", "study.choose is [0.002, 2]; allowed: shares lost on the validation split"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, word, message):
    done = harness(f"results={tmp_path}", word)
    assert done.returncode == 2 and message in done.stderr, done.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A control and a guided run whose weights have not been timed."""
    pytest.importorskip("torch", reason="task=prune needs torch")
    results = tmp_path_factory.mktemp("study")
    for words in (["pruner=dense", "guide=none"], ["pruner=gmp", "guide=skip_ends"]):
        done = harness(*TINY, *QUICK, *words, "train.measure=false", "train.probes=[0.1,1.0]", f"results={results}", task="prune")
        assert done.returncode == 0, done.stderr
    return results


def records(results):
    return {r["prune"]["pruner"]: r for r in (json.loads(file.read_text()) for file in results.glob("*-prune-cpu/record.json"))}


@pytest.mark.slow
def test_weights_are_measured_later_and_once(trained):
    assert not any(r["rows"] for r in records(trained).values())
    words = (f"results={trained}", "study.measure=true", "baselines=none", "measure.repetitions=3", "measure.cold=0")
    done = harness(*words)
    assert done.returncode == 0 and "measured 4 layers of 2 runs" in done.stdout, done.stdout + done.stderr
    for record in records(trained).values():
        assert record["status"] == "complete" and {row["layer"] for row in record["rows"]} == {"conv1", "conv2"}
        assert all(row["pattern"] == "real" and row["baseline"] for row in record["rows"])
        if all(row["status"] == "passed" for row in record["rows"]):
            time = record["prune"]["time"]
            dense = {row["layer"]: row["baseline"]["end_to_end_s"] for row in record["rows"]}
            assert time["measured_dense_s"] == pytest.approx(sum(dense.values()))
            assert time["measured_rest_dense_s"] == pytest.approx(dense["conv2"])
            assert time["projected_speedup"] > 0 and time["measured_on"]
    again = harness(*words)
    doubtful = {(n, row["layer"]) for n, r in records(trained).items() for row in r["rows"] if row["status"] != "passed"}
    assert f"measured {len(doubtful)} layers" in again.stdout or doubtful, again.stdout
    anew = harness(*words, "study.again=true")
    assert "measured 4 layers of 2 runs" in anew.stdout, anew.stdout
    for record in records(trained).values():
        keys = [(row["layer"], row["backend"], row["kernel"]) for row in record["rows"]]
        assert len(keys) == len(set(keys)), "new rows replace the old"


@pytest.mark.slow
def test_what_another_process_is_at_work_on_is_left_out(trained):
    from harness.runs import RunFolder

    for file in trained.glob("*-prune-cpu/journal.jsonl"):
        file.unlink()
    for file in trained.glob("*-prune-cpu/record.json"):
        record = json.loads(file.read_text())
        file.write_text(json.dumps({**record, "rows": []}))
    held = RunFolder.resume(next(trained.glob("*-prune-cpu")), status="complete")
    done = harness(f"results={trained}", "study.measure=true", "baselines=none", "measure.repetitions=1", "measure.cold=0")
    held.finish("complete")
    assert done.returncode == 0 and f"left out: another process is at work in '{held.folder}'" in done.stdout
    assert sum(bool(r["rows"]) for r in records(trained).values()) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "module", "extra"),
    [
        ("joblib", "hydra_plugins.hydra_joblib_launcher", ("hydra.launcher.n_jobs=2",)),
        ("submitit_local", "hydra_plugins.hydra_submitit_launcher", ("hydra.launcher.timeout_min=10",)),
        ("ray", "hydra_plugins.hydra_ray_launcher", ("hydra.launcher.ray.init.num_cpus=2",)),
    ],
)
def test_a_sweep_runs_on_one_machine_and_as_a_cluster_would(tmp_path, launcher, module, extra):
    pytest.importorskip(module, reason=f"the {launcher} launcher is not installed")
    pytest.importorskip("torch", reason="task=prune needs torch")
    words = ["-m", *TINY, *QUICK, "train.probes=[0.1,1.0]", "pruner=gmp", "guide=none,skip_ends", f"results={tmp_path}"]
    done = harness(*words, f"hydra/launcher={launcher}", *extra, task="prune")
    found = [json.loads(file.read_text()) for file in tmp_path.glob("*-prune-cpu-*/record.json")]
    assert sorted(r["prune"]["guide"] for r in found) == ["none", "skip_ends"], done.stdout + done.stderr
    assert {r["status"] for r in found} == {"complete"}
