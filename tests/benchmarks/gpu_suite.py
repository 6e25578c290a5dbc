"""Direct sparse convolution on a GPU against cuDNN and cuSPARSE: one table in under five minutes.

Dense: PyTorch's convolution (cuDNN, ``cudnn.benchmark`` on) in float32, TF32 off and on, the faster of NCHW and channels-last.
Sparse: cuSPARSE through ``torch.sparse_csr`` on the unfolded input, unfolding counted and not. Ours: the OpenCL kernels, packing
of the input counted. PyTorch is timed by CUDA events around a graph of calls, so that launches cost it nothing; ours by OpenCL
events, and by the wall clock of the same launches in a row: where the two disagree the line ends in *mistrusted*. Least of a few
rounds in which all take turns. Each result of ours is checked against sums in double precision.

Break-even: the sparsity from which ours beats dense, by bisection of the density with the variant found at the first one (the rule's
choice where that does not fit), ours and dense in turn at each step; beside it what gpu_breakeven.py projects from the bandwidths.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from backends.opencl.backend import OpenclBackend
from backends.opencl.config import OpenclConfig
from harness.contract import BreakevenError, Hardware, InputError, Problem
from tests.benchmarks.gpu_breakeven import Moment, measured_break_even, projected_break_even
from tests.benchmarks.gpu_rivals import CALLS, Run, first_line, take_turns, torch_or_reason, torch_runs, with_better

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
SPARSER = 0.05  # the density of the second comparison
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
    projected: dict[str, float]
    sparser: dict[str, float]
    error: float
    mistrusted: str


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


def at_density(backend: OpenclBackend, p: Problem, choice: Any, density: float, runs: dict[str, Run]) -> Moment:
    """Ours with the same choice, or the rule's where that does not fit or is generated source; dense in turn with it."""
    weight = weights(p, density)
    same = {"variant": choice.variant.name, "pixels": choice.pixels, "height": choice.height, "images": choice.images}
    try:
        plan: Any = backend.prepare(p, weight, "direct_sparse", **({} if choice.variant.kind == "literal" else same))
    except InputError:
        plan = backend.prepare(p, weight, "direct_sparse")
    rivals = {name: run for name, run in runs.items() if name.startswith(("dense ", "tf32 "))}
    turns = [(our_clock(plan)[0], take_turns(rivals)) for _ in range(3)]
    return Moment(min(ours for ours, _ in turns), with_better(least([others for _, others in turns])))


