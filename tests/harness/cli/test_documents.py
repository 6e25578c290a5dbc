"""Every command that the documents show is one that the command line takes."""

import re
import shlex
from pathlib import Path

import pytest

from harness.cli.argv import HELP_FLAGS, rewrite
from harness.cli.compose import compose_job, expand, experiment_sweep, register, register_parts
from harness.plugins import host

ROOT = Path(__file__).parents[3]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
SHOWN = re.compile(r"^ *(?:taskset -c \d+ )?python -m harness\b(.*)$|`python -m harness\b([^`]*)`", re.MULTILINE)


def shown():
    """The words of each command that can be composed without a run to go on with."""
    for document in sorted(DOCUMENTS):
        text = document.read_text(encoding="utf-8")
        for match in SHOWN.finditer(text.replace("=NAME", "=cpu")):
            words = shlex.split(match[1] or match[2] or "", comments=True)
            if not any(word in HELP_FLAGS or word.startswith("resume=") for word in words):
                yield pytest.param(words, id=f"{document.name}:{text.count(chr(10), 0, match.start()) + 1}")


def test_the_documents_show_commands():
    assert len(list(shown())) > 20


@pytest.mark.parametrize("words", list(shown()))
def test_the_command_line_takes_it(words):
    if "+backend=toy" in words and "toy" not in host().specs():
        pytest.skip("the example plugin is not installed")
    register()
    register_parts()
    flat = rewrite(words, lambda: "cpu")
    jobs = [[word for word in flat if not word.startswith("-")]]
    if "-m" in flat:
        jobs = expand([*jobs[0], *experiment_sweep(flat)])
    for job in {id(job): job for job in (jobs[0], jobs[-1])}.values():
        assert compose_job(job).task


def test_help_lists_every_key():
    from harness.config import RunConfig

    page = (ROOT / "conf" / "config.yaml").read_text()
    listed = re.findall(r"^        (\w+) {2,}\S", page, re.MULTILINE)
    beside = {"problems", "job"}  # told in the line of problem and of results
    assert set(RunConfig.__dataclass_fields__) - beside <= set(listed), "a key that --help does not tell"
