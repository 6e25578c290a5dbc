"""Our sparse kernel against the strongest dense code known: oneDNN 2.x on its own blocked layouts, direct and Winograd.

    taskset -c 0 python tests/benchmarks/strongest_dense/compare.py [--density 0.1] [--batch 1] [--break-even]

Needs a C compiler and oneDNN 2.x with headers (Debian: apt-get install libdnnl-dev). oneDNN keeps input, weights and
output in its own layouts and pays for no layout change; ours reads and writes NCHW. Outputs of both are compared
with a float64 reference first. Samples alternate, the FMA peak is taken in between.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import harness
from harness.contract import Backend, Problem
from harness.data import timing_input
from harness.networks import Layer, load_layers
from harness.weights import RandomWeights

HERE = Path(__file__).parent
LETTERS = ("g", "mb", "ic", "ih", "iw", "oc", "oh", "ow", "kh", "kw", "sh", "sw", "ph", "pw", "dh", "dw")
ROUNDS = 15


class Driver:
    """The compiled driver as a child process on the same core."""

    def __init__(self, folder: Path) -> None:
        program = folder / "driver"
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            sys.exit("no C compiler found")
        built = subprocess.run(
            [compiler, "-O2", str(HERE / "driver.c"), "-ldnnl", "-o", str(program)], capture_output=True, text=True, check=False
        )
        if built.returncode:
            sys.exit(f"oneDNN 2.x is not installed (Debian: apt-get install libdnnl-dev):\n{built.stderr[-800:]}")
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.folder = folder

    def ask(self, command: str) -> str:
        """Send a line, return the answer."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def load(self, problem: Problem, algorithm: str) -> str:
        """Choose a primitive; returns its implementation's name, or an empty string where there is none."""
        answer = self.ask(f"problem {algorithm} " + " ".join(str(getattr(problem, letter)) for letter in LETTERS))
        return answer.removeprefix("impl ") if answer.startswith("impl ") else ""

    def convolve(self, x: np.ndarray, weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The output for ``x`` and ``weight``, NCHW."""
        files = [self.folder / name for name in ("x", "w", "y")]
        x.tofile(files[0])
        weight.tofile(files[1])
        answer = self.ask("check " + " ".join(map(str, files)))
        if answer != "done":
            sys.exit(f"oneDNN driver: {answer}")
        return np.fromfile(files[2], np.float32).reshape(shape)

    def sample(self, calls: int) -> float:
        """Median seconds of a call."""
        return float(self.ask(f"sample {calls}"))


def close(result: np.ndarray, exact: np.ndarray, rtol: float) -> bool:
    """Whether all outputs agree, relative to the largest."""
    return bool(np.abs(result - exact).max() <= rtol * np.abs(exact).max())


def compare(layer: Layer, density: float, batch: int, cpu: Backend, oracle: Backend, driver: Driver) -> tuple[float, float, float, str]:
    """Median seconds of ours and of the faster oneDNN algorithm, our share of the FMA peak, and the algorithm."""
    problem = layer.problem.with_batch(batch)
    weight = RandomWeights().weights_for(layer, density, 7).array
    plan = cpu.prepare(problem, weight, "direct_sparse")
    x = timing_input(problem, 7)
    exact = oracle.prepare(problem, weight).run(x)
    out = np.empty(problem.output_shape, np.float32)
    if not close(plan.run(x, out), exact, 1e-5):
        sys.exit(f"{layer.name}: our output is wrong")
    best: dict[str, float] = {}
    ours, peaks = [], []
    for algorithm in ("direct", "winograd"):
        name = driver.load(problem, algorithm)
        if not name:
            continue
        if not close(driver.convolve(x, weight, problem.output_shape), exact, 1e-3):
            print(f"  {layer.name} {algorithm}: oneDNN's output is off, left out")
            continue
        calls = max(1, int(3e-3 / max(driver.sample(3), 1e-9)))
        theirs = []
        for _ in range(ROUNDS):
            theirs.append(driver.sample(calls))
            ours.append(statistics.median(plan.run_clocked(x, out)[1].end_to_end_s for _ in range(max(3, calls))))
            peaks.append(cpu.fma_peak() or float("nan"))
        best[f"{algorithm} {name}"] = statistics.median(theirs)
    fastest = min(best, key=lambda name: best[name])
    seconds = statistics.median(ours)
    return seconds, best[fastest], plan.density * problem.flops / seconds / statistics.median(peaks), fastest


def break_even(layer: Layer, batch: int, cpu: Backend, oracle: Backend, driver: Driver) -> float:
    """Break-even sparsity by bisection, to one point."""
    low, high = 0.005, 1.0
    while high - low > 0.01:
        middle = (low + high) / 2
        seconds, dense, _, _ = compare(layer, middle, batch, cpu, oracle, driver)
        low, high = (middle, high) if seconds < dense else (low, middle)
    return 1 - (low + high) / 2


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--density", type=float, default=0.1)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--layers", nargs="*", default=[])
    parser.add_argument("--break-even", action="store_true")
    options = parser.parse_args()
    suite = Path(harness.__file__ or "").parent.parent / "conf" / "network" / "suite.yaml"
    layers = [layer for layer in load_layers(suite) if not options.layers or layer.name in options.layers]
    cpu, oracle = harness.open_backend("cpu"), harness.open_backend("reference")
    print(f"{cpu.device()}, one thread, density {options.density}, batch {options.batch}, uniform random pattern")
    print(f"{'layer':22} {'oneDNN us':>10} {'ours us':>9} {'speed-up':>9} {'of peak':>8}  oneDNN's algorithm")
    ratios, shares = [], []
    with tempfile.TemporaryDirectory() as folder:
        driver = Driver(Path(folder))
        for layer in layers:
            seconds, dense, share, name = compare(layer, options.density, options.batch, cpu, oracle, driver)
            ratios.append(dense / seconds)
            shares.append(share)
            even = f"  break-even {break_even(layer, options.batch, cpu, oracle, driver):.0%}" if options.break_even else ""
            print(
                f"{layer.name:22} {dense * 1e6:10.0f} {seconds * 1e6:9.0f} {dense / seconds:8.2f}x {share:8.0%}  {name}{even}", flush=True
            )
    print(f"geometric mean {statistics.geometric_mean(ratios):.2f}x, useful rate {statistics.geometric_mean(shares):.0%} of the FMA peak")


if __name__ == "__main__":
    main()
