"""``task=plugins`` and ``task=doctor`` with strangers of every kind installed."""

import pytest


def lines_of(text: str, name: str) -> str:
    """The table's lines that begin with ``name``, and those below that continue it, as one."""
    found, taking = [], False
    for line in text.splitlines():
        taking = line.strip().startswith(name) or (taking and line.startswith("      "))
        found += [line] if taking else []
    return " ".join(" ".join(found).split())


@pytest.fixture(scope="module")
def listing(tmp_path_factory, make_command):
    command = make_command(tmp_path_factory.mktemp("listing"))
    command.environment |= {"COLUMNS": "260", "BREAKEVEN_BLOCK_PLUGINS": "mkl,onednn,onnxruntime,opencl,openvino,replay,cpu"}
    command.environment["STRANGE_SLEEP"] = "0"
    return command("task=plugins"), command("task=doctor"), command


def test_nothing_stops_the_list(listing):
    plugins, doctor, command = listing
    assert plugins.returncode == doctor.returncode == 0
    assert list(command.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        ("reference", ["breakeven", "direct (dense)"]),
        ("naughty", ["strange 1.2.3", "good (direct_sparse)"]),
        ("raises", ["OSError: libstrange.so.3", "[x]"]),
        ("exits", ["SystemExit: no licence"]),
        ("misspelt", ["unknown hook 'breakeven_backend'"]),
        ("outdated", ["contract 99"]),
        ("thief", ["taken by plugin 'reference'"]),
        ("mkl", ["blocked by BREAKEVEN_BLOCK_PLUGINS"]),
    ],
)
def test_every_plugin_is_listed_with_its_error(listing, plugin, words):
    text = lines_of(listing[0].stdout, plugin)
    for word in words:
        assert word in text


def test_backends_that_do_not_open_are_listed_with_the_reason(listing):
    text = " ".join(listing[0].stdout.split())
    assert "no module named absent" in text and "killed by SIGABRT" in text and "KeyError" in text


def test_the_doctor_says_what_works(listing):
    text = listing[1].stdout
    assert "works    reference" in text and "works    honest" in text
    assert "not here absent: backend 'absent' is not available here: no module named absent (pip install 'breakeven[absent-extra]')" in text
    assert "broken   liar: do_nothing: output[" in text and "works    naughty" in text
    assert "broken   crasher: crasher worker was killed by SIGABRT during open: about to abort" in text
    assert "broken   raises (strange 1.2.3): OSError: libstrange.so.3: cannot open shared object file [x]" in text
    assert "these work: " in text.splitlines()[-1] and "reference" in text.splitlines()[-1]
