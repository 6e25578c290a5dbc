"""Direct sparse convolution on a GPU against cuDNN and cuSPARSE, one table in under five minutes.

    python tests/benchmarks/gpu_suite.py [--batch 32] [--density 0.1] [--device gpu] [--layers alex2,res4] [--out gpu.json]

Dense: PyTorch's convolution (cuDNN, ``cudnn.benchmark`` on) in float32 with TF32 off and on. Sparse: cuSPARSE through
``torch.sparse_csr`` on the unfolded input (unfolding counted and not). Ours: the OpenCL kernel, packing of the input counted.
All by device events, least of a few rounds in which the competitors take turns. Without CUDA the dense column is PyTorch on
the CPU; without a GPU for OpenCL ours runs on the device that there is. Every result is checked against the dense one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from backends.opencl.backend import OpenclBackend
from backends.opencl.config import OpenclConfig
from backends.opencl.plans import OpenclPlan
from harness.contract import BreakevenError, Problem

LAYERS = {
    "alex2": "g2ic96ih27oc256kh5ph2",
    "alex3": "ic256ih13oc384kh3ph1",
    "alex4": "g2ic384ih13oc384kh3ph1",
    "alex5": "g2ic384ih13oc256kh3ph1",
    "goog_conv2": "ic64ih56oc192kh3ph1",
    "goog_3a": "ic96ih28oc128kh3ph1",
    "goog_4e": "ic160ih14oc320kh3ph1",
    "goog_5b": "ic192ih7oc384kh3ph1",
    "res2": "ic64ih56oc64kh3ph1",
    "res3": "ic128ih28oc128kh3ph1",
    "res4": "ic256ih14oc256kh3ph1",
    "res5": "ic512ih7oc512kh3ph1",
}
ROUNDS = 7
Run = Callable[[], float]  # one call; seconds on the device


class Row(NamedTuple):
    """One layer: seconds of each competitor, and ours set against two roofs."""

    layer: str
    seconds: dict[str, float]
    variant: str
    useful_gflops: float
    of_fma_peak: float
    of_local_bound: float
    error: float


def torch_or_reason() -> tuple[Any, str]:
    """PyTorch, and why its CUDA figures are missing (empty when they are not)."""
    try:
        import torch
    except ImportError:
        return None, "PyTorch is not installed (pip install 'breakeven[torch]'): no dense or cuSPARSE columns"
    if not torch.cuda.is_available():
        return torch, "PyTorch sees no CUDA device: the dense column is PyTorch on the CPU, TF32 and cuSPARSE are left out"
    return torch, ""


def on_device(torch: Any, call: Callable[[], Any]) -> Run:
    """``call`` timed by CUDA events, or by the wall clock on the CPU; its first runs (search, compilation) are not counted."""
    for _ in range(3):
        call()

    def run() -> float:
        if not torch.cuda.is_available():
            begin = time.perf_counter()
            call()
            return time.perf_counter() - begin
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        call()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3

    return run


def dense_runs(torch: Any, p: Problem, x: Any, weight: Any) -> dict[str, Run]:
    """PyTorch's convolution, with TF32 off and, on CUDA, on."""

    def call(tf32: bool) -> Callable[[], Any]:
        def convolve() -> Any:
            torch.backends.cudnn.allow_tf32 = tf32
            return torch.nn.functional.conv2d(x, weight, None, (p.sh, p.sw), (p.ph, p.pw), (p.dh + 1, p.dw + 1), p.g)

        return convolve

    names = {"dense": False, "dense_tf32": True} if torch.cuda.is_available() else {"dense": False}
    return {name: on_device(torch, call(tf32)) for name, tf32 in names.items()}


