"""How much two threads gain over one: the cpu backend's direct_sparse beside the dense engines, on layers over 50 MFLOP.

Run ``python -m tests.benchmarks.two_threads [--density 0.1] [--layers conv2,3a] [--weights FOLDER] [--rounds 9]`` on two free cores.
Every engine runs in two processes of its own, one pinned to one core and one to two, and all take turns. A virtual machine may get
less than two cores for a while, so right before and after each sample of two threads the machine's own gain is measured
(multiply-adds in registers on two cores against one); a turn counts only where that is at least 1.9. Nor does it count where another
program ran on the second hardware thread of either core (harness.pace), which multiply-adds do not show. Printed: medians of the turns
that count. ``--weights`` adds the layers of a folder of pruned weights.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from backends.cpu.isa import isa_names
from backends.host.probes import fma_peak
from harness import pace
from harness.bench.contenders import BASELINE_METHODS, Stage, Team
from harness.contract import BackendSpec, BreakevenError
from harness.contract.plan import Array
from harness.networks import Layer, load_layers
from harness.plugins import host
from harness.weights import open_source
from harness.workers.service import NO_TRUTH
from tests.architecture.sources import ROOT

OURS, KERNEL = "cpu", "direct_sparse"
LEAST_FLOPS = 50e6
LEAST_GAIN = 1.9
PROBE_S = 1e-3
WATCH_S = 0.3
SETTLING, SAMPLES = 2, 3
MOST_TURNS = 6  # for each that counts
SEED = 2017
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Gain:
    """Median seconds by one thread and by two, of the turns that count."""

    one: float
    two: float

    @property
    def times(self) -> float:
        """One over two."""
        return self.one / self.two


class Turn(NamedTuple):
    """Seconds of a call by one thread and by two, what the machine itself gained around the latter, and whether the cores were ours."""

    one: float
    two: float
    machine: float
    ours: bool

    @property
    def counts(self) -> bool:
        """Whether the machine gave two whole cores."""
        return self.ours and self.machine >= LEAST_GAIN


@dataclass
class Engine:
    """One engine's two processes, and the kernel of it that takes part."""

    name: str
    kernel: str
    teams: tuple[Team, Team]

    def load(self, stage: Stage) -> None:
        """Prepare and warm up both on a layer."""
        for team in self.teams:
            worker = team.on_stage(stage)
            worker.call("prepare", self.kernel, {}, timeout_s=TIMEOUT_S)
            worker.call("warm_up", self.kernel, timeout_s=TIMEOUT_S)

    def turn(self) -> Turn:
        """One sample by one thread, one by two, and the machine's own gain around that."""
        paces = [_pace()]
        peak = _peak(1)
        one = self._sample(self.teams[0])
        paces.append(_pace())
        before = _peak(2)
        two = self._sample(self.teams[1])
        paces.append(_pace())
        return Turn(one, two, min(before, _peak(2)) / peak, not pace.shared(min(paces)))

    def _sample(self, team: Team) -> float:
        """Median seconds of a few samples, after others that settle caches and cores."""
        seconds = [team.worker().call("sample", self.kernel).end_to_end_s for _ in range(SETTLING + SAMPLES)]
        return float(np.median(seconds[SETTLING:]))


def _peak(threads: int) -> float:
    return float(np.median(fma_peak(isa_names()[0], threads, PROBE_S, 3)))


def _pace(seconds: float = 0.0) -> float:
    """The pace of the slower of the two cores that the engines use, watched for so long each."""
    allowed = os.sched_getaffinity(0)
    slower = float("inf")
    for core in sorted(allowed)[:2]:
        os.sched_setaffinity(0, {core})
        slower = min(slower, pace.watch(seconds) if seconds else pace.pace())
    os.sched_setaffinity(0, allowed)
    return slower


@contextlib.contextmanager
def engines(rivals: list[str]) -> Iterator[list[Engine]]:
    """Ours and the dense engines named, opened; those that cannot be opened are named and left out."""
    opened: list[Team] = []
    found: list[Engine] = []
    try:
        for name in [OURS, *rivals]:
            spec = host().spec(name)
            teams = Team(spec, 1, {}), Team(spec, 2, {})
            opened += teams
            try:
                found += _kernels(spec, teams)
            except BreakevenError as error:
                print(f"without {name}: {error}")
        yield found
    finally:
        for team in opened:
            team.stop()


