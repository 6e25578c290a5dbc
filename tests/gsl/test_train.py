"""Training: the schedule, a kill in the middle, losses that are none."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from perfmodel import InputError

RUN = """
import hashlib, os, signal, sys
from pathlib import Path
import torch
threads, kill, pruner = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(threads)
import gsl
from gsl.data.shapes import shapes
from gsl.networks.chains import lenet5
from gsl.train import Recipe, Trainer, sgd

def run(checkpoint, kill=0):
    torch.manual_seed(1)
    model, data = lenet5(width=0.3), shapes(320, 32, 32)
    recipe = Recipe(4, 0.02, 2, batch=32, seed=3)
    optimizer = sgd(model, recipe)
    given = {"l1": gsl.L1(strength=1e-3, threshold=2e-3), "dns": gsl.DNS(), "rigl": gsl.RigL(density=0.3, every=6)}[pruner]
    pruning = gsl.Pruning(model, optimizer, given, gsl.SkipEnds(period=5), prune_steps=25)
    trainer = Trainer(model, data, recipe, pruning, optimizer, checkpoint, 7)
    trainer.on_step = lambda: os.kill(os.getpid(), signal.SIGKILL) if trainer.step == kill else None
    trainer.run()
    state = [p.detach() for p in model.parameters()] + [v for s in optimizer.state.values() for v in s.values() if torch.is_tensor(v)]
    return hashlib.sha256(b"".join(t.contiguous().numpy().tobytes() for t in state)).hexdigest(), len(trainer.history)

print(run(Path(sys.argv[4]), kill))
if not kill:
    print(run(None))
"""


@pytest.mark.parametrize(("threads", "pruner", "step"), [(1, "l1", 19), (2, "dns", 27), (1, "rigl", 12)])
def test_killed_at_any_step_it_goes_on_to_the_same_bits(torch, tmp_path, threads, pruner, step):
    def start(kill):
        command = [sys.executable, "-c", RUN, str(threads), str(kill), pruner, str(tmp_path / "checkpoint.pt")]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert start(step).returncode == -signal.SIGKILL
    done = start(0)
    resumed, straight = done.stdout.splitlines() or (done.stderr, "")
    assert resumed == straight
    assert resumed.endswith(", 4)")


def test_the_rate_warms_up_stays_and_falls(torch):
    from gsl.train import Recipe

    recipe = Recipe(epochs=10, lr=1.0, fall=4, warmup=5)
    rates = [recipe.rate(step, 10) for step in range(100)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0]) and set(rates[4:60]) == {1.0}
    assert rates[80] == pytest.approx(0.5) and rates[99] < 0.01


def trainer_of(torch, **options):
    from gsl.data.shapes import shapes
    from gsl.networks.chains import lenet5
    from gsl.train import Recipe, Trainer

    torch.manual_seed(1)
    given = {"epochs": 1, "lr": 0.02, "fall": 1, "batch": 32, **options.pop("recipe", {})}
    return Trainer(lenet5(width=0.2), shapes(128, 32, 32), Recipe(**given), **options)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(torch, tmp_path):
    from gsl.checkpoint import load_checkpoint

    path = tmp_path / "checkpoint.pt"
    trainer = trainer_of(torch, checkpoint=path, every=1, recipe={"epochs": 3})

    def spoil():
        if trainer.step == 3:
            trainer.model.conv1.weight.data.fill_(float("nan"))
            trainer.checkpoint = tmp_path / "spoilt.pt"

    trainer.on_step = spoil
    with pytest.raises(InputError, match="the loss is nan at step 3; allowed: a finite one"):
        trainer.run()
    assert load_checkpoint(path)["step"] == 2


@pytest.mark.parametrize("name", ["isa", "torch", "machine"])
def test_another_processor_or_torch_is_reported(torch, tmp_path, monkeypatch, name):
    from gsl import checkpoint

    path, heard = tmp_path / "checkpoint.pt", []
    here = checkpoint.surroundings()
    monkeypatch.setattr(checkpoint, "surroundings", lambda: {**here, name: "another"})
    checkpoint.save_checkpoint(path, {"step": 1})
    monkeypatch.undo()
    assert checkpoint.load_checkpoint(path, heard.append)["step"] == 1
    assert heard == [f"{name} is {here[name]}, the checkpoint was made with another: the result will not be equal bit by bit"]


def test_other_surroundings_are_reported(torch, tmp_path):
    from gsl.checkpoint import load_checkpoint, save_checkpoint

    path, heard = tmp_path / "checkpoint.pt", []
    save_checkpoint(path, {"step": 1})
    torch.set_num_threads(2)
    load_checkpoint(path, heard.append)
    torch.set_num_threads(1)
    assert heard == ["threads is 2, the checkpoint was made with 1: the result will not be equal bit by bit"]
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read as a checkpoint"):
        load_checkpoint(path)


def test_a_full_disk_leaves_the_old_checkpoint_alone(torch, tmp_path, monkeypatch):
    from gsl.checkpoint import load_checkpoint, save_checkpoint

    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"step": 1})

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(InputError, match=r"checkpoint\.pt': No space left on device; what was there before is kept"):
            save_checkpoint(path, {"step": 2})
    assert load_checkpoint(path)["step"] == 1 and [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_checkpoint_of_another_network_is_refused(torch, tmp_path):
    from gsl.checkpoint import save_checkpoint

    path = tmp_path / "checkpoint.pt"
    for state, word in (({"step": 1}, "model"), ({"step": 1, "model": {"conv": torch.zeros(3)}}, "conv")):
        save_checkpoint(path, state)
        with pytest.raises(InputError, match=rf"checkpoint '.*checkpoint\.pt' does not fit this network and training: (?s:.)*{word}"):
            trainer_of(torch, checkpoint=path).run()


def test_a_batch_larger_than_the_data_is_refused(torch):
    with pytest.raises(InputError, match="batch is 256; allowed: at most the 128 training images"):
        trainer_of(torch, recipe={"batch": 256}).run()