def cusparse_runs(torch: Any, p: Problem, x: Any, weight: Any) -> dict[str, Run]:
    """CSR weights times the unfolded input, group by group; with and without the unfolding."""
    torch.backends.cuda.matmul.allow_tf32 = False
    rows = [block.reshape(p.oc // p.g, -1).to_sparse_csr() for block in weight.chunk(p.g)]

    def unfold() -> list[Any]:
        lowered = torch.nn.functional.unfold(x, (p.kh, p.kw), (p.dh + 1, p.dw + 1), (p.ph, p.pw), (p.sh, p.sw))
        return [part.permute(1, 0, 2).reshape(rows[0].shape[1], -1) for part in lowered.chunk(p.g, dim=1)]

    held = [part.contiguous() for part in unfold()]
    return {
        "cusparse": on_device(torch, lambda: [a @ b for a, b in zip(rows, unfold(), strict=True)]),
        "cusparse_spmm": on_device(torch, lambda: [a @ b for a, b in zip(rows, held, strict=True)]),
    }


def our_run(plan: OpenclPlan) -> Run:
    """The OpenCL kernels by their events, packing included."""

    def run() -> float:
        clock = plan.launch()
        return clock.wall_s if clock.device_s is None else clock.device_s

    return run


def measure(backend: OpenclBackend, torch: Any, name: str, p: Problem, density: float, tune: bool, roofs: tuple[float, float]) -> Row:
    """One layer against every competitor; ``roofs`` are FMA peak (FLOP/s) and local-memory bandwidth (B/s)."""
    rng = np.random.default_rng(0)
    weight = (rng.standard_normal(p.weight_shape) * (rng.random(p.weight_shape) < density)).astype(np.float32)
    x = rng.standard_normal(p.input_shape).astype(np.float32)
    plan = backend.prepare(p, weight, "direct_sparse", tune=tune)
    assert isinstance(plan, OpenclPlan)
    y = plan.run(x)
    runs, error = {"ours": our_run(plan)}, float("nan")
    if torch is not None:
        place = "cuda" if torch.cuda.is_available() else "cpu"
        tx, tw = torch.from_numpy(x).to(place), torch.from_numpy(weight).to(place)
        torch.backends.cudnn.allow_tf32 = False
        exact = torch.nn.functional.conv2d(tx, tw, None, (p.sh, p.sw), (p.ph, p.pw), (p.dh + 1, p.dw + 1), p.g).cpu().numpy()
        error = float(np.abs(y - exact).max() / np.abs(exact).max())
        runs |= dense_runs(torch, p, tx, tw)
        if place == "cuda":
            runs |= cusparse_runs(torch, p, tx, tw)
    samples = [{key: run() for key, run in runs.items()} for _ in range(ROUNDS)]
    seconds = {key: min(sample[key] for sample in samples) for key in runs}
    useful = p.flops * plan.density
    rate = useful / seconds["ours"]
    return Row(name, seconds, str(plan.choice), rate / 1e9, rate / roofs[0], useful * 2 / roofs[1] / seconds["ours"], error)


def show(row: Row) -> None:
    """One line: microseconds of each, speed-ups of ours, useful rate and shares of the roofs."""
    us = {key: f"{value * 1e6:9.0f}" for key, value in row.seconds.items()}
    times = " ".join(us.get(key, "        -") for key in ("dense", "dense_tf32", "cusparse", "cusparse_spmm", "ours"))
    ratios = " ".join(
        f"{row.seconds[k] / row.seconds['ours']:6.2f}x" if k in us else "      -" for k in ("dense", "dense_tf32", "cusparse")
    )
    shares = f"{row.useful_gflops:9.0f} {row.of_fma_peak:6.0%} {row.of_local_bound:6.0%} {row.error:8.1e}"
    print(f"{row.layer:11s} {times} {ratios} {shares}  {row.variant}", flush=True)


def summarise(rows: Sequence[Row]) -> None:
    """Geometric means of the speed-ups, each with its baseline."""
    for key, words in (
        ("dense", "dense float32, TF32 off"),
        ("dense_tf32", "dense, TF32 on"),
        ("cusparse", "cuSPARSE on the unfolded input"),
    ):
        ratios = [row.seconds[key] / row.seconds["ours"] for row in rows if key in row.seconds]
        if ratios:
            print(f"{statistics.geometric_mean(ratios):.2f}x over {words} (geometric mean of {len(ratios)} layers)")


def options(words: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--density", type=float, default=0.1)
    parser.add_argument("--device", default="", help="type, part of a name, or #number; empty: GPU before accelerator before CPU")
    parser.add_argument("--layers", default=",".join(LAYERS), help="which of: " + ", ".join(LAYERS))
    parser.add_argument("--no-tune", action="store_true", help="take the rule's variant instead of timing the likeliest")
    parser.add_argument("--out", type=Path, help="also write the rows as JSON")
    chosen = parser.parse_args(words)
    chosen.layers = chosen.layers.split(",")
    if unknown := [name for name in chosen.layers if name not in LAYERS]:
        parser.error(f"layer {unknown[0]!r}; allowed: {', '.join(LAYERS)}")
    if chosen.batch < 1 or not 0 <= chosen.density <= 1:
        parser.error("batch must be 1 or more, density from 0 to 1")
    return chosen


def main(words: Sequence[str]) -> int:
    """Print the table; 2 when there is no OpenCL device."""
    chosen = options(words)
    try:
        backend = OpenclBackend(OpenclConfig(device=chosen.device))
    except (BreakevenError, ImportError) as error:
        print(f"no OpenCL device to measure: {error}", file=sys.stderr)
        return 2
    torch, reason = torch_or_reason()
    if torch is not None:
        torch.backends.cudnn.benchmark = True
        torch.set_num_threads(backend.threads)
    hardware = backend.hardware()
    roofs = float(hardware.peak_flops), float(hardware.number("bandwidth_local"))
    print(f"ours on {backend.device()}: FMA peak {roofs[0] / 1e9:.0f} GFLOP/s, local memory {roofs[1] / 1e9:.0f} GB/s, both measured")
    dense = torch.cuda.get_device_name() if torch is not None and not reason else "the CPU"
    print(f"PyTorch {torch.__version__} on {dense}" if torch is not None else "no PyTorch")
    print(f"note: {reason}\n" if reason else "", end="")
    print(f"batch {chosen.batch}, density {chosen.density:g}; microseconds by device events")
    header = "    dense      tf32  cusparse  spmm only      ours  /dense   /tf32 /cuspar useful GF  peak  local    error"
    print(f"{'layer':11s} {header}  variant")
    rows = []
    for name in chosen.layers:
        problem = Problem.parse(LAYERS[name]).with_batch(chosen.batch)
        rows.append(measure(backend, torch, name, problem, chosen.density, not chosen.no_tune, roofs))
        show(rows[-1])
    summarise(rows)
    if chosen.out:
        record = {"device": backend.device(), "batch": chosen.batch, "density": chosen.density, "rows": [row._asdict() for row in rows]}
        part = chosen.out.with_name(f".{chosen.out.name}.part")
        part.write_text(json.dumps(record, indent=1))
        part.replace(chosen.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
