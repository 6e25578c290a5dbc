"""How much two threads gain over one: the cpu backend's direct_sparse beside the dense engines, on layers over 50 MFLOP.

Run ``python -m tests.benchmarks.two_threads [--density 0.1] [--layers conv2,3a] [--weights FOLDER] [--rounds 9]`` on two free cores.
Every engine runs in two processes of its own, one pinned to one core and one to two. They take turns; before and after each turn
the machine's own gain is measured (multiply-adds in registers on two cores against one), and a turn counts only where that
is at least 1.9, since a virtual machine may get less than two cores. ``--weights`` adds layers of a folder of pruned weights.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.cpu.isa import isa_names
from backends.host.probes import fma_peak
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

    def turn(self) -> tuple[float, float]:
        """Seconds of one call by one thread and by two; a sample before each settles the caches."""
        seconds = []
        for team in self.teams:
            team.worker().call("sample", self.kernel)
            seconds.append(float(team.worker().call("sample", self.kernel).end_to_end_s))
        return seconds[0], seconds[1]


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


def machine_gain() -> float:
    """Rate of multiply-adds on two cores at once over that of one, this moment."""
    isa = isa_names()[0]
    return float(np.median(fma_peak(isa, 2, samples=5)) / np.median(fma_peak(isa, 1, samples=5)))


def race(field: list[Engine], wanted: int) -> tuple[dict[str, Gain], list[float], int]:
    """Gains by engine over the turns that count, the machine's own gain around those, and the number of turns in all."""
    seconds: dict[str, list[tuple[float, float]]] = {engine.name: [] for engine in field}
    machine: list[float] = []
    before, turns = machine_gain(), 0
    while len(machine) < wanted and turns < MOST_TURNS * wanted:
        turns += 1
        taken = {engine.name: engine.turn() for engine in field}
        after = machine_gain()
        if min(before, after) >= LEAST_GAIN:
            machine.append(min(before, after))
            for name, pair in taken.items():
                seconds[name].append(pair)
        before = after
    medians = {name: Gain(*np.median(np.array(pairs), axis=0)) for name, pairs in seconds.items() if pairs}
    return medians, machine, turns


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
    if not gains:
        return f"| {name} | no turn counted of {turns}: the machine gained less than {LEAST_GAIN} | | | | |"
    ours, *dense = gains
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
    with engines(wanted.rivals.split(",")) as field:
        for name, layer, weight in choose(wanted.layers, wanted.weights, wanted.density):
            stage = Stage(layer.problem, weight, SEED, NO_TRUTH, TIMEOUT_S)
            for engine in field:
                engine.load(stage)
            print(row(name, *race(field, wanted.rounds)), flush=True)


if __name__ == "__main__":
    main()
