"""Importing is cheap, and complete."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, files, module_name

MOST_CPU_S = 0.1
HEAVY = ("torch", "mkl", "pyopencl", "hydra", "onnxruntime", "onnx", "openvino", "scipy", "matplotlib", "rich")
COST = """
import json, sys, time, numpy
start = time.process_time()
import harness
print(json.dumps({"cpu_s": time.process_time() - start, "modules": sorted({name.split(".")[0] for name in sys.modules})}))
"""


def test_importing_harness_is_cheap() -> None:
    runs = [json.loads(subprocess.run([sys.executable, "-c", COST], capture_output=True, text=True, check=True).stdout) for _ in range(3)]
    assert min(run["cpu_s"] for run in runs) <= MOST_CPU_S
    assert not set(HEAVY) & set(runs[0]["modules"])


@pytest.mark.parametrize("path", files(*PACKAGES), ids=module_name)
def test_every_module_imports(path: Path) -> None:
    try:
        importlib.import_module(module_name(path))
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in PACKAGES:
            raise
        pytest.skip(f"{error.name} is not installed")
