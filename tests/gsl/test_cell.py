"""The smallest cell of the study, trained for real: half width, gmp to a density of 0.1, one seed, on Fashion-MNIST.

The unguided net is pruned in every layer, in conv2 to conv5 as far as the guided one, which ends a small layer's range sooner.
The speed-up is projected by the paper's model (alpha 1.5, 80 GFLOP/s, 10 GB/s), so that it does not depend on the machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

FOLDER = "/usr/share/datasets/fashion-mnist"
CELL = """
import json, sys
from pathlib import Path
import torch
import gsl
from gsl.data.idx import idx
from gsl.networks.chains import alexnet_small
from gsl.train import Recipe, Trainer, evaluate, sgd
from perfmodel import Hardware, Quantity

class AsFar(gsl.BaseGuide):
    def target(self, layer, wanted):
        return max(wanted, ends.get(layer, 0.0))

class Alike(gsl.Unguided):
    def open(self, names, outlooks):
        return AsFar(names, outlooks, self)

NUMBERS = {"peak_flops": Quantity(80e9, "FLOP/s"), "bandwidth": Quantity(10e9, "B/s")}
folder, guide, dense = sys.argv[1:4]
torch.set_num_threads(1 if guide else 2)
torch.manual_seed(1)
model, data = alexnet_small(width=0.5).to(memory_format=torch.channels_last), idx(folder)
Trainer(model, data, Recipe(15, 0.05, 15, warmup=100, seed=1), checkpoint=Path(dense), every=10**6).run()
if guide:
    start, paper = evaluate(model, data.test), Hardware("any", "as in the paper", numbers=NUMBERS)
    problems = gsl.trace_problems(model, data.shape)
    outlooks = {name: gsl.paper_outlook(name, problem, paper, alpha=1.5) for name, problem in problems.items()}
    recipe = Recipe(10, 0.02, 4, decay=1e-4, seed=2)
    optimizer = sgd(model, recipe)
    planned = gsl.GuideRules().open(list(outlooks), outlooks)
    ends = {name: planned.target(name, 0.1) for name in ("conv2", "conv3", "conv4", "conv5")}
    rules = {"gsl": gsl.GuideRules(), "none": Alike()}[guide]
    pruning = gsl.Pruning(model, optimizer, gsl.GMP(density=0.1), rules, outlooks, prune_steps=6 * (len(data.train) // 64), seed=1)
    Trainer(model, data, recipe, pruning, optimizer).run()
    densities = pruning.finish()
    speedup = pruning.guide.dense_s / pruning.guide.seconds(densities)
    print(json.dumps({"dense": start, "pruned": evaluate(model, data.test), "speedup": speedup, "densities": densities}))
"""


def start(tmp_path, guide: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CELL, FOLDER, guide, str(tmp_path / "dense.pt")]
    threads = {"OMP_NUM_THREADS": "1" if guide else "2"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **threads})


def finish(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate(timeout=1200)
    assert process.returncode == 0, errors
    return out


@pytest.mark.slow
def test_guided_pruning_keeps_accuracy_at_its_speed(torch, tmp_path):
    if not os.path.isdir(FOLDER):  # noqa: PTH112
        pytest.skip(f"no {FOLDER}: apt-get install dataset-fashion-mnist")
    finish(start(tmp_path, ""))
    both = [start(tmp_path, guide) for guide in ("gsl", "none")]
    guided, unguided = (json.loads(finish(process)) for process in both)
    print(guided, unguided)
    for name in ("conv2", "conv3", "conv4", "conv5"):
        assert guided["densities"][name] == pytest.approx(unguided["densities"][name], abs=1e-3)
    assert guided["densities"]["conv1"] == guided["densities"]["fc1"] == 1.0 > unguided["densities"]["conv1"]
    assert guided["dense"] - guided["pruned"] <= 0.010, "at most a point lost"
    assert guided["speedup"] >= 4.5
    assert guided["pruned"] >= unguided["pruned"] - 0.003
