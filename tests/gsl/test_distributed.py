"""Two real processes under torchrun: the same masks in both, and those of one process on the whole batch."""

from __future__ import annotations

import subprocess
import sys

import pytest

WORKER = """
import os
import sys
import torch
from torch import nn
import gsl

torch.set_num_threads(1)
together = len(sys.argv) > 2
rank, size = 0, 1
if together:
    import torch.distributed as dist
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()

PRUNERS = {
    "gmp": gsl.GMP(density=0.2, every=5), "dns": gsl.DNS(strength=1.0), "rigl": gsl.RigL(density=0.2, every=10),
    "l1": gsl.L1(strength=3e-3, threshold=5e-3), "movement": gsl.Movement(density=0.2),
}
generator = torch.Generator().manual_seed(7)
images = torch.randn(64, 1, 10, 10, generator=generator)
labels = (images[:, 0, :5].sum((1, 2)) > 0).long() * 2 + (images[:, 0, 5:].sum((1, 2)) > 0).long()
found = {}
for name, pruner in PRUNERS.items():
    torch.manual_seed(5 + rank)  # other starts: DistributedDataParallel takes those of process 0
    plain = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4))
    model = nn.parallel.DistributedDataParallel(plain) if together else plain
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    curve = {"2": gsl.measured_outlook("2", 1.0, {0.01: 0.07, 0.1: 0.25, 1.0: 2.05})}
    guide = gsl.SkipEnds(period=10) if name != "gmp" else gsl.GuideRules(period=10)
    pruning = gsl.Pruning(model, optimizer, pruner, guide, curve, prune_steps=40, seed=3)
    for step in range(50):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[rank::size]), labels[rank::size]).backward()
        optimizer.step()
    pruning.finish()
    log = [(d.iteration, d.layer, str(d.state)) for d in pruning.log]
    found[name] = {n: layer.mask for n, layer in pruning.layers.items()} | {"log": log}
torch.save(found, f"{sys.argv[1]}/{'rank' if together else 'alone'}{rank}.pt")
if together:  # all are done; PyTorch's own threads sometimes abort a process that ends by itself
    dist.barrier()
    os._exit(0)
"""


@pytest.mark.slow
def test_every_process_comes_to_the_masks_of_one_process_alone(torch, tmp_path):
    if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
        pytest.skip("this PyTorch has no gloo backend for torch.distributed")
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script), str(tmp_path), "together"]
    for command in (torchrun, [sys.executable, str(script), str(tmp_path)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
        assert done.returncode == 0, done.stdout + done.stderr
    first, second, alone = (torch.load(tmp_path / name, weights_only=True) for name in ("rank0.pt", "rank1.pt", "alone0.pt"))
    for pruner, layers in alone.items():
        assert first[pruner]["log"] == second[pruner]["log"] == layers["log"] and layers["log"], pruner
        for name in ("0", "2", "5"):
            assert torch.equal(first[pruner][name], second[pruner][name]), f"{pruner}, layer {name}: processes differ"
            same = (first[pruner][name] == layers[name]).float().mean()
            assert same > 0.99, f"{pruner}, layer {name}: only {same:.3f} as in one process (gradients differ in their last bits)"
        assert not layers["2"].all(), pruner
