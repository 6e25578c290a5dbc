"""Bad input: one short message that names what was found and what is allowed, exit code 2, no traceback, nothing left."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.main import main

TINY = ("backend=reference", "baselines=none", "problem=ic3ih4oc2kh1", "density=0.5")
KEYS = "allowed: task, backend, network, weights, problem"


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["problm=x"], ["unknown key 'problm'", KEYS, "Did you mean 'problem'?"]),
        (["+problm=x"], ["unknown key 'problm'", KEYS, "Did you mean 'problem'?"]),
        (["++problm=x"], ["unknown key 'problm'", "Did you mean 'problem'?"]),
        (["foo.bar=1"], ["unknown key 'foo'", KEYS]),
        (["~foo"], ["unknown key 'foo'", KEYS]),
        (["measure.repetition=3"], ["unknown key 'measure.repetition'", "allowed: measure.repetitions, measure.cold, measure.timeout_s"]),
        (["+measure.repetition=3"], ["unknown key 'measure.repetition'", "Did you mean 'measure.repetitions'?"]),
        (["network.nme=x"], ["unknown key 'network.nme'", "network.layers"]),
        (["weights.patern=x"], ["unknown key 'weights.patern'", "weights.pattern", "Did you mean 'weights.pattern'?"]),
        (["hydra.foo=3"], ["unknown key 'hydra.foo'; allowed: Hydra's own settings"]),
        ([*TINY, "backend.isa=avx2"], ["unknown key 'backend"]),
        (["threads=two"], ["threads is 'two'; allowed: a whole number"]),
        (["threads=1.5"], ["threads is '1.5'; allowed: a whole number"]),
        (["threads=0"], ["threads is 0; allowed: a whole number from 1 to 1024"]),
        (["threads=99999999999"], ["threads is 99999999999; allowed: a whole number from 1 to 1024"]),
        ([*TINY[:3], "density=0.5", "batch=[]"], ["batch is []; allowed: a whole number or a list"]),
        ([*TINY[:2], "problem=ic2147483647ih1oc2147483647kh1", "density=0.5"], ["not enough memory", "allowed: a smaller problem"]),
        (["+threads=0"], ["threads is 0"]),
        (["threads=null"], ["threads is 'null'; allowed: a value, or leave threads= out"]),
        (["measure.timeout_s=soon"], ["measure.timeout_s is 'soon'; allowed: a number"]),
        (["measure=3"], ["measure is '3'; allowed: values of its own keys: measure.repetitions, measure.cold"]),
        (["density=2"], ["density is 2; allowed: numbers from 0 to 1"]),
        (["density=[0.1,x]"], ["density is 'x'"]),
        (["density=0.1,0.2"], ["density has several values, 0.1,0.2", "density=[0.1,0.2]", "-m density=0.1,0.2"]),
        (["batch=0"], ["batch is 0; allowed: a whole number of at least 1"]),
        (["network=alexnt"], ["unknown network 'alexnt'; allowed: alexnet", "Did you mean 'alexnet'?"]),
        (["network=/tmp"], ["unknown network '/tmp'", "or the path of a file ending in .yaml"]),
        (["+network=alexnt"], ["unknown network 'alexnt'", "Did you mean 'alexnet'?"]),
        (["network=lenet", "network=alexnet", "layers=conv9"], ["layers: no layer 'conv9'; allowed: conv1, conv2", "Did you mean 'conv"]),
        (["network=[a]"], ["network is ['a']; allowed: a name"]),
        (["network=/no/such/file.yaml"], ["network: there is no file '/no/such/file.yaml'"]),
        (["weights=file"], ["unknown weights 'file'; allowed: files, random", "Did you mean 'files'?"]),
        (["weights=files"], ["weights.path is None; allowed:"]),
        (["weights=files", "weights.path=/no/such"], ["no file or folder '/no/such'"]),
        (["weights.pattern=even"], ["weights.pattern is 'even'; allowed: uniform"]),
        (["backend=refernce"], ["unknown backend 'refernce'", "reference", "Did you mean 'reference'?"]),
        (["+backend=refernce"], ["unknown backend 'refernce'", "Did you mean 'reference'?"]),
        (["++backend=refernce"], ["unknown backend 'refernce'"]),
        (["backend=null"], ["backend is None; allowed: a name"]),
        (["~backend"], ["no backend is given; allowed: backend=NAME"]),
        (["backend=reference", "backend=replay"], ["backend is given more than once"]),
        ([*TINY, "kernels=dirct"], ["kernels: backend 'reference' has no kernel 'dirct'; allowed: direct. Did you mean 'direct'?"]),
        ([*TINY, "options.tile=3"], ["options: no chosen kernel of 'reference' has 'tile'"]),
        ([*TINY, "options={tile:3}"], ["options: no chosen kernel of 'reference' has 'tile'"]),
        (["options=3"], ["options is 3; allowed: a mapping"]),
        (["backend=reference", "baselines=mlk", *TINY[2:]], ["baselines: no engine 'mlk'; allowed: auto, none", "Did you mean 'mkl'?"]),
        (["task=benchmark"], ["task is 'benchmark'; allowed: bench", "Did you mean 'bench'?"]),
        (["problem=ic3"], ["problem 'ic3' lacks ih, oc, kh"]),
        (["problem=ic3ih4oc2kh1zz3"], ["cannot read 'zz3'", "allowed letters: g mb ic"]),
        (["problem=ic3ih4oc2kh9"], ["problem"]),
        (["problem="], ["problem is empty"]),
        (["problem=ic3ih4oc2kh1"], ["nothing to measure", "give density="]),
        (["problems=/no/such"], ["problems: there is no file '/no/such'"]),
        (["problems=/"], ["problems: '/' cannot be read as text"]),
        ([*TINY[:3], "density=[]"], ["density is []; allowed: one or more, or leave density= out"]),
        ([*TINY, "kernels=[]"], ["kernels is []; allowed: one or more"]),
        (["task=study", "results=/no/such"], ["results: there is no folder '/no/such'; allowed: the folder of a study's runs"]),
        (["problem=ic3ih4oc2kh1", "problems=x"], ["problem and problems are both given"]),
        (["problem=${foo}"], ["foo"]),
        (["report=xls"], ["report is 'xls'; allowed for task=bench: csv"]),
        (["task=project", "report=csv"], ["report is 'csv'; allowed for task=project: plots"]),
        (["job=a/b"], ["job is 'a/b'; allowed: letters"]),
        (["seed=-1"], ["seed is -1"]),
        (["results="], ["results is empty"]),
        (["resume="], ["resume is empty"]),
        (["resume=/no/such"], ["no record at '/no/such", "allowed: a run folder or its record.json"]),
        (["resume=/no/such", "batch=3"], ["resume takes its configuration from the run; found also 'batch'; allowed beside it: report="]),
        (["resume=/no/such", "backend=cpu"], ["found also 'backend'"]),
        (["-m", "resume=a,b"], ["resume goes on with one run"]),
        (["-m", "backend=reference,refernce"], ["unknown backend 'refernce'"]),
        (["-m", *TINY[:3], "density=0.1,7"], ["density is 7"]),
        (["--cfg", "job", "problm=3"], ["unknown key 'problm'"]),
        (["--cfg"], ["--cfg is ''; allowed: job, hydra, all"]),
        (["--cfg=jobb"], ["--cfg is 'jobb'; allowed: job, hydra, all"]),
        (["--hlep"], ["unknown flag '--hlep'; allowed: --help", "Did you mean '--help'?"]),
        (["--config-dir=/tmp"], ["unknown flag '--config-dir=/tmp'"]),
        (["benchmark"], ["cannot read the argument 'benchmark'; allowed: KEY=VALUE"]),
        (["=3"], ["the argument '=3' has no key"]),
        (["density=[0.1"], ["cannot read the argument 'density=[0.1'; allowed: KEY=VALUE, with quotes"]),
        (["density='"], ["cannot read the argument"]),
        (["a b=3"], ["cannot read the argument 'a b=3'"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value and len(value) < 4 else None,
)
def test_bad_input(call, tmp_path, words, parts):
    result = call(*words)
    assert result["code"] == 2, result
    assert result["out"] == ""
    message = result["err"].strip()
    assert message.startswith("breakeven: ") and "\n" not in message and len(message) < 400
    for part in parts:
        assert part in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [("--version",), ("task=plugins",)])
def test_output_that_nobody_takes(tmp_path, words):
    with Path("/dev/full").open("w") as full:
        arguments = [sys.executable, "-m", "harness", *words]
        done = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=300, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr == "breakeven: the system refused: No space left on device\n"


def test_no_weights_for_a_layer(call, tmp_path):
    result = call(*TINY[:3], "weights=files", f"weights.path={tmp_path}")
    assert result["code"] == 2 and "no weights for it" in result["err"] and "give a file layer1.npz, say" in result["err"]


def test_a_broken_plugin_is_told_when_it_is_asked_for(command):
    result = command("backend=raises", "problem=ic3ih4oc2kh1", "density=0.5")
    assert result.returncode == 2
    assert "backend 'raises' cannot be used: OSError: libstrange.so.3" in result.stderr


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", "null", '{"schema": "breakeven.record/2"}', '{"schema": "breakeven.record/1"}', "\x00"],
)
def test_what_cannot_be_resumed(call, tmp_path, content):
    (tmp_path / "record.json").write_text(content)
    result = call("resume=record.json")
    assert result["code"] == 2 and "record.json" in result["err"]


@pytest.mark.parametrize(
    "change", [{"config": []}, {"config": {"task": "bench"}}, {"rows": None}, {"rows": [1]}, {"config": {"problm": 1}}]
)
def test_a_record_that_was_changed_by_hand(call, tmp_path, change):
    import json

    record = {"schema": "breakeven.record/1", "task": "bench", "status": "interrupted", "created": "", "machine": {}, "versions": {}}
    (tmp_path / "record.json").write_text(json.dumps({**record, "config": {}, "rows": [], **change}))
    result = call("resume=.")
    assert result["code"] == 2 and result["err"].startswith("breakeven: ")


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version(capsys, flag):
    import harness

    assert main([flag]) == 0
    assert capsys.readouterr().out == f"breakeven {harness.__version__}\n"
