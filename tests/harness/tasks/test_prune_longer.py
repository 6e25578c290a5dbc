"""The pruning task killed, with losses that are none, and guided for two backends at once."""

from __future__ import annotations

import importlib.util
import json
import random
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("torch", reason="task=prune needs torch")

SMALL = ["net=lenet5", "net.width=0.2", "dataset.validation=50", "dataset.test=50", "train.dense_epochs=1", "train.probes=[0.1,1.0]"]
FAST = [
    "+backend=cpu",
    "baselines=none",
    "measure.repetitions=1",
    "measure.cold=0",
    "train.measure=false",
    "train.force=true",
    "guide=skip_ends",
]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "harness", "task=prune", *SMALL, *FAST, *words]


def harness(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, check=False, timeout=900)


def weights(folder):
    import torch

    return torch.load(folder / "export" / "model.pt", weights_only=True)


def wait_for(results, name: str):
    for _ in range(6000):
        if found := list(results.glob(name)):
            return found[0]
        time.sleep(0.02)
    raise AssertionError(f"no {name} in {results}")


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_killed_and_resumed_it_exports_the_same_bits(tmp_path, threads):
    import torch

    words = ["dataset.train=640", "train.batch=16", "train.prune_epochs=3", "train.retrain_epochs=3", "pruner=dns", f"threads={threads}"]
    words += ["train.checkpoint_every=3", f"results={tmp_path}"]
    whole = harness(*words, "job=whole")
    assert whole.returncode == 0, whole.stderr
    first = wait_for(tmp_path, "*-whole")
    for attempt in range(5):
        job = f"killed{attempt}"
        again = command(*words, f"job={job}", f"train.outlook={first}")
        killed = subprocess.Popen(again, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        folder = wait_for(tmp_path, f"*-{job}/checkpoint.pt").parent
        delay = random.SystemRandom().uniform(0, 0.5) / 2**attempt
        time.sleep(delay)
        killed.send_signal(signal.SIGKILL)
        if killed.wait() == -signal.SIGKILL and not (folder / "export").exists():
            break  # else it was killed too late, as happens where this process has to wait
    else:
        raise AssertionError("killed too late five times")
    done = subprocess.run([sys.executable, "-m", "harness", f"resume={folder}"], capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0 and "not be equal" not in done.stderr, done.stderr
    expected, found = weights(first), weights(folder)
    assert all(torch.equal(expected[name], found[name]) for name in expected), f"killed {delay:.2f} s after the first checkpoint"


@pytest.mark.slow
def test_a_loss_that_is_none_leaves_record_and_checkpoint_and_what_cannot_pay_is_not_trained(tmp_path):
    few = ["dataset.train=160", "train.prune_epochs=3", "train.retrain_epochs=1", "train.checkpoint_every=1"]
    done = harness(*few, "train.prune_lr=1e6", f"results={tmp_path}")
    assert done.returncode == 2 and "the loss is nan at step" in done.stderr and "Traceback" not in done.stderr, done.stderr
    checkpoint = wait_for(tmp_path, "*-prune-cpu/checkpoint.pt")
    assert str(checkpoint) in done.stderr.replace("\n", "")
    assert json.loads((checkpoint.parent / "record.json").read_text())["status"] == "interrupted"
    record = json.loads((checkpoint.parent / "record.json").read_text())
    for layer in record["outlook"].values():
        layer["sparse_s"] = dict.fromkeys(layer["sparse_s"], 5 * layer["dense_s"])
    (checkpoint.parent / "record.json").write_text(json.dumps(record))
    slow = (*few, f"train.outlook={checkpoint.parent}", f"results={tmp_path / 'other'}")
    done = harness(*slow, "train.force=false")
    assert done.returncode == 2 and "pruning cannot pay here: no layer that would be pruned has a useful range (conv" in done.stderr
    assert not (tmp_path / "other").exists(), "nothing was trained"
    done = harness(*slow)
    assert done.returncode == 0 and "pruning cannot pay here" in done.stderr, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("other", ["mkl", "opencl"])
def test_it_is_guided_for_two_backends_at_once(tmp_path, other):
    module = {"mkl": "mkl", "opencl": "pyopencl"}[other]
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    few = ["dataset.train=160", "train.prune_epochs=1", "train.retrain_epochs=1"]
    done = harness(*few, f"train.also=[{other}]", f"results={tmp_path}")
    if "is not usable" in done.stderr or "no OpenCL" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    record = json.loads(wait_for(tmp_path, "*-prune-cpu/record.json").read_text())
    layers = {layer["name"]: layer for layer in record["prune"]["layers"]}
    for name in ("conv1", "conv2"):
        own, further = record["outlook"][name], record[f"outlook:{other}"][name]
        assert further["dense"].startswith(f"{other} ") and own["dense"].startswith("cpu ")
        assert layers[name]["kernel"].count(" + ") == 1 and f"+ {other} " in layers[name]["kernel"]
    dropped = next(d for d in record["prune"]["decisions"] if d["layer"] == "conv1")
    both = [min(p["dense_s"], p["sparse_s"]["1.0"]) for p in (record["outlook"]["conv1"], record[f"outlook:{other}"]["conv1"])]
    assert dropped["speedup"] == pytest.approx(1.0) and dropped["seconds"] == pytest.approx(sum(both)), "times on both add up"
