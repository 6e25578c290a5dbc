"""Direct sparse convolution on a GPU against cuDNN and cuSPARSE: one table in under five minutes.

Dense: PyTorch's convolution (cuDNN, ``cudnn.benchmark`` on) in float32, TF32 off and on, the faster of NCHW and channels-last.
Sparse: cuSPARSE through ``torch.sparse_csr`` on the unfolded input, unfolding counted and not. Ours: the OpenCL kernels, packing
of the input counted. PyTorch is timed by CUDA events around a graph of calls, so that launches cost it nothing; ours by OpenCL
events, and by the wall clock of the same launches in a row: where the two disagree the line ends in *mistrusted*. Least of a few
rounds in which all take turns. Each result of ours is checked against sums in double precision.

Break-even: the sparsity from which ours beats dense, on straight lines through the times at three densities; beyond these the
nearest line goes on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from backends.opencl.backend import OpenclBackend
from backends.opencl.config import OpenclConfig
from harness.contract import BreakevenError, InputError, Problem

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
TINY = {"tiny1": "ic8ih9oc12kh3ph1", "tiny2": "g2ic8ih7oc12kh3ph1sh2"}
OTHER_DENSITIES = (0.05, 0.25)
CALLS = 10  # in a row, for one reading of the clock
Run = Callable[[], float]  # one call; seconds on the device
CARRY = """
On a machine without a network, carry as wheels (pip download; pip install --no-index --no-deps): breakeven itself (pip wheel
--no-deps .), pyopencl, pytools, platformdirs, siphash24, typing-extensions; NumPy, PyYAML and pluggy if they are not there, and
PyTorch with CUDA for the other columns. The driver must bring libnvidia-opencl.so.1; docs/opencl.md says how it is found.
"""


class Row(NamedTuple):
    """One layer: seconds of each competitor, and ours set against two roofs."""

    layer: str
    seconds: dict[str, float]
    choice: str
    build_s: float
    useful_flops: float
    of_fma_peak: float
    of_local_bound: float
    break_even: dict[str, float]
    error: float
    mistrusted: str


# --- PyTorch ---------------------------------------------------------------------------------------------------------------------


def torch_or_reason() -> tuple[Any, str]:
    """PyTorch, and why its CUDA figures are missing (empty when they are not)."""
    try:
        import torch
    except ImportError:
        return None, "PyTorch is not installed (pip install 'breakeven[torch]'): no dense or cuSPARSE columns"
    if not torch.cuda.is_available():
        return torch, "PyTorch sees no CUDA device: the dense column is PyTorch on the CPU, TF32 and cuSPARSE are left out"
    return torch, ""


def on_device(torch: Any, call: Callable[[], Any], graph: bool = True) -> Run:
    """``call`` timed by CUDA events, or by the wall clock on the CPU; its first runs (search, compilation) are not counted."""
    for _ in range(3):
        call()
    if not torch.cuda.is_available():
        return lambda: wall_seconds(call)
    torch.cuda.synchronize()
    replay = captured(torch, call) if graph else None

    def run() -> float:
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        if replay:
            replay()
        else:
            for _ in range(CALLS):
                call()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3 / CALLS

    return run


def captured(torch: Any, call: Callable[[], Any]) -> Callable[[], None] | None:
    """``CALLS`` calls as one CUDA graph, so that the gaps between launches are the device's own; None if it refuses."""
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            for _ in range(CALLS):
                call()
    except RuntimeError:
        return None
    return graph.replay


