"""What guided pruning costs a training loop: steps with it and steps without, taken in turn, in one process on one thread.

    python tests/benchmarks/loop_cost.py --width 0.5 --steps 200

The net and its plain optimiser (weight decay included) train beside a copy that is pruned. A line a pruner: milliseconds of a
plain step, what pruning adds to it, and the share spent inside its hooks alone. Times are CPU seconds of the process, so that other
programs count little. What is added is the median over rounds for each of the steps of a round, summed: a step that renews masks
counts as often as it comes, a disturbed one not at all. Half of the steps are taken with the two nets' places in memory exchanged,
which alone can be worth 1%.
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

ROUND = 20  # steps from one renewal of gmp's masks to the next
PRUNERS: dict[str, gsl.Pruner] = {
    "dense": gsl.Dense(),
    "gmp": gsl.GMP(density=0.1),
    "l1": gsl.L1(),
    "dns": gsl.DNS(strength=2.0),
    "magnitude": gsl.Magnitude(density=0.1, rounds=4),
    "movement": gsl.Movement(density=0.1),
    "rigl": gsl.RigL(density=0.1),
    "group_lasso": gsl.GroupLasso(strength=1e-5),  # more would leave a layer empty: labels are random
}


def make_step(width: float, batch: int) -> tuple[nn.Module, torch.optim.Optimizer, Callable[[], float]]:
    """A net, its optimiser, and a function that does one training step and returns its CPU seconds."""
    torch.manual_seed(1)
    model = alexnet_small(width=width).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.001, 0.9, weight_decay=1e-4, nesterov=True)
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


def cost(pruner: gsl.Pruner, width: float, batch: int, steps: int, place: int) -> tuple[float, float, float]:
    """Seconds of a plain step, what pruning adds to it (share), and the share inside its hooks; ``place``: of the pruned net among two."""
    nets = [make_step(width, batch) for _ in range(2)]
    _, _, plain = nets[1 - place]
    model, optimizer, pruned = nets[place]
    rules, outlooks = guide_of(width)
    pruning = gsl.Pruning(model, optimizer, pruner, rules, outlooks, prune_steps=10 * steps)
    inside = [0.0]
    for name in ("_before", "_after"):
        setattr(pruning, name, _timed(getattr(pruning, name), inside))
    for _ in range(ROUND):
        plain(), pruned()
    inside[0] = 0.0
    rounds = [[_pair(plain, pruned, (n + i) % 2 == 1) for i in range(ROUND)] for n in range(max(1, steps // ROUND))]
    usual = sum(statistics.median(a for a, _ in same) for same in zip(*rounds, strict=True))
    added = sum(statistics.median(b - a for a, b in same) for same in zip(*rounds, strict=True))
    whole = sum(a for pairs in rounds for a, _ in pairs)
    return usual / ROUND, added / usual, inside[0] / whole


def _pair(plain: Callable[[], float], pruned: Callable[[], float], turned: bool) -> tuple[float, float]:
    """Seconds of a step of either kind, one right after the other; ``turned``: the pruned one first."""
    if turned:
        after = pruned()
        return plain(), after
    return plain(), pruned()


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
        both = [cost(PRUNERS[name], given.width, given.batch, given.steps // 2, place) for place in (0, 1)]
        plain, added, hooks = (statistics.mean(pair) for pair in zip(*both, strict=True))
        print(f"{name:<12} {1e3 * plain:8.2f} ms {added:8.2%} {hooks:9.2%}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
