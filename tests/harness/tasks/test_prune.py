"""The pruning task from start to end on a tiny net, and its refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="task=prune needs torch")

TINY = ["net=lenet5", "net.width=0.2", "dataset.train=160", "dataset.validation=50", "dataset.test=50", "train.dense_epochs=1"]
FEW = ["measure.repetitions=2"]
QUICK = [
    "train.prune_epochs=1",
    "train.retrain_epochs=1",
    "baselines=none",
    "measure.repetitions=2",
    "measure.cold=0",
    "train.probes=[0.1,1.0]",
    "train.force=true",  # times of so small layers are noise
]


def harness(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "task=prune", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    results = tmp_path_factory.mktemp("prune")
    words = [
        *TINY,
        *QUICK,
        "+backend=cpu",
        "pruner=gmp",
        "pruner.density=0.2",
        "guide=skip_ends",
        f"results={results}",
        "train.skip_finished=true",
    ]
    done = harness(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = results.glob("*-prune-cpu")
    return done, folder, words


def test_the_record_has_the_prune_block(run):
    record = json.loads((run[1] / "record.json").read_text())
    block = record["prune"]
    assert record["status"] == "complete" and record["task"] == "prune"
    assert (block["pruner"], block["guide"], block["seed"]) == ("gmp", "skip_ends", 2017)
    assert all(0 <= block[f"accuracy_{name}"] <= 1 for name in ("dense", "last", "best"))
    layers = {layer["name"]: layer for layer in block["layers"]}
    assert list(layers) == ["conv1", "conv2", "fc1", "fc2"]
    assert layers["conv1"]["decision"] == "dropped" and "first layers" in layers["conv1"]["reason"] and layers["conv1"]["density"] == 1.0
    assert layers["conv2"]["decision"] == "pruning" and layers["conv2"]["density"] == pytest.approx(0.2, abs=0.01)
    assert {"name", "density", "decision", "reason", "iteration"} <= set(layers["fc1"])
    assert block["time"]["measured_speedup"] > 0 and block["time"]["projected_speedup"] > 0
    rows = {row["layer"]: row for row in record["rows"] if row["method"] == "direct_sparse"}
    assert rows["conv2"]["status"] == "passed" and rows["conv2"]["density"] == pytest.approx(0.2, abs=0.01)
    assert rows["conv2"]["pattern"] == "real" and "weights=files" in rows["conv2"]["repro"]


def test_weights_come_out_in_every_form(run):
    import torch

    from harness.networks import Layer
    from harness.weights import open_source
    from perfmodel import Problem

    export = run[1] / "export"
    state = torch.load(export / "model.pt", weights_only=True)
    weight = state["conv2.weight"].numpy()
    row = next(row for row in json.loads((run[1] / "record.json").read_text())["rows"] if row["layer"] == "conv2")
    source = open_source({"kind": "files", "path": str(export / "csr")})
    assert np.array_equal(source.weights_for(Layer("conv2", Problem.parse(row["problem"])), None, 0).array, weight)
    safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    assert np.array_equal(safetensors.load_file(export / "model.safetensors")["conv2.weight"], weight)


def test_the_exported_onnx_computes_the_same(run):
    import torch

    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from gsl.networks.chains import lenet5

    model = lenet5(width=0.2)
    model.load_state_dict(torch.load(run[1] / "export" / "model.pt", weights_only=True))
    x = np.random.default_rng(1).standard_normal((1, 1, 28, 28)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(run[1] / "export" / "model.onnx"), providers=["CPUExecutionProvider"])
    got = session.run(None, {session.get_inputs()[0].name: x})[0]
    assert np.allclose(got, model(torch.from_numpy(x)).detach().numpy(), atol=1e-4)


def test_every_epoch_is_told_and_kept(run):
    lines = (run[1] / "epochs.csv").read_text().splitlines()
    assert len(lines) == 3 and lines[0].startswith("epoch,loss,accuracy,lr,seconds,density/conv1")
    told = [line for line in run[0].stderr.splitlines() if " epoch " in line]
    assert [line.split()[0] for line in told] == ["dense", "prune", "retrain"]
    assert "test accuracy: dense" in run[0].stdout and "all convolutions measured" in run[0].stdout


def test_the_run_is_drawn(run):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    for name in ("decisions.svg", "trajectory.svg"):
        assert "<svg" in (run[1] / name).read_text()
    block = json.loads((run[1] / "record.json").read_text())["prune"]
    assert block["steps"] == {"an_epoch": 2, "prune": 2, "total": 4} and 0 <= block["validation_dense"] <= 1


def test_a_finished_job_of_a_sweep_is_skipped(run):
    again = harness(*run[2])
    assert again.returncode == 0 and again.stdout.strip() == f"finished before: {run[1]}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pruner=gmpp"], "unknown pruner 'gmpp'"),
        (["pruner.densty=0.1"], "densty"),
        (["pruner.density=2.0"], "pruner 'gmp': density is 2.0; allowed: more than 0, at most 1"),
        (["train.batch=0"], "train.batch is 0; allowed: a whole number of at least 1"),
        (["train.batch=101"], "train.batch is 101; allowed: at most the 100 training images"),
        (["train.dense=/nowhere.pt"], "train.dense: there is no file '/nowhere.pt'"),
        (["batch=[1,2]"], "batch is [1, 2]; allowed for task=prune: a whole number"),
        (["net=custom"], "net.factory is missing; allowed: a value, net.factory=..."),
        (["net=custom", "net.factory=argparse:Namespace"], "net.factory 'argparse:Namespace' gave a Namespace; allowed: a torch.nn.Module"),
        (["net=custom", "net.factory=math:pi"], "net.factory 'math:pi' cannot be called"),
        (["dataset=idx", "dataset.path=/nowhere"], "no file 'train-images-idx3-ubyte'"),
        (["net=custom", "net.factory=nowhere:net"], "net.factory 'nowhere:net' cannot be imported"),
        (["train.also=[opnecl]"], "unknown backend 'opnecl'; installed: "),
        (["backend=cpu", "train.also=[cpu]"], "train.also is ['cpu'] beside backend 'cpu'; allowed: further backends, each once"),
        (["net=alexnet"], "does not take images of shape (1, 28, 28)"),
    ],
)
def test_what_does_not_fit_is_one_line(words, message, tmp_path):
    done = harness(*words, "dataset.train=100", f"results={tmp_path}") if not words[0].startswith("dataset") else harness(*words)
    assert done.returncode == 2 and message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not list(Path(tmp_path).glob("*prune*"))
