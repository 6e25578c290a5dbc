"""Share of the FMA peak that the cpu backend's kernels reach on the suite's layers, side by side on one core.

Run ``taskset -c 0 python -m tests.benchmarks.cpu_kernels [--density 0.1] [--batch 1] [--only avx2,...] [--layers conv3,...]``.
Every call is timed end to end (packing counted) on one of two inputs in turn; all kernels take turns, with
the FMA peak measured before each round. Printed: the median, or with ``--best`` the quietest tenth.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from backends.cpu.backend import CpuBackend
from backends.cpu.isa import isa_names
from backends.cpu.plugin import CpuConfig
from backends.host.probes import fma_peak
from harness.contract import Plan
from perfmodel.problem import Problem

SUITE = {
    "AlexNet conv2": "g2ic96ih27oc256kh5ph2",
    "AlexNet conv3": "ic256ih13oc384kh3ph1",
    "AlexNet conv4": "g2ic384ih13oc384kh3ph1",
    "AlexNet conv5": "g2ic384ih13oc256kh3ph1",
    "GoogLeNet conv2/3x3": "ic64ih56oc192kh3ph1",
    "GoogLeNet 3a/3x3": "ic96ih28oc128kh3ph1",
    "GoogLeNet 3b/5x5": "ic32ih28oc96kh5ph2",
    "GoogLeNet 4e/3x3": "ic160ih14oc320kh3ph1",
    "GoogLeNet 5b/3x3": "ic192ih7oc384kh3ph1",
    "GoogLeNet 4c/1x1": "ic512ih14oc128kh1",
    "ResNet-50 28x28": "ic128ih28oc128kh3ph1",
    "ResNet-50 14x14": "ic256ih14oc256kh3ph1",
    "ResNet-50 7x7": "ic512ih7oc512kh3ph1",
    "MobileNet 1x1": "ic256ih14oc512kh1",
}
KERNELS = {
    "generated": ("avx512", "direct_sparse", {}),
    "avx512": ("avx512", "direct_sparse", {"variant": "slide"}),
    "avx512-256": ("avx512", "direct_sparse", {"variant": "slide-256"}),
    "avx2": ("avx2", "direct_sparse", {}),
    "avx2 tuned": ("avx2", "direct_sparse", {"tune": True}),
    "neon": ("neon", "direct_sparse", {}),
    "portable": ("portable", "direct_sparse", {}),
    "dense": ("auto", "direct_dense", {}),
}


def plans_of(problem: Problem, density: float, names: Sequence[str]) -> dict[str, Plan]:
    """One plan a kernel, all with the same uniformly random weights."""
    rng = np.random.default_rng(20170424)
    weight = rng.standard_normal(problem.weight_shape, dtype=np.float32)
    weight[rng.random(weight.shape) >= density] = 0
    plans = {}
    for name in names:
        isa, kernel, options = KERNELS[name]
        plans[name] = CpuBackend(CpuConfig(name="cpu", isa=isa)).prepare(problem, weight, kernel, **options)
    return plans


def race(plans: dict[str, Plan], problem: Problem, rounds: int, quantile: float) -> dict[str, tuple[float, float]]:
    """Seconds of each plan and its share of the FMA peak of its own instruction set, rounds interleaved."""
    rng = np.random.default_rng(1)
    inputs = [rng.standard_normal(problem.input_shape, dtype=np.float32) for _ in range(2)]
    out = np.empty(problem.output_shape, np.float32)
    calls = 9  # the first of a round meets caches that another kernel has filled
    seconds: dict[str, list[float]] = {name: [] for name in plans}
    peaks: dict[str, list[float]] = {name: [] for name in plans}
    for _ in range(rounds):
        for name, plan in plans.items():
            isa = KERNELS[name][0]
            peaks[name] += fma_peak(isa_names()[0] if isa == "auto" else isa, 1, samples=3)
            times = [plan.run_clocked(inputs[i % 2], out)[1].end_to_end_s for i in range(calls)]
            seconds[name].append(float(np.median(times)))
    result = {}
    for name, plan in plans.items():
        median = float(np.quantile(seconds[name], quantile))
        work = problem.flops * (1 if plan.kernel.method == "dense" else plan.density)
        result[name] = (median, work / median / float(np.median(peaks[name])))
    return result


def main() -> None:
    """Print one row a layer: microseconds and share of peak of each kernel; then geometric means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--density", type=float, default=0.1)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--best", action="store_true", help="print the quietest tenth of the rounds instead of the median")
    parser.add_argument("--only", help="kernels, separated by commas: " + ", ".join(KERNELS))
    parser.add_argument("--layers", help="parts of layer names, separated by commas")
    wanted = parser.parse_args()
    names = [n for n in KERNELS if KERNELS[n][0] in (*isa_names(), "auto") and (not wanted.only or n in wanted.only.split(","))]
    print(f"| layer | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    shares: dict[str, list[float]] = {name: [] for name in names}
    for layer, text in SUITE.items():
        if wanted.layers and not any(part in layer for part in wanted.layers.split(",")):
            continue
        problem = Problem.parse(text).with_batch(wanted.batch)
        raced = race(plans_of(problem, wanted.density, names), problem, wanted.rounds, 0.1 if wanted.best else 0.5)
        for name, (_, share) in raced.items():
            shares[name].append(share)
        print(f"| {layer} | {' | '.join(f'{s * 1e6:.0f} us, {share:.2f}' for s, share in raced.values())} |", flush=True)
    print(f"| geometric mean | {' | '.join(f'{np.exp(np.mean(np.log(shares[n]))):.3f}' for n in names)} |")


if __name__ == "__main__":
    main()