def _kernels(spec: BackendSpec, teams: tuple[Team, Team]) -> list[Engine]:
    for team in teams:
        team.worker()
    assert teams[0].description is not None
    kernels = teams[0].description.kernels
    if spec.name == OURS:
        return [Engine(f"{OURS} {KERNEL}", KERNEL, teams)]
    return [Engine(f"{spec.name} {k.name}", k.name, teams) for k in kernels if k.exact and k.method in BASELINE_METHODS and not k.sparse]


def race(field: list[Engine], wanted: int) -> tuple[dict[str, Gain], list[float], int]:
    """Gains by engine over the turns that count, the machine's own gain around those, and the number of turns in all."""
    counted: dict[str, list[Turn]] = {engine.name: [] for engine in field}
    turns = 0
    for _ in range(MOST_TURNS * wanted):
        for engine in field:
            if len(counted[engine.name]) < wanted:
                turns += 1
                if (turn := engine.turn()).counts:
                    counted[engine.name].append(turn)
    machine = [turn.machine for taken in counted.values() for turn in taken]
    gains = {
        name: Gain(float(np.median([turn.one for turn in taken])), float(np.median([turn.two for turn in taken])))
        for name, taken in counted.items()
        if taken
    }
    return gains, machine, turns


def choose(parts: str | None, folder: str | None, density: float) -> Iterator[tuple[str, Layer, Array]]:
    """Names, layers and weights to run: the suite's over 50 MFLOP with random weights, then those of a folder of pruned ones."""
    sources: list[tuple[str, str, dict[str, Any], float | None]] = [("", "suite", {"kind": "random", "pattern": "uniform"}, density)]
    if folder:
        sources.append(("pruned ", "alexnet", {"kind": "files", "path": folder}, None))
    for title, network, weights, wanted in sources:
        source = open_source(weights)
        for layer in load_layers(ROOT / "conf" / "network" / f"{network}.yaml"):
            name = title + layer.name
            if layer.problem.flops < LEAST_FLOPS or (parts and not any(part in name for part in parts.split(","))):
                continue
            if found := source.weights_for(layer, wanted, SEED):
                yield name, layer, found.array


def row(name: str, gains: dict[str, Gain], machine: list[float], turns: int) -> str:
    """One line of the table: ours, the dense engine that gains most, their ratio, the machine, every engine's figures."""
    if not any(name.startswith(OURS) for name in gains):
        return f"| {name} | no turn counted of {turns}: the machine gained less than {LEAST_GAIN}, or a core was shared | | | | |"
    ours, dense = f"{OURS} {KERNEL}", [key for key in gains if not key.startswith(OURS)]
    best = max(dense, key=lambda key: gains[key].times, default=ours)
    told = "; ".join(f"{key} {gain.one * 1e6:.0f} / {gain.two * 1e6:.0f} us, {gain.times:.2f}x" for key, gain in gains.items())
    ratio = gains[ours].times / gains[best].times
    own = f"{min(machine):.2f}-{max(machine):.2f}, {len(machine)} of {turns}"
    return f"| {name} | {gains[ours].times:.2f}x | {gains[best].times:.2f}x | {ratio:.2f} | {own} | {told} |"


def main() -> None:
    """Print one row a layer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--density", type=float, default=0.1)
    parser.add_argument("--rounds", type=int, default=9, help="turns that must count")
    parser.add_argument("--layers", help="parts of layer names, separated by commas")
    parser.add_argument("--weights", help="a folder with pruned AlexNet weights, one file a layer")
    parser.add_argument("--rivals", default="onednn,onnxruntime,openvino", help="dense engines, separated by commas")
    wanted = parser.parse_args()
    print("| layer | ours | best dense | ratio | machine's own, turns that count | one / two threads |\n|---|---|---|---|---|---|")
    _pace(WATCH_S)
    with engines(wanted.rivals.split(",")) as field:
        for name, layer, weight in choose(wanted.layers, wanted.weights, wanted.density):
            stage = Stage(layer.problem, weight, SEED, NO_TRUTH, TIMEOUT_S)
            for engine in field:
                engine.load(stage)
            print(row(name, *race(field, wanted.rounds)), flush=True)


if __name__ == "__main__":
    main()
