"""Every shipped experiment composes, alone and with the words that its comment gives."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import conf
from harness.cli.argv import rewrite
from harness.cli.compose import compose_job, expand, experiment_sweep, register, register_parts
from harness.plugins import host

EXPERIMENTS = sorted((Path(conf.__file__).parent / "experiment").glob("*.yaml"))
COMMANDS = [(file.stem, line) for file in EXPERIMENTS for line in re.findall(r"#   python -m harness -m (.*)", file.read_text())]


@pytest.mark.parametrize(("name", "line"), COMMANDS)
def test_the_commands_of_an_experiment_compose(name, line):
    register()
    register_parts()
    words = rewrite(shlex.split(line.partition("&&")[0]), host().default_backend)
    for job in expand([*words, *experiment_sweep(words)]):
        config = compose_job(job)
        assert config.task == "prune" and f"+experiment={name}" in words
        assert config.net["name"] == "alexnet_small" and config.dataset["name"] == "fashion_mnist" and config.train.skip_finished
        assert config.pruner is not None and config.backend is not None


def test_every_experiment_says_how_to_run_it():
    assert {name for name, _ in COMMANDS} == {file.stem for file in EXPERIMENTS} == {"budget", "ci", "study", "hyper"}


@pytest.mark.parametrize("page", ["pruning.md", "sweeps.md"])
def test_the_commands_of_the_documents_compose(repository, page):
    register()
    register_parts()
    blocks = re.findall(r"```sh\n(.*?)```", (repository / "docs" / page).read_text(), re.DOTALL)
    commands = re.findall(r"^python -m harness (.*?)(?:\s+#.*)?$", "\n".join(blocks), re.MULTILINE)
    assert len(commands) >= 2
    for command in commands:
        words = [word for word in rewrite(shlex.split(command), host().default_backend) if word != "-m"]
        for job in expand([*words, *experiment_sweep(words)]):
            assert compose_job(job).task in ("prune", "study")


def sweep(*words: str) -> list[list[str]]:
    register()
    register_parts()
    read = rewrite(["task=prune", *words], host().default_backend)
    return expand([*read, *experiment_sweep(read)])


def test_an_experiments_own_sweep_is_counted_and_given_way():
    assert len(sweep("+experiment=study", "pruner=gmp", "pruner.density=0.05,0.1,0.2")) == 27
    assert len(sweep("+experiment=study", "pruner=gmp", "seed=5", "guide=gsl,none")) == 2
    (job,) = sweep("+experiment=ci", "guide=budget", "guide.target=0.4", "dataset=shapes", "pruner=dns")
    config = compose_job(job)
    assert config.guide["name"] == "budget" and config.guide["target"] == 0.4
    assert config.dataset["name"] == "shapes" and config.pruner["name"] == "dns" and config.net["width"] == 0.5
    targets = {compose_job(job).guide["target"] for job in sweep("+experiment=budget", "pruner=gmp", "seed=1")}
    assert targets == {0.2, 0.3, 0.5}
