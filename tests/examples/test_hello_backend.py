"""The example backend as a stranger installs it, and the tutorial that quotes it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "hello-backend"
TUTORIAL = ROOT / "docs" / "writing-a-backend.md"


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """Install the example into a folder of its own; gives a function that runs Python with that folder on the path."""
    pytest.importorskip("setuptools", reason="setuptools builds the example")
    folder = tmp_path_factory.mktemp("stranger")
    source, target = folder / "source", folder / "site"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    command = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(target), str(source)]
    installed = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    if "No module named pip" in installed.stderr:
        pytest.skip("this environment has no pip")
    assert installed.returncode == 0, installed.stderr
    paths = os.pathsep.join([str(target), *filter(None, [os.environ.get("PYTHONPATH")])])

    def python(*arguments: str):
        environment = os.environ | {"PYTHONPATH": paths, "COLUMNS": "200"}
        return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)

    return python


def test_it_is_listed_with_its_kernel(stranger):
    code = "from harness.plugins import host\nfor p in host().plugins(): print(p.name, p.distribution, p.version, repr(p.error), *p.specs)"
    lines = stranger("-c", code).stdout.splitlines()
    toy = next(line for line in lines if line.startswith("toy "))
    assert toy.startswith("toy breakeven-toy 0.1.0 '' BackendSpec(name='toy'")


def test_it_computes_what_the_reference_computes(stranger):
    code = """
import itertools, harness, numpy as np
rng = np.random.default_rng(0)
for text in ("ic3ih8oc4kh3", "g2mb2ic4ih9iw7oc6kh3kw2sh2sw1ph1pw1", "ic1ih5oc1oh3kh4ph1", "g3ic3ih6oc9kh5ph2sh3", "ic2ih3oc2kh1sh2"):
    p = harness.Problem.parse(text)
    w = np.where(rng.random(p.weight_shape) < 0.4, rng.standard_normal(p.weight_shape), 0).astype(np.float32)
    x, b = rng.standard_normal(p.input_shape).astype(np.float32), rng.standard_normal(p.oc).astype(np.float32)
    for bias, relu, kind in itertools.product((None, b), (False, True), ("float32", "float64")):
        toy = harness.open_backend("toy", accumulate=kind).prepare(p, w, bias=bias, relu=relu)
        right = harness.open_backend("reference").prepare(p, w, bias=bias, relu=relu)
        assert np.allclose(toy.run(x), right.run(x), rtol=1e-5, atol=1e-5), text
print("agreed")
"""
    result = stranger("-c", code)
    assert result.stdout.strip() == "agreed", result.stderr


def test_it_is_projected_by_the_papers_model_once_somebody_gives_hardware_numbers(stranger, tmp_path):
    words = ("-m", "harness", "task=project", "+backend=toy", "problem=ic64ih14oc64kh3ph1", "density=0.1")
    refused = stranger(*words)
    assert refused.returncode == 2
    assert "backend 'toy' has no hardware numbers; allowed: hardware=FILE or one of the shipped records" in refused.stderr
    numbers = "  peak_flops: {value: 9 GFLOP/s, provenance: declared}\n  bandwidth: {value: 9 GB/s, provenance: declared}\n"
    file = tmp_path / "d.yaml"
    file.write_text(f"schema: 1\nvendor: V\ndevice: D\nnumbers:\n{numbers}")
    result = stranger(*words, f"hardware={file}")
    words = " ".join(result.stdout.split())
    assert "on V D: the paper's model" in words, result.stderr
    assert "50% (0% to 75%)" in words and "alpha unknown: 2" in words


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("harness.open_backend('toy', accumulate='int8')", "backend.accumulate is 'int8'; allowed: float32, float64"),
        ("harness.open_backend('toy', acumulate='float32')", "Did you mean 'accumulate'?"),
        ("harness.open_backend('toi')", "Did you mean 'toy'?"),
        ("harness.open_backend('toy').hardware()", "backend 'toy' exposes no hardware numbers"),
        ("print(harness.open_backend('toy').supports('shifted_images', harness.Problem.parse('ic1ih9oc1kh3dh1')))", "dilation 1x1"),
    ],
)
def test_messages(stranger, call, message):
    result = stranger("-c", f"import harness\n{call}")
    assert message in result.stdout + result.stderr


def test_the_main_job_measures_and_verifies_it(stranger, tmp_path: Path):
    words = ["problem=ic2ih6oc3kh3", "density=0.3", "baselines=none", "measure.repetitions=1", "measure.cold=0", f"results={tmp_path}"]
    result = stranger("-m", "harness", "+backend=toy", *words)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "shifted_images" in result.stdout and "passed" in result.stdout


def test_it_keeps_the_contracts_promises_and_refusals(stranger):
    """The suite's hundreds of random problems are left to its author; the test above covers its results."""
    suite = ["harness.conformance.test_promises", "harness.conformance.test_refusals"]
    result = stranger("-m", "pytest", "--pyargs", *suite, "-q", "--backend", "toy", "-p", "no:cacheprovider")
    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout


def test_the_tutorial_quotes_the_example_word_for_word():
    module = (EXAMPLE / "breakeven_toy.py").read_text()
    text = TUTORIAL.read_text()
    quoted = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for block in quoted[:-1]:  # the last one uses the backend
        assert block in module
    assert len(quoted) == 8
    assert re.search(r"```toml\n(.*?)```", text, re.DOTALL)[1] in (EXAMPLE / "pyproject.toml").read_text()
    assert len(module.splitlines()) == int(re.search(r"(\d+) lines that install", text)[1]) < 80


def test_the_tutorials_last_example_runs(stranger):
    code = re.findall(r"```python\n(.*?)```", TUTORIAL.read_text(), re.DOTALL)[-1]
    result = stranger("-c", code)
    assert result.returncode == 0 and float(result.stdout) < 1e-5, result.stderr


def test_the_tutorial_names_every_field():
    import dataclasses

    from harness.contract import Backend, BackendSpec, KernelSpec, Limits

    text = TUTORIAL.read_text()
    for schema in (BackendSpec, KernelSpec, Limits):
        for field in dataclasses.fields(schema):
            assert f"`{field.name}`" in text, f"{schema.__name__}.{field.name} is not in the tutorial"
    for name in ("available", "kernels", "hardware", "fma_peak", "device", "devices", "versions", "supports"):
        assert hasattr(Backend, name) and f"`{name}(" in text
