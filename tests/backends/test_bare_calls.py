"""What a plan costs beyond its engine's bare call, printed and not judged: CPU time of both in turns.

``python tests/backends/test_bare_calls.py`` prints the whole suite of layers.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.contract import BackendConfig, Plan, Problem

LAYERS = {
    "alexnet:conv1": "ic3ih227oc96kh11sh4",
    "alexnet:conv2": "g2ic96ih27oc256kh5ph2",
    "alexnet:conv3": "ic256ih13oc384kh3ph1",
    "alexnet:conv4": "g2ic384ih13oc384kh3ph1",
    "alexnet:conv5": "g2ic384ih13oc256kh3ph1",
    "googlenet:conv2": "ic64ih56oc192kh3ph1",
    "googlenet:3a_3x3": "ic96ih28oc128kh3ph1",
    "googlenet:3b_5x5": "ic32ih28oc96kh5ph2",
    "googlenet:4e_3x3": "ic160ih14oc320kh3ph1",
    "googlenet:5b_3x3": "ic160ih7oc320kh3ph1",
    "googlenet:4c_1x1": "ic512ih14oc128kh1",
    "resnet:3_3x3": "ic128ih28oc128kh3ph1",
    "resnet:4_3x3": "ic256ih14oc256kh3ph1",
    "resnet:5_3x3": "ic512ih7oc512kh3ph1",
    "mobilenet:1x1": "ic128ih28oc256kh1",
}
ENGINES = {
    "onednn": ("torch", "OneDnnBackend"),
    "onnxruntime": ("onnxruntime", "OnnxRuntimeBackend"),
    "openvino": ("openvino", "OpenVinoBackend"),
}

Call = Callable[[], Any]


def bare_onednn(plan: Plan, x: np.ndarray, weight: np.ndarray, y: np.ndarray) -> Call:
    """The one line that a user of PyTorch writes."""
    import torch

    p = plan.problem
    tensor, kernel = torch.from_numpy(x), torch.from_numpy(weight)

    def call() -> None:
        with torch.inference_mode():
            torch.conv2d(tensor, kernel, None, (p.sh, p.sw), (p.ph, p.pw), (p.dh + 1, p.dw + 1), p.g)

    return call


def bare_onnxruntime(plan: Any, x: np.ndarray, weight: np.ndarray, y: np.ndarray) -> Call:
    """A session that is bound once."""
    session = plan._session
    binding = session.io_binding()
    binding.bind_input("x", "cpu", 0, np.float32, x.shape, x.ctypes.data)
    binding.bind_output("y", "cpu", 0, np.float32, y.shape, y.ctypes.data)
    return lambda: session.run_with_iobinding(binding)


def bare_openvino(plan: Any, x: np.ndarray, weight: np.ndarray, y: np.ndarray) -> Call:
    """An infer request that is bound once."""
    import openvino

    request = plan._compiled.create_infer_request()
    request.set_input_tensor(openvino.Tensor(x, shared_memory=True))
    request.set_output_tensor(openvino.Tensor(y, shared_memory=True))
    return request.infer


def ratio(ours: Call, bare: Call, turns: int) -> float:
    """CPU seconds of ours over those of the bare call, lower quartiles of calls in turns."""
    taken: list[tuple[float, float]] = []
    for _ in range(turns + 2):
        start = time.process_time()
        ours()
        middle = time.process_time()
        bare()
        taken.append((middle - start, time.process_time() - middle))
    mine, theirs = np.quantile(taken[2:], 0.25, axis=0)
    return float(mine / theirs)


def ratios(engine: str, layer: str, turns: int) -> tuple[float, float]:
    """Ratio of ``run(x, out)`` and of ``run(x)`` to the bare call."""
    rng = np.random.default_rng(0)
    problem = Problem.parse(LAYERS[layer])
    x, weight = rng.random(problem.input_shape, np.float32), rng.random(problem.weight_shape, np.float32)
    y, spare = np.empty(problem.output_shape, np.float32), np.empty(problem.output_shape, np.float32)
    backend = getattr(importlib.import_module(f"backends.{engine}.backend"), ENGINES[engine][1])(BackendConfig(engine))
    plan = backend.prepare(problem, weight)
    bare = globals()[f"bare_{engine}"](plan, x, weight, spare)
    return ratio(lambda: plan.run(x, y), bare, turns), ratio(lambda: plan.run(x), bare, turns)


@pytest.mark.parametrize("engine", ENGINES)
def test_ratio_to_the_bare_call_is_printed(engine, capsys):
    pytest.importorskip(ENGINES[engine][0], reason=f"{engine} is not installed")
    with_out, without = ratios(engine, "googlenet:4e_3x3", turns=10)
    with capsys.disabled():
        print(f"\n{engine} googlenet:4e_3x3, CPU time over the bare call: run(x, out) {with_out:.3f}, run(x) {without:.3f}")
    assert with_out > 0.5


if __name__ == "__main__":
    for name, (module, _) in ENGINES.items():
        if importlib.util.find_spec(module) is None or (sys.argv[1:] and name not in sys.argv[1:]):
            continue
        for title in LAYERS:
            out, fresh = ratios(name, title, turns=40)
            print(f"{name:12} {title:18} run(x, out) {out:.3f}  run(x) {fresh:.3f}")