def wall_seconds(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def dense_runs(torch: Any, p: Problem, x: Any, weight: Any) -> dict[str, Run]:
    """PyTorch's convolution with TF32 off and on, in both layouts that cuDNN knows."""

    def call(tf32: bool, layout: Any) -> Callable[[], Any]:
        given, kernel = x.to(memory_format=layout), weight.to(memory_format=layout)

        def convolve() -> Any:
            torch.backends.cudnn.allow_tf32 = tf32
            return torch.nn.functional.conv2d(given, kernel, None, (p.sh, p.sw), (p.ph, p.pw), (p.dh + 1, p.dw + 1), p.g)

        return convolve

    runs = {"dense nchw": on_device(torch, call(False, torch.contiguous_format))}
    if torch.cuda.is_available():
        runs["dense nhwc"] = on_device(torch, call(False, torch.channels_last))
        runs["tf32 nchw"] = on_device(torch, call(True, torch.contiguous_format))
        runs["tf32 nhwc"] = on_device(torch, call(True, torch.channels_last))
    return runs


def cusparse_runs(torch: Any, p: Problem, x: Any, weight: Any) -> dict[str, Run]:
    """CSR weights times the unfolded input, group by group; with and without the unfolding."""
    torch.backends.cuda.matmul.allow_tf32 = False
    rows = [block.reshape(p.oc // p.g, -1).to_sparse_csr() for block in weight.chunk(p.g)]

    def unfold() -> list[Any]:
        lowered = torch.nn.functional.unfold(x, (p.kh, p.kw), (p.dh + 1, p.dw + 1), (p.ph, p.pw), (p.sh, p.sw))
        return [part.permute(1, 0, 2).reshape(rows[0].shape[1], -1) for part in lowered.chunk(p.g, dim=1)]

    held = [part.contiguous() for part in unfold()]
    return {
        "cusparse": on_device(torch, lambda: [a @ b for a, b in zip(rows, unfold(), strict=True)], graph=False),
        "spmm": on_device(torch, lambda: [a @ b for a, b in zip(rows, held, strict=True)], graph=False),
    }


def torch_runs(torch: Any, p: Problem, x: Any, weight: Any) -> dict[str, Run]:
    """Every competitor that runs here; one that does not is named on a line of its own and left out."""
    cuda = torch.cuda.is_available()
    tx, tw = (torch.from_numpy(a).to("cuda" if cuda else "cpu") for a in (x, weight))
    runs: dict[str, Run] = {}
    for make in (dense_runs, cusparse_runs) if cuda else (dense_runs,):
        try:
            runs |= make(torch, p, tx, tw)
        except RuntimeError as error:  # no cuSPARSE in this build, out of memory
            print(f"note: {make.__name__.removesuffix('_runs')} left out: {str(error).splitlines()[0]}")
    return runs


# --- ours ------------------------------------------------------------------------------------------------------------------------


def weights(p: Problem, density: float) -> Any:
    rng = np.random.default_rng(0)
    return (rng.standard_normal(p.weight_shape) * (rng.random(p.weight_shape) < density)).astype(np.float32)


def our_clock(plan: Any) -> tuple[float, float]:
    """Seconds of one call by device events and by the wall clock, launches in a row."""
    clock = plan.launch(CALLS)
    return (clock.wall_s if clock.device_s is None else clock.device_s) / CALLS, clock.wall_s / CALLS


def off_by(p: Problem, x: Any, weight: Any, y: Any) -> float:
    """Largest error of some outputs against sums in double precision, over the sums of magnitudes."""
    rng, worst = np.random.default_rng(1), 0.0
    padded = np.pad(x, ((0, 0), (0, 0), (p.ph, p.ph + p.sh), (p.pw, p.pw + p.sw))).astype(np.float64)
    per, ic = p.oc // p.g, p.ic // p.g
    for _ in range(200):
        n, c, oy, ox = (int(rng.integers(size)) for size in p.output_shape)
        rows, columns = oy * p.sh + np.arange(p.kh) * (p.dh + 1), ox * p.sw + np.arange(p.kw) * (p.dw + 1)
        terms = weight[c] * padded[n, c // per * ic : (c // per + 1) * ic][:, rows[:, None], columns[None, :]]
        worst = max(worst, abs(float(y[n, c, oy, ox]) - float(terms.sum())) / (float(np.abs(terms).sum()) + 1e-30))
    return worst


def at_other_densities(backend: OpenclBackend, p: Problem, plan: Any) -> dict[float, float]:
    """Seconds with the same choice at the other densities; where that does not fit, with the rule's."""
    found = {}
    c = plan.choice
    for density in OTHER_DENSITIES:
        weight = weights(p, density)
        try:
            other: Any = backend.prepare(
                p, weight, "direct_sparse", variant=c.variant.name, pixels=c.pixels, height=c.height, images=c.images
            )
        except InputError:
            other = backend.prepare(p, weight, "direct_sparse")
        found[density] = min(our_clock(other)[0] for _ in range(3))
    return found


def break_even(ours: dict[float, float], dense: float) -> float:
    """Sparsity at which straight lines through (density, seconds) cross ``dense``; they go on beyond the densities tried."""
    known = sorted(ours.items())
    for (d0, t0), (d1, t1) in pairwise(known):
        last = d1 == known[-1][0]
        if dense <= t1 or last:
            density = d0 + (dense - t0) * (d1 - d0) / max(t1 - t0, 1e-12)
            return 1 - min(1.0, max(0.0, density))
    return float("nan")


def measure(backend: OpenclBackend, torch: Any, name: str, p: Problem, asked: argparse.Namespace, roofs: tuple[float, float]) -> Row:
    """One layer against every competitor; ``roofs`` are FMA peak (FLOP/s) and local-memory bandwidth (B/s)."""
    weight, rng = weights(p, asked.density), np.random.default_rng(2)
    x = rng.standard_normal(p.input_shape).astype(np.float32)
    options = {} if asked.no_tune else {"tune": True}
    if asked.variant:
        options["variant"] = asked.variant
    built = backend._session.build_s
    plan: Any = backend.prepare(p, weight, "direct_sparse", **options)
    built = backend._session.build_s - built
    error = off_by(p, x, weight, plan.run(x))
    runs = torch_runs(torch, p, x, weight) if torch is not None else {}
    rounds = [(our_clock(plan), {key: run() for key, run in runs.items()}) for _ in range(asked.rounds)]
    seconds = {key: min(others[key] for _, others in rounds) for key in runs}
    for kind in ("dense", "tf32"):
        if alike := [value for key, value in seconds.items() if key.startswith(kind)]:
            seconds[kind] = min(alike)
    seconds["ours"], seconds["wall"] = (min(clock[i] for clock, _ in rounds) for i in (0, 1))
    by_density = at_other_densities(backend, p, plan) | {asked.density: seconds["ours"]}
    even = {key: break_even(by_density, seconds[key]) for key in ("dense", "tf32") if key in seconds}
    rate = p.flops * plan.density / seconds["ours"]
    return Row(name, seconds, str(plan.choice), built, rate, rate / roofs[0], rate * 2 / roofs[1], even, error, doubt(seconds, error))


def doubt(seconds: dict[str, float], error: float) -> str:
    """Why a line is not believed; empty if it is."""
    ours, wall = seconds["ours"], seconds["wall"]
    if error > 1e-5:
        return f"wrong by {error:.1e}"
    if ours > 1.1 * wall:
        return f"events {ours * 1e6:.0f} us exceed the wall clock"
    if wall > 2 * ours + 20e-6:
        return f"events fall short of the wall clock's {wall * 1e6:.0f} us"
    return ""


# --- the table -------------------------------------------------------------------------------------------------------------------

COLUMNS = ("dense", "tf32", "cusparse", "spmm", "ours", "wall")


def header() -> str:
    names = " ".join(f"{name:>9s}" for name in COLUMNS)
    return f"{'layer':11s} {names}  /dense   /tf32 /cuspar useful GF  peak  local  even  tf32 build s  variant"


def line(row: Row) -> str:
    """One line: microseconds of each, speed-ups of ours, useful rate, shares of the roofs, break-even sparsities."""
    us = {key: f"{value * 1e6:9.1f}" for key, value in row.seconds.items()}
    times = " ".join(us.get(key, "        -") for key in COLUMNS)
    ratios = " ".join(f"{row.seconds[k] / row.seconds['ours']:6.2f}x" if k in us else "      -" for k in ("dense", "tf32", "cusparse"))
    even = " ".join(f"{row.break_even[k]:5.0%}" if k in row.break_even else "    -" for k in ("dense", "tf32"))
    shares = f"{row.useful_flops / 1e9:9.0f} {row.of_fma_peak:5.0%} {row.of_local_bound:6.0%} {even} {row.build_s:7.2f}"
    return f"{row.layer:11s} {times} {ratios} {shares}  {row.choice}{'  mistrusted: ' + row.mistrusted if row.mistrusted else ''}"


def summary(rows: Sequence[Row]) -> list[str]:
    """Geometric means over the layers that are believed, each with its baseline."""
    rows = [row for row in rows if not row.mistrusted]
    lines = []
    for key, words in (("dense", "dense float32, TF32 off"), ("tf32", "dense, TF32 on"), ("cusparse", "cuSPARSE on the unfolded input")):
        ratios = [row.seconds[key] / row.seconds["ours"] for row in rows if key in row.seconds]
        if ratios:
            lines.append(f"{statistics.geometric_mean(ratios):.2f}x over {words} (geometric mean of {len(ratios)} layers)")
        evens = [row.break_even[key] for row in rows if key in row.break_even]
        if evens:
            lines.append(f"{statistics.median(evens):.0%} sparsity is break-even with {words} (median of {len(evens)} layers)")
    for share, words in (("of_local_bound", "the measured local-memory bound"), ("of_fma_peak", "the measured FMA peak")):
        if rows:
            lines.append(f"{statistics.geometric_mean(getattr(row, share) for row in rows):.0%} of {words} (geometric mean)")
    return lines


def options(words: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, epilog=CARRY, formatter_class=formatter)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--density", type=float, default=0.1)
    parser.add_argument("--device", default="", help="type, part of a name, or #number; empty: GPU before accelerator before CPU")
    parser.add_argument("--layers", default="", help="which of: " + ", ".join(LAYERS))
    parser.add_argument("--variant", default="", help="one variant of direct_sparse instead of all (docs/opencl.md lists them)")
    parser.add_argument("--no-tune", action="store_true", help="take the rule's choice instead of timing the likeliest")
    parser.add_argument("--rounds", type=int, default=7, help="rounds in which the competitors take turns")
    parser.add_argument("--seconds", type=float, default=285, help="start no further layer after this long")
    parser.add_argument("--tiny", action="store_true", help="two tiny layers at batch 5: does everything run to the end?")
    parser.add_argument("--out", type=Path, help="also write the rows as JSON")
    chosen = parser.parse_args(words)
    known = TINY if chosen.tiny else LAYERS
    chosen.problems = {name: known[name] for name in known if name in (chosen.layers.split(",") if chosen.layers else known)}
    if unknown := [name for name in chosen.layers.split(",") if name and name not in known]:
        parser.error(f"layer {unknown[0]!r}; allowed: {', '.join(known)}")
    if chosen.batch < 1 or not 0 < chosen.density <= 1 or chosen.rounds < 1:
        parser.error("batch and rounds must be 1 or more, density above 0 and at most 1")
    chosen.batch = 5 if chosen.tiny else chosen.batch
    return chosen


def run_all(backend: OpenclBackend, torch: Any, asked: argparse.Namespace, roofs: tuple[float, float]) -> list[Row]:
    """Every layer's row, printed as it comes; a layer that fails is named and left out, one that comes too late too."""
    rows, end = [], time.perf_counter() + asked.seconds
    print(header())
    for name, text in asked.problems.items():
        if time.perf_counter() > end:
            print(f"{name:11s} left out: {asked.seconds:.0f} seconds are over")
            continue
        try:
            rows.append(measure(backend, torch, name, Problem.parse(text).with_batch(asked.batch), asked, roofs))
            print(line(rows[-1]), flush=True)
        except (BreakevenError, RuntimeError, MemoryError) as error:
            print(f"{name:11s} failed: {error}", flush=True)
    return rows


def main(words: Sequence[str]) -> int:
    """Print the table; 2 when there is no OpenCL device, 1 when a layer failed."""
    asked = options(words)
    try:
        backend = OpenclBackend(OpenclConfig(device=asked.device))
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
    place = torch.cuda.get_device_name() if torch is not None and not reason else "the CPU"
    print(f"PyTorch {torch.__version__} on {place}" if torch is not None else "no PyTorch")
    print(f"note: {reason}\n" if reason else "", end="")
    print(f"batch {asked.batch}, density {asked.density:g}; microseconds of one call")
    rows = run_all(backend, torch, asked, roofs)
    print("\n".join(summary(rows)))
    if asked.out:
        record = {"device": backend.device(), "batch": asked.batch, "density": asked.density, "rows": [row._asdict() for row in rows]}
        part = asked.out.with_name(f".{asked.out.name}.part")
        part.write_text(json.dumps(record, indent=1))
        part.replace(asked.out)
    return 0 if len(rows) == len(asked.problems) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
