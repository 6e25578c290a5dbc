"""Good input: what is composed from it, and short runs from the first word to the last."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.cli.argv import rewrite
from harness.cli.compose import compose_job, expand, register
from harness.config import RunConfig
from harness.plugins import host

QUICK = ("baselines=none", "measure.repetitions=1", "measure.cold=0")


def composed(*words):
    register()
    return compose_job(rewrite(words, host().default_backend))


def test_the_default_job():
    config = composed()
    assert config.task == "bench" and config.backend["name"] == "cpu" and config.network["name"] == "alexnet"
    assert (config.batch, config.threads, config.density, config.baselines) == (1, 1, None, "auto")
    assert config.weights["kind"] == "random"


def test_values_and_lists():
    config = composed("+backend=reference", "batch=16", "threads=2", "density=[0.05,0.1,0.3]", "network=googlenet", "measure.cold=0")
    assert (config.batch, config.threads, config.density, config.measure.cold) == (16, 2, [0.05, 0.1, 0.3], 0)
    assert config.network["name"] == "googlenet" and config.backend == {"name": "reference"}


def test_descriptors_keep_quotes_and_colons():
    text = 'g2mb1ic96ih27oc256oh27kh5ph2n"alexnet:conv2, it\'s (1)"'
    assert composed("backend=reference", f"problem={text}").problem == text


def test_options_for_kernels():
    assert composed("options.tile=3", "+options.variant=x").options == {"tile": 3, "variant": "x"}
    assert composed("options={tile: 3}").options == {"tile": 3}


def test_single_files_of_weights():
    assert composed("weights=files", "weights.layers.conv1=a.npz", "weights.layers={conv2: b.npz}").weights["layers"] == {
        "conv1": "a.npz",
        "conv2": "b.npz",
    }


def test_a_sweep_is_every_combination():
    assert expand(["+backend=a,b", "density=0.1,0.2", "threads=1"]) == [
        [f"+backend={b}", f"density={d}", "threads=1"] for b in "ab" for d in ("0.1", "0.2")
    ]


def rows(folder: Path):
    (path,) = folder.glob("results/*/record.json")
    return json.loads(path.read_text())["rows"]


def test_a_network_of_ones_own(call, tmp_path):
    layers = "- {problem: 'ic2ih5oc3kh3n\"a\"', density: 0.5}\n- {problem: 'ic2ih4oc2kh1n\"b\"', density: null}\n"
    (tmp_path / "my net.yaml").write_text(f"name: mine\nsource: me\nlayers:\n{layers}")
    result = call("backend=reference", "network=my net.yaml", *QUICK)
    assert result["code"] == 0, result
    found = rows(tmp_path)
    assert [(row["layer"], row["status"]) for row in found] == [("a", found[0]["status"]), ("b", "skipped")]
    assert found[0]["status"] in ("passed", "mistrusted") and found[0]["density"] == 0.5
    assert found[1]["reason"].startswith("no published density")
    assert "1 of 2 convolutions" in result["out"].splitlines()[0]


def test_a_file_of_problems_at_several_batches_and_densities(call, tmp_path):
    (tmp_path / "list").write_text('# two\nic2ih5oc3kh3n"a # 1"\nmb3ic2ih4oc4kh1 density=0.25\n')
    result = call("+backend=reference", "problems=list", "batch=[1,2]", "threads=2", "density=[0.5,1]", "report=csv", *QUICK)
    assert result["code"] == 0, result
    keys = [(row["layer"], row["batch"], row["density"], row["threads"]) for row in rows(tmp_path)]
    assert keys == [(name, batch, density, 2) for name in ("a # 1", "layer2") for batch in (1, 2) for density in (0.5, 1)]
    assert len(list(tmp_path.glob("results/*/rows.csv"))) == 1


def test_weights_from_files(call, tmp_path, rng):
    weight = np.where(rng.random((3, 2, 3, 3)) < 0.3, 1.5, 0).astype(np.float32)
    (tmp_path / "w").mkdir()
    np.save(tmp_path / "w" / "a.npy", weight)
    result = call("+backend=reference", "weights=files", "weights.path=w", 'problem=ic2ih5oc3kh3n"a"', *QUICK)
    assert result["code"] == 0, result
    (row,) = rows(tmp_path)
    assert row["density"] == np.count_nonzero(weight) / weight.size and row["pattern"] == "real"
    assert "weights=files" in row["repro"] and "weights.path=w" in row["repro"]


def test_density_zero(call, tmp_path):
    result = call("+backend=reference", "problem=ic2ih5oc3kh3", "density=0", *QUICK)
    assert result["code"] == 0, result
    (row,) = rows(tmp_path)
    assert row["density"] == 0 and row["status"] in ("passed", "mistrusted") and row["useful_gflops"] == 0


def test_a_complete_run_resumed_changes_nothing(call, tmp_path):
    assert call("+backend=reference", "problem=ic2ih5oc3kh3", "density=[0.5,0.6]", *QUICK)["code"] == 0
    (path,) = tmp_path.glob("results/*/record.json")
    before = json.loads(path.read_text())
    result = call(f"resume={path.parent}", "report=csv")
    assert result["code"] == 0
    after = json.loads(path.read_text())
    assert after["rows"] == before["rows"] and after["status"] == "complete"
    assert path.with_name("rows.csv").is_file()


def test_a_run_from_another_machine_is_not_mixed_with_this_one(call, tmp_path):
    assert call("+backend=reference", "problem=ic2ih5oc3kh3", "density=0.5", *QUICK)["code"] == 0
    (path,) = tmp_path.glob("results/*/record.json")
    record = json.loads(path.read_text())
    record["machine"]["cpu"] = "Zilog Z80"
    path.write_text(json.dumps(record))
    result = call(f"resume={path}")
    assert result["code"] == 2 and "Zilog Z80" in result["err"]


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_keys_and_groups(command, flag):
    result = command(flag)
    assert result.returncode == 0 and not result.stderr
    for word in (*RunConfig.__dataclass_fields__, "network: ", "alexnet", "reference", "naughty", "pruner: ", "gmp", "guide: "):
        assert word in result.stdout
    assert list(command.folder.iterdir()) == []


def test_the_command_works_like_the_module():
    script = shutil.which("breakeven", path=str(Path(sys.executable).parent))
    if not script:
        pytest.skip("the breakeven command is not installed beside this Python")
    result = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("breakeven ")