def other_densities(measured: Callable[[float], Moment], dense: Sequence[str], end: float) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds at SPARSER, and break-even with each of ``dense``; what fails half-way costs only what is still missing."""
    from pyopencl import Error as OpenclError

    known: dict[float, Moment] = {}
    sparser: dict[str, float] = {}
    even: dict[str, float] = {}

    def at(density: float) -> Moment:
        if density not in known:
            known[density] = measured(density)
        return known[density]

    try:
        sparser["ours"] = at(SPARSER).ours
        for kind in dense:
            sparser[kind] = at(SPARSER).rivals[kind]
            even[kind] = measured_break_even(at, kind, end)
    except (BreakevenError, RuntimeError, LookupError, OpenclError) as error:
        print(f"note: no further densities: {first_line(error)}")
    return sparser, even


def least(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    """The least of each name that every round has."""
    return {name: min(found[name] for found in rounds) for name in rounds[-1] if all(name in found for found in rounds)}


def prepared(backend: OpenclBackend, p: Problem, weight: Any, asked: argparse.Namespace, patience_s: float) -> Any:
    """Our plan; tuning builds candidates for at most 20 s and a third of ``patience_s``."""
    options: dict[str, Any] = {} if asked.no_tune else {"tune": min(20.0, max(patience_s / 3, 0.1))}
    return backend.prepare(p, weight, "direct_sparse", **(options | ({"variant": asked.variant} if asked.variant else {})))


def measure(
    backend: OpenclBackend, torch: Any, name: str, p: Problem, asked: argparse.Namespace, hardware: Hardware, patience_s: float
) -> Row:
    """One layer against every competitor; the search for break-even ends after ``patience_s``."""
    end = time.perf_counter() + patience_s
    weight, rng = weights(p, asked.density), np.random.default_rng(2)
    x = rng.standard_normal(p.input_shape).astype(np.float32)
    plan = prepared(backend, p, weight, asked, patience_s)
    error = off_by(p, x, weight, plan.run(x))
    runs = torch_runs(torch, p, x, weight) if torch is not None else {}
    rounds = [(our_clock(plan), take_turns(runs)) for _ in range(asked.rounds)]
    seconds = least([others for _, others in rounds])
    seconds["ours"], seconds["wall"] = (min(clock[i] for clock, _ in rounds) for i in (0, 1))
    dense = [kind for kind in ("dense", "tf32") if kind in seconds]
    sparser, even = other_densities(lambda density: at_density(backend, p, plan.choice, density, runs), dense, end)
    lanes = getattr(plan, "_lanes", None)
    spread = lanes.span / plan.choice.tile if lanes else 1.25
    projected = {kind: projected_break_even(p, plan.choice, hardware, seconds[kind], spread) for kind in dense}
    rate, doubts = p.flops * plan.density / seconds["ours"], doubt(seconds, error)
    shares = rate / float(hardware.peak_flops), rate * 2 / float(hardware.number("bandwidth_local"))
    return Row(name, seconds, str(plan.choice), plan.build_s, rate, *shares, even, projected, sparser, error, doubts)


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
    return f"{'layer':11s} {names}  /dense   /tf32 /cuspar useful GF  peak  local  even  tf32 model build s  variant"


def line(row: Row) -> str:
    """One line: microseconds of each, speed-ups of ours, useful rate, shares of the roofs, break-even sparsities."""
    us = {key: f"{value * 1e6:9.1f}" for key, value in row.seconds.items()}
    times = " ".join(us.get(key, "        -") for key in COLUMNS)
    ratios = " ".join(f"{row.seconds[k] / row.seconds['ours']:6.2f}x" if k in us else "      -" for k in ("dense", "tf32", "cusparse"))
    known = [found.get(key, math.nan) for found, key in ((row.break_even, "dense"), (row.break_even, "tf32"), (row.projected, "tf32"))]
    even = " ".join("    -" if math.isnan(value) else f"{value:5.0%}" for value in known)
    shares = f"{row.useful_flops / 1e9:9.0f} {row.of_fma_peak:5.0%} {row.of_local_bound:6.0%} {even} {row.build_s:7.2f}"
    return f"{row.layer:11s} {times} {ratios} {shares}  {row.choice}{'  mistrusted: ' + row.mistrusted if row.mistrusted else ''}"


def summary(rows: Sequence[Row]) -> list[str]:
    """Geometric means over the layers that are believed, each with its baseline."""
    rows = [row for row in rows if not row.mistrusted]
    lines = []
    for key, words in (("dense", "dense float32, TF32 off"), ("tf32", "dense, TF32 on"), ("cusparse", "cuSPARSE on the unfolded input")):
        for seconds, at in (([row.seconds for row in rows], ""), ([row.sparser for row in rows], f" at density {SPARSER:g}")):
            if ratios := [found[key] / found["ours"] for found in seconds if key in found]:
                lines.append(f"{statistics.geometric_mean(ratios):.2f}x over {words}{at} (geometric mean of {len(ratios)} layers)")
        for evens, how in (([row.break_even for row in rows], ""), ([row.projected for row in rows], " as the model projects it")):
            found = [1.0 if math.isnan(even[key]) else even[key] for even in evens if key in even]
            if found:
                never = f", {found.count(1.0)} of them never" if 1.0 in found else ""
                lines.append(
                    f"{statistics.median(found):.0%} sparsity is break-even with {words}{how} (median of {len(found)} layers{never})"
                )
    for share, words in (("of_local_bound", "the measured local-memory bound"), ("of_fma_peak", "the measured FMA peak")):
        if rows:
            lines.append(f"{statistics.geometric_mean(getattr(row, share) for row in rows):.0%} of {words} (geometric mean)")
    return lines


# --- the run ---------------------------------------------------------------------------------------------------------------------


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
    parser.add_argument("--seconds", type=float, default=270, help="start no further layer after this long; each gets its share")
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


def keep(path: Path, about: dict[str, Any], rows: Sequence[Row]) -> None:
    """Write what is known so far as JSON; a share that was not found is null."""
    plain = [row._asdict() for row in rows]
    for row in plain:
        for name in ("break_even", "projected"):
            row[name] = {key: None if math.isnan(value) else value for key, value in row[name].items()}
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(about | {"rows": plain}, indent=1, allow_nan=False))
    part.replace(path)


def run_all(backend: OpenclBackend, torch: Any, asked: argparse.Namespace, hardware: Hardware, about: dict[str, Any]) -> list[Row]:
    """Every layer's row, printed and kept as it comes; a layer that fails is named and left out, one that comes too late too."""
    from pyopencl import Error as OpenclError

    rows: list[Row] = []
    end = time.perf_counter() + asked.seconds
    print(header())
    for done, (name, text) in enumerate(asked.problems.items()):
        left = end - time.perf_counter()
        if left < 0:
            print(f"{name:11s} left out: {asked.seconds:.0f} seconds are over")
            continue
        patience_s = 2 * left / (len(asked.problems) - done + 1)  # the first ones compile what the later ones use
        try:
            rows.append(measure(backend, torch, name, Problem.parse(text).with_batch(asked.batch), asked, hardware, patience_s))
        except (BreakevenError, RuntimeError, MemoryError, OpenclError) as error:
            print(f"{name:11s} failed: {first_line(error)}", flush=True)
            continue
        print(line(rows[-1]), flush=True)
        if asked.out:
            keep(asked.out, about, rows)
    return rows


def main(words: Sequence[str]) -> int:
    """Print the table; 2 when there is no OpenCL device, 1 when a layer failed."""
    asked, begin = options(words), time.perf_counter()
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
    peak, local = hardware.number("peak_flops"), hardware.number("bandwidth_local")
    print(f"ours on {backend.device()}: FMA peak {peak / 1e9:.0f} GFLOP/s, local memory {local / 1e9:.0f} GB/s, both measured")
    for roof in (peak, local):
        print(f"note: mistrusted: {roof.mistrusted}\n" if roof.mistrusted else "", end="")
    place = torch.cuda.get_device_name() if torch is not None and not reason else "the CPU"
    print(f"PyTorch {torch.__version__} on {place}" if torch is not None else "no PyTorch")
    print(f"note: {reason}\n" if reason else "", end="")
    print(f"batch {asked.batch}, density {asked.density:g}; microseconds of one call")

    about = {"device": backend.device(), "batch": asked.batch, "density": asked.density, "peak_flops": peak, "bandwidth_local": local}
    asked.seconds -= time.perf_counter() - begin
    rows = run_all(backend, torch, asked, hardware, about)
    print("\n".join([*summary(rows), f"{time.perf_counter() - begin:.0f} s in all"]))
    return 0 if len(rows) == len(asked.problems) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
