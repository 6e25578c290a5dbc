"""Whether sparse Winograd can win: its least time against direct sparse and dense Winograd convolution, on one core.

Run ``taskset -c 0 python -m tests.benchmarks.sparse_winograd [--density 0.1,0.2] [--layers ic64ih56oc64kh3ph1,...]``.
Sparse Winograd is put together from the best parts there are: the transforms of the dense kernel, and for all points
the faster of MKL's sparse times dense product and the cpu backend's direct sparse kernel on the same matrix (a 1x1
convolution over the tiles). ``transformed``: weights pruned as 3x3 kernels, density after the transform in brackets;
``there``: pruned after the transform, which no 3x3 kernel stands for. ``full``: dense Winograd put together the same way,
so that a better product is not taken for a gain of sparsity; ``SGEMM``: the kernel that the mkl backend has.
Whole calls: shortest CPU time of some, all in turns. Products: the shortest kernel time of each point, summed, so that
sparse Winograd pays nothing for packing or for the calls between its points.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import numpy as np

from backends.cpu.backend import CpuBackend
from backends.cpu.plugin import CpuConfig
from backends.host.machine import this_machine
from backends.host.probes import fma_peak
from backends.mkl.backend import MklBackend
from backends.mkl.winograd import transformed
from harness.contract import BackendConfig
from perfmodel.problem import Problem

LAYERS = "ic64ih56oc64kh3ph1,ic128ih28oc128kh3ph1,ic256ih14oc256kh3ph1"
CALLS = 9
Call = Callable[[], np.ndarray | float]


def whole(plan, x) -> Call:
    """CPU seconds of one call."""
    y = np.empty(plan.problem.output_shape, np.float32)

    def call() -> float:
        start = time.thread_time()
        plan.run(x, y)
        return time.thread_time() - start

    return call


def products(backend, kernel: str, points: np.ndarray, tiles: tuple[int, int], rng) -> Call:
    """Seconds of each point's sparse product (points x ic x oc), from plans without bias or ReLU."""
    inputs, outputs = points.shape[1:]
    problem = Problem.parse(f"ic{inputs}ih{tiles[0]}iw{tiles[1]}oc{outputs}kh1kw1")
    plans = [backend.prepare(problem, np.ascontiguousarray(point.T, np.float32)[:, :, None, None], kernel) for point in points]
    x = rng.standard_normal((len(points), *problem.input_shape), np.float32)
    y = np.empty((len(points), *problem.output_shape), np.float32)
    return lambda: np.array([plan.run_clocked(source, target)[1].kernel_s for plan, source, target in zip(plans, x, y, strict=True)])


def transforms(plan, x) -> Call:
    """Seconds of the dense kernel outside its products."""
    y = np.empty(plan.problem.output_shape, np.float32)

    def call() -> float:
        clocks = plan.run_clocked(x, y)[1]
        return clocks.end_to_end_s - clocks.kernel_s

    return call


def pruned(shape: tuple[int, ...], density: float, rng) -> np.ndarray:
    """Normal numbers of which about ``density`` stay."""
    return np.where(rng.random(shape) < density, rng.standard_normal(shape), 0).astype(np.float32)


def measure(problem: Problem, density: float, cpu: CpuBackend, mkl: MklBackend, rng) -> str:
    """One row of the table, in microseconds."""
    weight, x = pruned(problem.weight_shape, density, rng), rng.standard_normal(problem.input_shape, np.float32)
    calls = {"direct": whole(cpu.prepare(problem, weight, "direct_sparse"), x)}
    densities = {}
    for m in (2, 4):
        dense = mkl.prepare(problem, weight, "winograd", tile=m)
        calls[f"dense{m}"], calls[f"around{m}"] = whole(dense, x), transforms(dense, x)
        points, tiles = transformed(weight, m), (-(-problem.oh // m), -(-problem.ow // m))
        points[np.abs(points) < 1e-12] = 0
        densities[m] = np.count_nonzero(points) / points.size
        there, full = pruned(points.shape, density, rng), pruned(points.shape, 1, rng)
        for name, backend, kernel, matrices in (
            ("transformed", mkl, "csr_mm", points),
            ("transformed", cpu, "direct_sparse", points),
            ("there", mkl, "csr_mm", there),
            ("there", cpu, "direct_sparse", there),
            ("full", mkl, "im2col_sgemm", full),
            ("full", cpu, "direct_dense", full),
        ):
            calls[f"{name}{m}{backend.name}"] = products(backend, kernel, matrices, tiles, rng)
    shortest: dict[str, np.ndarray | float] = dict.fromkeys(calls, np.inf)
    for _ in range(CALLS):
        shortest = {name: np.minimum(shortest[name], call()) for name, call in calls.items()}
    best = {name: float(np.sum(seconds)) for name, seconds in shortest.items()}
    cells = [f"{1e6 * best['direct']:.0f}"]
    for m in (2, 4):
        cells.append(f"{1e6 * best[f'dense{m}']:.0f}")
        for name in ("full", "transformed", "there"):
            seconds = best[f"around{m}"] + min(best[f"{name}{m}mkl"], best[f"{name}{m}cpu"])
            cells.append(f"{1e6 * seconds:.0f}" + (f" ({densities[m]:.2f})" if name == "transformed" else ""))
    return " | ".join(cells)


def main() -> None:
    """Print the table."""
    os.environ.setdefault("MKL_THREADING_LAYER", "SEQUENTIAL")
    parser = argparse.ArgumentParser(description="Sparse Winograd against direct sparse and dense Winograd convolution.")
    parser.add_argument("--density", default="0.05,0.1,0.2,0.3,0.4,0.5,0.6,0.7")
    parser.add_argument("--layers", default=LAYERS)
    arguments = parser.parse_args()
    cpu, mkl, rng = CpuBackend(CpuConfig("cpu")), MklBackend(BackendConfig("mkl")), np.random.default_rng(0)
    columns = [
        "layer",
        "density",
        "direct_sparse",
        *(f"F({m}) {name}" for m in (2, 4) for name in ("SGEMM", "full", "transformed", "there")),
    ]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for text in arguments.layers.split(","):
        for density in map(float, arguments.density.split(",")):
            print(f"| `{text}` | {density:g} | {measure(Problem.parse(text), density, cpu, mkl, rng)} |", flush=True)
    print(f"FMA peak {np.median(fma_peak(this_machine().isas[0], 1)) / 1e9:.0f} GFLOP/s")


if __name__ == "__main__":
    main()
