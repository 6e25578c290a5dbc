"""Sweeps of real jobs: one that fails stops no other, what is finished is not done again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

MODULE = """
import pathlib
from gsl.data.shapes import shapes

class Items:
    def __init__(self, split):
        self.split = split
    def __len__(self):
        return len(self.split)
    def __getitem__(self, i):
        return self.split.images[i], self.split.labels[i]

def birds(root, broken=0):
    if broken and not pathlib.Path(root, "mended").exists():
        raise RuntimeError("the disk is gone")
    data = shapes(160, 50, 50)
    return Items(data.train), Items(data.test)
"""
TINY = ["net=lenet5", "net.width=0.2", "dataset=custom", "dataset.factory=my_data:birds", "train.dense_epochs=1", "train.prune_epochs=1"]
QUICK = ["train.retrain_epochs=1", "baselines=none", "measure.repetitions=1", "measure.cold=0", "train.probes=[0.1,1.0]", "+backend=cpu"]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib", "submitit_local"])
def test_a_failing_job_stops_no_other_and_finished_ones_are_skipped(tmp_path, launcher):
    pytest.importorskip("torch", reason="task=prune needs torch")
    if launcher != "basic":
        pytest.importorskip(
            f"hydra_plugins.hydra_{launcher.partition('_')[0]}_launcher", reason=f"the {launcher} launcher is not installed"
        )
    (tmp_path / "my_data.py").write_text(MODULE)
    words = ["-m", "task=prune", *TINY, *QUICK, "train.measure=false", "train.force=true", "train.skip_finished=true", "guide=skip_ends"]
    words += [f"+dataset.root={tmp_path}", "+dataset.broken=1,0", f"results={tmp_path / 'results'}", f"hydra/launcher={launcher}"]

    def sweep() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "harness", *words]
        env = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, env=env)

    def complete() -> int:
        return sum('"status": "complete"' in file.read_text() for file in (tmp_path / "results").glob("*/record.json"))

    first = sweep()
    assert first.returncode == 1 and complete() == 1, first.stdout + first.stderr
    if launcher != "submitit_local":  # which writes what jobs say into files of its own
        assert "the disk is gone" in first.stderr
    (tmp_path / "mended").touch()
    second = sweep()
    assert second.returncode == 0 and complete() == 2, second.stdout + second.stderr
    assert len(list((tmp_path / "results").glob("*/record.json"))) == 2, "the finished job is not done again"
    assert not list((tmp_path / "results").glob(".sweep-*"))
