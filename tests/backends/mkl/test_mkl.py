"""MKL as a backend: im2col + SGEMM in each of its forms, sparse BLAS on the lowered input, FFT."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util

import pytest

from backends.host import lowering, machine
from backends.mkl import fft, library
from backends.mkl.backend import MklBackend
from backends.mkl.im2col_sgemm import FORMS
from backends.mkl.plugin import environment
from harness.contract import BackendConfig, InputError, Problem

needs_mkl = pytest.mark.skipif(not library.installed().ok, reason=library.installed().reason)


@pytest.fixture(scope="module")
def backend():
    return MklBackend(BackendConfig("mkl"))


@needs_mkl
@pytest.mark.parametrize("variant", FORMS)
def test_every_form_agrees_with_the_reference(agrees, backend, awkward, variant):
    agrees(backend, awkward, "im2col_sgemm", variant=variant)
    agrees(backend, awkward, "im2col_sgemm", variant=variant, bias=False, relu=False, density=1.0)


@needs_mkl
@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
def test_sparse_product_agrees_with_the_reference(agrees, backend, awkward, density):
    agrees(backend, awkward, "csr_mm", density=density)
    agrees(backend, awkward, "csr_mm", density=density, bias=False, relu=False)


@needs_mkl
def test_fft_agrees_with_the_reference_or_says_why_not(agrees, backend, awkward):
    p, support = awkward, backend.supports("fft", awkward)
    assert support.ok == ((p.sh, p.sw, p.dh, p.dw) == (1, 1, 0, 0) and p.ph < p.kh and p.pw < p.kw)
    if not support.ok:
        assert any(word in support.reason for word in ("stride", "dilation", "padding alone"))
        return
    agrees(backend, awkward, "fft")
    agrees(backend, awkward, "fft", bias=False, relu=False, density=1.0)


@needs_mkl
@pytest.mark.parametrize("size", [6, 8, 15, 64])
def test_fft_of_every_tile_agrees(agrees, backend, monkeypatch, size):
    monkeypatch.setattr(fft, "tile_size", lambda problem: size)
    agrees(backend, Problem.parse("g2mb2ic6ih19iw14oc8oh18ow13kh3kw4sh1sw1ph1pw1"), "fft")


@needs_mkl
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ic1ih80oc1kh65", "kernel 65x65; this kernel does up to 64x64"),
        ("ic2ih4oc2kh1ph1", "outputs that see padding alone"),
        ("ic8192ih16oc8192kh3ph1", "transformed weights of"),
    ],
)
def test_fft_refuses_with_a_reason(backend, text, reason):
    assert backend.supports("fft", Problem.parse(text)).reason.startswith(reason)


def test_fft_tiles_grow_with_the_image_and_the_kernel():
    sizes = [fft.tile_size(Problem.parse(f"ic64ih{size}oc64kh3ph1")) for size in (4, 14, 56)]
    assert sizes == sorted(sizes)
    assert fft.tile_size(Problem.parse("ic64ih14oc64kh11ph5")) >= 15
    assert fft.frequencies(8) == 40


@needs_mkl
@pytest.mark.parametrize("kernel", ["im2col_sgemm", "csr_mm", "fft"])
def test_two_threads_agree(agrees, kernel):
    agrees(MklBackend(BackendConfig("mkl"), threads=2), Problem.parse("mb3ic16ih20oc24kh3ph1"), kernel)


@needs_mkl
def test_chosen_form_is_told_and_agrees(agrees, backend):
    problem = Problem.parse("ic64ih13oc96kh3ph1")
    agrees(backend, problem, "im2col_sgemm")
    import numpy as np

    text = backend.prepare(problem, np.ones(problem.weight_shape, np.float32), "im2col_sgemm").explain()
    assert "1 x SGEMM 96 x 169 x 576" in text
    assert any(f"{form} form" in text for form in FORMS)


@needs_mkl
@pytest.mark.parametrize("kernel", ["im2col_sgemm", "csr_mm"])
def test_blocks_of_rows_agree(agrees, backend, monkeypatch, kernel):
    small = dataclasses.replace(machine.this_machine(), caches=(64, 4096, 4096))
    monkeypatch.setattr(lowering, "this_machine", lambda: small)
    for variant in FORMS if kernel == "im2col_sgemm" else (None,):
        options = {} if variant is None else {"variant": variant}
        agrees(backend, Problem.parse("g2mb2ic8ih17iw9oc12oh9ow7kh3kw3sh2sw1ph1pw0"), kernel, **options)


@needs_mkl
def test_unpadded_1x1_needs_no_lowering(backend):
    import numpy as np

    problem = Problem.parse("ic8ih6oc16kh1")
    assert "the image itself" in backend.prepare(problem, np.ones(problem.weight_shape, np.float32)).explain()


@needs_mkl
@pytest.mark.parametrize("kernel", ["im2col_sgemm", "csr_mm", "fft"])
def test_wrong_arrays_are_refused(refuses, backend, kernel):
    refuses(backend, kernel)


@needs_mkl
@pytest.mark.parametrize("kernel", ["im2col_sgemm", "csr_mm", "fft"])
def test_one_plan_serves_many_threads(shares, backend, kernel):
    shares(backend, kernel)


@needs_mkl
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "fast"}, "option variant is 'fast'; allowed: plain, packed, transposed, transposed_packed"),
        ({"tune": 1}, "option tune is 1; allowed: True, False"),
    ],
)
def test_wrong_options_are_refused(backend, options, message):
    import numpy as np

    problem = Problem.parse("ic8ih6oc16kh1")
    with pytest.raises(InputError) as error:
        backend.prepare(problem, np.ones(problem.weight_shape, np.float32), "im2col_sgemm", **options)
    assert message in str(error.value)


@needs_mkl
def test_threads_against_the_sequential_layer(monkeypatch):
    monkeypatch.setenv("MKL_THREADING_LAYER", "SEQUENTIAL")
    with pytest.raises(InputError, match="threads is 2, but MKL_THREADING_LAYER is SEQUENTIAL; allowed: INTEL, or threads=1"):
        MklBackend(BackendConfig("mkl"), threads=2)


@needs_mkl
def test_only_one_kernel_is_the_papers_baseline(backend):
    assert [spec.name for spec in backend.kernels() if spec.paper_baseline] == ["im2col_sgemm"]
    assert set(backend.versions()) == {"mkl", "mkl-service"}


def test_environment_follows_the_thread_count():
    assert environment(1) == {"MKL_THREADING_LAYER": "SEQUENTIAL"}
    assert environment(2)["MKL_THREADING_LAYER"] == "INTEL"


def _absent(name):
    raise importlib.metadata.PackageNotFoundError(name)


def test_absent_mkl_names_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "files", _absent)
    assert MklBackend.available(BackendConfig()).reason == "MKL is not installed; the extra 'mkl' brings it, on x86-64 Linux and Windows"
    library.load_library.cache_clear()
    with pytest.raises(InputError, match="the extra 'mkl'"):
        MklBackend(BackendConfig())


@needs_mkl
def test_absent_thread_control_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert MklBackend.available(BackendConfig()).reason.startswith("mkl-service is not installed")
