"""PyTorch's dense convolution and cuSPARSE product, timed by CUDA events around a graph of calls.

What does not run - no CUDA, no CSR in this build, out of memory, a driver's error half-way - is named and left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from harness.contract import Problem

CALLS = 10  # in a row, for one reading of the clock
Run = Callable[[], float]  # one call; seconds on the device


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


def dense_calls(torch: Any, p: Problem, x: Any, weight: Any) -> dict[str, Callable[[], Any]]:
    """PyTorch's convolution with TF32 off and on, in both layouts that cuDNN knows."""

    def call(tf32: bool, layout: Any) -> Callable[[], Any]:
        given, kernel = x.to(memory_format=layout), weight.to(memory_format=layout)

        def convolve() -> Any:
            torch.backends.cudnn.allow_tf32 = tf32
            return torch.nn.functional.conv2d(given, kernel, None, (p.sh, p.sw), (p.ph, p.pw), (p.dh + 1, p.dw + 1), p.g)

        return convolve

    calls = {"dense nchw": call(False, torch.contiguous_format)}
    if torch.cuda.is_available():
        calls["dense nhwc"] = call(False, torch.channels_last)
        calls["tf32 nchw"] = call(True, torch.contiguous_format)
        calls["tf32 nhwc"] = call(True, torch.channels_last)
    return calls


def cusparse_calls(torch: Any, p: Problem, x: Any, weight: Any) -> dict[str, Callable[[], Any]]:
    """CSR weights times the unfolded input, group by group; with and without the unfolding."""
    torch.backends.cuda.matmul.allow_tf32 = False
    rows = [block.reshape(p.oc // p.g, -1).to_sparse_csr() for block in weight.chunk(p.g)]

    def unfold() -> list[Any]:
        lowered = torch.nn.functional.unfold(x, (p.kh, p.kw), (p.dh + 1, p.dw + 1), (p.ph, p.pw), (p.sh, p.sw))
        return [part.permute(1, 0, 2).reshape(rows[0].shape[1], -1) for part in lowered.chunk(p.g, dim=1)]

    held = [part.contiguous() for part in unfold()]
    return {
        "cusparse": lambda: [a @ b for a, b in zip(rows, unfold(), strict=True)],
        "spmm": lambda: [a @ b for a, b in zip(rows, held, strict=True)],
    }


def torch_runs(torch: Any, p: Problem, x: Any, weight: Any) -> dict[str, Run]:
    """Every competitor that runs here; one that does not is named on a line of its own and left out."""
    cuda = torch.cuda.is_available()
    runs: dict[str, Run] = {}

    def attempt(name: str, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except RuntimeError as error:  # out of memory, no CSR in this build
            print(f"note: {name} left out: {first_line(error)}")
            return None

    given = attempt("PyTorch", lambda: [torch.from_numpy(a).to("cuda" if cuda else "cpu") for a in (x, weight)])
    for title, make, graph in (("dense", dense_calls, True), ("cuSPARSE", cusparse_calls, False))[: 1 + cuda] if given else ():
        calls = attempt(title, lambda make=make: make(torch, p, *given))
        for name, call in (calls or {}).items():
            if run := attempt(name, lambda call=call, graph=graph: on_device(torch, call, graph)):
                runs[name] = run
    return runs


def first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def take_turns(runs: dict[str, Run]) -> dict[str, float]:
    """Seconds of each, and of dense and TF32 the better layout; one that fails now is named and dropped from ``runs``."""
    seconds: dict[str, float] = {}
    for name in list(runs):
        try:
            seconds[name] = runs[name]()
        except RuntimeError as error:
            del runs[name]
            print(f"note: {name} left out: {first_line(error)}")
    return with_better(seconds)


def with_better(seconds: dict[str, float]) -> dict[str, float]:
    """The same with ``dense`` and ``tf32``, each the faster of its layouts."""
    kinds = {kind: [value for name, value in seconds.items() if name.startswith(f"{kind} ")] for kind in ("dense", "tf32")}
    return seconds | {kind: min(found) for kind, found in kinds.items() if found}
