"""The OpenCL backend on a CPU device: share of the FMA peak measured through OpenCL, ratio to the C kernels, and first calls.

    python -m tests.benchmarks.opencl_cpu --device intel
    OCL_ICD_VENDORS=$(echo build/ocl/pyopencl/.libs/libpocl-*) python -m tests.benchmarks.opencl_cpu --device pocl

One compute unit, on whose core the process stays; `direct_sparse` as the rule picks it, uniformly random weights. Ours, the FMA
peak through OpenCL on the same sub-device and the `cpu` backend's fastest kernel take turns; end to end, packing counted; medians
of the rounds, or with ``--best`` the least of all calls and the greatest peak, for a machine where other programs run. First calls:
preparing the layer in a process of its own, once with no program on disk (cold), then in two more with what that one left (warm; the
better one): layout of the weights, compilation and first launch, of it compilation.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from backends.opencl.backend import OpenclBackend
from backends.opencl.config import OpenclConfig
from harness.contract import BreakevenError, Plan, Problem
from tests.benchmarks.cpu_kernels import SUITE, plans_of

CALLS = 9


class First(NamedTuple):
    """Seconds of preparing a layer in a fresh process, and of it building programs."""

    prepare_s: float
    build_s: float


class Race(NamedTuple):
    """Seconds of ours and of the C kernel, and the FMA peak in between (FLOP/s)."""

    ours: float
    c: float
    peak: float


def weights(p: Problem, density: float) -> Any:
    rng = np.random.default_rng(20170424)
    return (rng.standard_normal(p.weight_shape) * (rng.random(p.weight_shape) < density)).astype(np.float32)


def seconds(plan: Plan, inputs: Sequence[Any], out: Any, best: bool) -> float:
    return float((np.min if best else np.median)([plan.run_clocked(inputs[i % 2], out)[1].end_to_end_s for i in range(CALLS)]))


def race(backend: OpenclBackend, p: Problem, asked: argparse.Namespace) -> tuple[Race, Any]:
    """Ours, the peak and the C kernel in turn; also our plan."""
    weight, rng = weights(p, asked.density), np.random.default_rng(1)
    plan: Any = backend.prepare(p, weight, "direct_sparse")
    (c,) = plans_of(p, asked.density, ["generated"]).values()
    inputs = [rng.standard_normal(p.input_shape, dtype=np.float32) for _ in range(2)]
    out = np.empty(p.output_shape, np.float32)
    rounds = [
        (backend.fma_peak(), seconds(plan, inputs, out, asked.best), seconds(c, inputs, out, asked.best)) for _ in range(asked.rounds)
    ]
    peaks, ours, others = zip(*rounds, strict=True)
    quantile = 0.0 if asked.best else 0.5
    return Race(float(np.quantile(ours, quantile)), float(np.quantile(others, quantile)), float(np.quantile(peaks, 1 - quantile))), plan


def first_call(text: str, asked: argparse.Namespace, cache: str) -> First:
    """Prepare in a fresh process whose caches lie in ``cache``."""
    command = [sys.executable, "-m", "tests.benchmarks.opencl_cpu", "--prepare", text, "--device", asked.device]
    command += ["--density", str(asked.density), "--batch", str(asked.batch)]
    environment = {k: v for k, v in os.environ.items() if k != "POCL_CACHE_DIR"} | {"XDG_CACHE_HOME": cache}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return First(*json.loads(done.stdout))


def first_calls(text: str, asked: argparse.Namespace) -> tuple[First, First]:
    """Cold, and the better of two warm ones."""
    with tempfile.TemporaryDirectory() as cache:
        cold, *warm = (first_call(text, asked, cache) for _ in range(3))
    return cold, min(warm)


def options(words: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="part of a CPU device's or platform's name")
    parser.add_argument("--density", type=float, default=0.1)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15, help="rounds of the race; 0 leaves it out")
    parser.add_argument(
        "--best", action="store_true", help="the least of all calls instead of the median; the FMA peak is then its greatest"
    )
    parser.add_argument("--layers", default="", help="parts of layer names, separated by commas")
    parser.add_argument("--no-first", action="store_true", help="leave out the first calls")
    parser.add_argument("--prepare", help="prepare this problem only, and print seconds as JSON: [prepare, compilation]")
    return parser.parse_args(words)


def cell(race: Race | None, calls: tuple[First, First] | None, p: Problem, density: float) -> str:
    """The row after the layer's name."""
    found = ["", "", "", ""]
    if race:
        rate = p.flops * density / race.ours
        found = [f"{race.ours * 1e6:.0f}", f"{rate / 1e9:.1f}", f"{rate / race.peak:.2f}", f"{race.c / race.ours:.2f}"]
    if calls:
        found += [f"{first.prepare_s * 1e3:.0f} ({first.build_s * 1e3:.0f})" for first in calls]
    return " | ".join(found)


def table(backend: OpenclBackend, asked: argparse.Namespace) -> None:
    """One row a layer as it comes, then geometric means and the slowest first calls."""
    print("| layer | us | useful GFLOP/s | of FMA peak | C / ours | cold, ms (compiling) | warm, ms |\n|---|---|---|---|---|---|---|")
    shares, ratios, firsts = [], [], []
    for layer, text in SUITE.items():
        if asked.layers and not any(part in layer for part in asked.layers.split(",")):
            continue
        p = Problem.parse(text).with_batch(asked.batch)
        raced, density, calls = None, asked.density, None if asked.no_first else first_calls(text, asked)
        if asked.rounds:
            raced, plan = race(backend, p, asked)
            density = plan.density
            shares.append(p.flops * density / raced.ours / raced.peak)
            ratios.append(raced.c / raced.ours)
        if calls:
            firsts.append(calls)
        print(f"| {layer} | {cell(raced, calls, p, density)} |", flush=True)
    if shares:
        print(f"| geometric mean | | | {np.exp(np.mean(np.log(shares))):.3f} | {np.exp(np.mean(np.log(ratios))):.2f} | | |")
    for i, name in enumerate(("cold", "warm") if firsts else ()):
        slowest = max(found[i] for found in firsts)
        print(f"slowest first call {name}: {slowest.prepare_s * 1e3:.0f} ms, of it compiling {slowest.build_s * 1e3:.0f}")


def main(words: Sequence[str]) -> int:
    """Print the table; 2 without a CPU device."""
    asked = options(words)
    try:
        backend = OpenclBackend(OpenclConfig(device=asked.device))
    except (BreakevenError, ImportError) as error:
        print(f"no OpenCL device to measure: {error}", file=sys.stderr)
        return 2
    if asked.prepare:
        p = Problem.parse(asked.prepare).with_batch(asked.batch)
        plan: Any = backend.prepare(p, weights(p, asked.density), "direct_sparse")
        print(json.dumps([plan.prepare_s, plan.build_s]))
        return 0
    print(f"{backend.device()}; batch {asked.batch}, density {asked.density:g}, FMA peak {backend.fma_peak() / 1e9:.0f} GFLOP/s")
    table(backend, asked)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
