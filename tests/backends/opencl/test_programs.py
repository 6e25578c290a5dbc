"""Binaries on disk: built once, replaced when damaged, done without where nothing can be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyopencl", reason="pyopencl is not installed")

import pyopencl as cl

from backends.opencl.programs import built_once
from harness.contract import Problem

SOURCE = "__kernel void f(__global int *p) { p[0] = N; }"


def result(backend: Any, options: tuple[str, ...]) -> int:
    session = backend._session
    program = built_once(session.context, session.device, session.description, SOURCE, options)
    buffer, found = session.floats(1), bytearray(4)
    session.launch([session.step(cl.Kernel(program, "f"), (1,), (1,), buffer)])
    cl.enqueue_copy(session.queue, found, buffer, is_blocking=True)
    return int.from_bytes(found, "little")


@pytest.mark.filterwarnings("ignore::pyopencl.CompilerWarning")
def test_a_program_is_compiled_once_for_each_set_of_options(backend: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert [result(backend, (f"-DN={n}",)) for n in (7, 8, 7)] == [7, 8, 7]
    kept = sorted((tmp_path / "breakeven" / "opencl" / "programs").iterdir())
    assert [path.suffix for path in kept] == [".bin", ".bin"]
    written = kept[0].stat().st_mtime_ns
    for path in kept[1:]:
        path.write_bytes(b"damaged")
    assert {result(backend, (f"-DN={n}",)) for n in (7, 8)} == {7, 8}
    assert kept[0].stat().st_mtime_ns == written
    assert kept[1].read_bytes() != b"damaged"


@pytest.mark.filterwarnings("ignore::pyopencl.CompilerWarning")
@pytest.mark.filterwarnings("ignore:PyOpenCL compiler caching failed")
def test_without_a_folder_it_compiles_each_time(backend: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert result(backend, ("-DN=3",)) == 3


@pytest.mark.parametrize("kernel", ["direct_sparse", "im2col_gemm"])
def test_a_home_that_cannot_be_written_still_computes(backend: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kernel: str) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(backend._session, "_programs", {})
    problem = Problem.parse("ic2ih5oc3kh3ph1")
    y = backend.prepare(problem, np.ones(problem.weight_shape, np.float32), kernel).run(np.ones(problem.input_shape, np.float32))
    assert y[0, 0, 2, 2] == 18
