"""Accuracies on the test set: read once, and read anew where the dense network is another."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest


class Counted:
    """A split that counts how often it is read through."""

    def __init__(self, split):
        self.split, self.reads = split, 0

    def __len__(self):
        return len(self.split)

    def take(self, places):
        self.reads += int(0 in places)
        return self.split.take(places)


@pytest.fixture
def trained():
    torch = pytest.importorskip("torch", reason="pruning needs the extra torch")
    from gsl.data.shapes import shapes
    from gsl.networks.chains import lenet5

    torch.manual_seed(2)
    torch.set_num_threads(1)
    data = shapes(128, 64, 64)
    return lenet5(width=0.3), replace(data, test=Counted(data.test))


def test_the_dense_net_meets_the_test_set_once_for_all_runs(trained, tmp_path):
    from harness.prune.accuracy import dense_accuracy

    model, data = trained
    checkpoint = tmp_path / "dense.pt"
    checkpoint.write_bytes(b"one net")
    first = dense_accuracy(model, data, checkpoint)
    assert dense_accuracy(model, data, checkpoint) == first
    assert data.test.reads == 1


@pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"checkpoint": "another"}', '{"checkpoint": 3, "test_accuracy": 2}'])
def test_a_note_of_another_net_or_a_torn_one_is_made_anew(trained, tmp_path, spoilt):
    from harness.prune.accuracy import dense_accuracy

    model, data = trained
    checkpoint = tmp_path / "dense.pt"
    checkpoint.write_bytes(b"one net")
    first = dense_accuracy(model, data, checkpoint)
    checkpoint.with_suffix(".json").write_text(spoilt)
    assert dense_accuracy(model, data, checkpoint) == first
    checkpoint.write_bytes(b"another net")
    dense_accuracy(model, data, checkpoint)
    assert data.test.reads == 3


@pytest.mark.parametrize("same", [True, False])
def test_weights_that_are_both_last_and_best_are_tested_once(trained, same):
    import torch

    from gsl.train import Recipe, Trainer
    from harness.prune.accuracy import accuracies_on_test

    model, data = trained
    trainer = Trainer(model, data, Recipe(1, 0.01, 1))
    last = {name: value.clone() for name, value in model.state_dict().items()}
    trainer.best = {name: value.clone() if same else torch.zeros_like(value) for name, value in last.items()}
    accuracy, best = accuracies_on_test(trainer)
    assert data.test.reads == (1 if same else 2)
    assert (accuracy == best) or not same
    assert all(torch.equal(value, last[name]) for name, value in model.state_dict().items())


KEPT = """
import resource
from harness.prune.memory import keep_freed_memory
import numpy as np
def faults():
    begun = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        a, b = np.ones(2_000_000), np.ones(2_000_000)
        del a, b
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - begun
before, told = faults(), keep_freed_memory()
faults()
print(told, before, faults())
"""


def test_freed_memory_is_kept_and_the_users_own_settings_respected():
    def run(**environment):
        done = subprocess.run([sys.executable, "-c", KEPT], env=environment, capture_output=True, text=True, check=True)
        told, before, after = done.stdout.split()
        return told == "True", int(before), int(after)

    told, before, after = run()
    if not told:
        pytest.skip("this C library has no mallopt")
    assert after < before / 10
    assert not run(MALLOC_TRIM_THRESHOLD_="131072")[0]
