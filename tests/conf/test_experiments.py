"""Every shipped experiment composes, alone and with the words that its comment gives."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import conf
from harness.cli.argv import rewrite
from harness.cli.compose import compose_job, expand, register, register_parts
from harness.plugins import host

EXPERIMENTS = sorted((Path(conf.__file__).parent / "experiment").glob("*.yaml"))
COMMANDS = [(file.stem, line) for file in EXPERIMENTS for line in re.findall(r"#   python -m harness -m (.*)", file.read_text())]


@pytest.mark.parametrize(("name", "line"), COMMANDS)
def test_the_commands_of_an_experiment_compose(name, line):
    register()
    register_parts()
    words = rewrite(shlex.split(line.partition("&&")[0]), host().default_backend)
    for job in expand(words):
        config = compose_job(job)
        assert config.task == "prune" and f"+experiment={name}" in words
        assert config.net["name"] == "alexnet_small" and config.dataset["name"] == "fashion_mnist" and config.train.skip_finished
        assert config.pruner is not None and config.backend is not None


def test_every_experiment_says_how_to_run_it():
    assert {name for name, _ in COMMANDS} == {file.stem for file in EXPERIMENTS} == {"ci", "study", "hyper"}
