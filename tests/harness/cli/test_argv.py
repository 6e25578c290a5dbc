"""What people type and what Hydra reads."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from harness.cli.argv import quote, rewrite


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ([], ["+backend=best"]),
        (["backend=x"], ["+backend=x"]),
        (["+backend=x"], ["+backend=x"]),
        (["++backend=x"], ["+backend=x"]),
        (["-m", "backend=a,b"], ["-m", "+backend=a,b"]),
        (["task=plugins"], ["task=plugins"]),
        (["+task=doctor"], ["task=doctor"]),
        (["resume=a b"], ["resume='a b'"]),
        (["--help"], ["--help"]),
        (["threads=2", "--cfg"], ["+backend=best", "threads=2", "--cfg"]),
        (["-m", "batch=1,16", "threads=2"], ["-m", "+backend=best", "batch=1,16", "threads=2"]),
        (["backend=x", "+density=0.1"], ["+backend=x", "density=0.1"]),
        (["backend=x", "network=my net.yml"], ["+backend=x", "network=file", "network.path='my net.yml'"]),
        (["backend=x", "options.tile=3"], ["+backend=x", "+options.tile=3"]),
        (["backend=x", "weights.layers.a=f.npz"], ["+backend=x", "+weights.layers.a=f.npz"]),
        (
            ["backend=x", "task=prune", "guide=gsl", "net=a", "dataset=b", "pruner=c", "+net.depth=3"],
            ["+backend=x", "task=prune", "+guide=gsl", "+net=a", "+dataset=b", "+pruner=c", "++net.depth=3"],
        ),
        (["backend=x", "experiment=ci", "dataset=b", "guide=none"], ["+backend=x", "+experiment=ci", "dataset=b", "+guide=none"]),
        (["backend=x", "hydra.verbose=true"], ["+backend=x", "hydra.verbose=true"]),
        (["backend=x", 'problem=ic1n"it\'s: x=1"'], ["+backend=x", "problem='ic1n\"it\\'s: x=1\"'"]),
        (["backend=x", "problem='ic1'"], ["+backend=x", "problem='ic1'"]),
    ],
)
def test_rewrite(typed, read):
    assert rewrite(typed, lambda: "best") == read


@pytest.mark.parametrize(
    "text", ["a", "a b", "it's", 'n"a:b"', "a\\b", "x=[1,2]", 'ic3ih4n"c\'d"', "/tmp/a,b (c)", "{a}", "#ü", "$HOME", "a\\\\", "\\\\'"]
)
def test_quoted_text_comes_back_as_it_was(text):
    (override,) = OverridesParser.create().parse_overrides([f"key={quote(text)}"])
    assert override.value() == text
