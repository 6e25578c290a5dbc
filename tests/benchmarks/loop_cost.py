"""What guided pruning costs a training loop: steps with it and steps without, taken in turn, in one process on one thread.

    python tests/benchmarks/loop_cost.py --width 0.5 --steps 200

The net and its plain optimiser (weight decay included) train beside a copy that is pruned. A line a pruner: milliseconds of a
plain step, what pruning adds to it, and the share spent inside its hooks alone. Times are CPU seconds of the process, so that other
programs count little.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import nn

import gsl
from gsl.networks.chains import alexnet_small

BLOCK = 20  # steps of either kind before the other's turn: one renewal of gmp's masks
PRUNERS: dict[str, gsl.Pruner] = {
    "dense": gsl.Dense(),
    "gmp": gsl.GMP(density=0.1),
    "l1": gsl.L1(),
    "dns": gsl.DNS(strength=2.0),
    "magnitude": gsl.Magnitude(density=0.1, rounds=4),
    "movement": gsl.Movement(density=0.1),
    "rigl": gsl.RigL(density=0.1),
    "group_lasso": gsl.GroupLasso(strength=1e-5),  # on random labels more would leave a layer empty
}


def make_step(width: float, batch: int) -> tuple[nn.Module, torch.optim.Optimizer, Callable[[], float]]:
    """A net, its optimiser, and a function that does one training step and returns its CPU seconds."""
    torch.manual_seed(1)
    model = alexnet_small(width=width).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.02, 0.9, weight_decay=1e-4, nesterov=True)
    images = torch.randn(batch, 1, 28, 28).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(10, (batch,))

    def step() -> float:
        begun = time.process_time()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        return time.process_time() - begun

    return model, optimizer, step


def guide_of(width: float) -> tuple[gsl.GuideRules, dict[str, gsl.LayerOutlook]]:
    """The paper's rules over projections of all five convolutions."""
    seconds = {"conv1": 15e-6, "conv2": 200e-6, "conv3": 60e-6, "conv4": 90e-6, "conv5": 55e-6}
    curve = {0.02: 0.05, 0.1: 0.15, 1.0: 1.1}
    return gsl.GuideRules(), {
        n: gsl.measured_outlook(n, width * s, {x: width * s * y for x, y in curve.items()}) for n, s in seconds.items()
    }


def cost(pruner: gsl.Pruner, width: float, batch: int, steps: int) -> tuple[float, float, float]:
    """Seconds of a plain step, the median over blocks of what pruning adds (share), and the share inside its hooks."""
    _, _, plain = make_step(width, batch)
    model, optimizer, pruned = make_step(width, batch)
    rules, outlooks = guide_of(width)
    pruning = gsl.Pruning(model, optimizer, pruner, rules, outlooks, prune_steps=10 * steps)
    inside = [0.0]
    for name in ("_before", "_after"):
        setattr(pruning, name, _timed(getattr(pruning, name), inside))
    blocks: list[tuple[float, float]] = []
    for block in range(-1, max(1, steps // BLOCK)):
        if block == 0:
            inside[0] = 0.0
        order = (plain, pruned) if block % 2 else (pruned, plain)
        times = {id(step): sum(step() for _ in range(BLOCK)) for step in order}
        blocks += [(times[id(plain)], times[id(pruned)])] if block >= 0 else []
    whole = sum(a for a, _ in blocks)
    return whole / len(blocks) / BLOCK, statistics.median(b / a for a, b in blocks) - 1, inside[0] / whole


def _timed(function: Callable[[], None], total: list[float]) -> Callable[[], None]:
    def call() -> None:
        begun = time.process_time()
        function()
        total[0] += time.process_time() - begun

    return call


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--pruners", nargs="+", default=list(PRUNERS), choices=PRUNERS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"alexnet_small x{given.width:g}, batch {given.batch}, one thread, {given.steps} steps of each kind, torch {torch.__version__}")
    print(f"{'pruner':<12} {'plain step':>11} {'added':>8} {'in hooks':>9}")
    for name in given.pruners:
        plain, added, hooks = cost(PRUNERS[name], given.width, given.batch, given.steps)
        print(f"{name:<12} {1e3 * plain:8.2f} ms {added:8.2%} {hooks:9.2%}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
