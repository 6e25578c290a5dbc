"""Each plugin loads alone; whatever is wrong with one is told and stops nothing."""

import importlib.metadata
import subprocess
import sys
import types
from dataclasses import dataclass

import pytest

from harness.contract import Backend, BackendConfig, BackendSpec, InputError, Support
from harness.hookspecs import hookimpl
from harness.plugins import BLOCK_VARIABLE, PluginHost


class Able(Backend):
    name = "able"
    specs = ()

    def _prepare(self, request):
        raise AssertionError


class Unable(Able):
    @classmethod
    def available(cls, config):
        return Support(False, "no such device")


@dataclass
class Demanding(BackendConfig):
    """A field without a default behind one with: made by hand."""

    def __init__(self, name, needed):
        self.name, self.needed = name, needed


def spec(name="able", factory="Able", contract=1, **fields):
    return BackendSpec(name, f"{__name__}:{factory}" if ":" not in factory else factory, "x", contract, **fields)


@pytest.fixture
def make_host(monkeypatch):
    """A host of plugins given as ``name=hooks``: hooks are a list of specs, a function, or a mapping of names to functions."""
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or types.SimpleNamespace(**globals()))

    def make(**plugins):
        points = []
        for name, hooks in plugins.items():
            module = types.ModuleType(f"made_up_{name}")
            if isinstance(hooks, dict):
                vars(module).update(hooks)
            else:
                module.breakeven_backends = hookimpl(hooks if callable(hooks) else lambda hooks=hooks: hooks)
            monkeypatch.setitem(sys.modules, module.__name__, module)
            points.append(importlib.metadata.EntryPoint(name, module.__name__, "breakeven"))
        return PluginHost(points)

    return make


def errors(host):
    return {info.name: info.error for info in host.plugins()}


def test_a_good_plugin(make_host):
    host = make_host(able=[spec()])
    assert errors(host) == {"able": ""} and list(host.specs()) == ["able"]
    assert isinstance(host.open("able", 2), Able) and host.open("able", 2).threads == 2


def test_the_default_backend_is_the_one_that_says_so(make_host):
    host = make_host(a=[spec("a")], b=[spec("b", default=True)], c=[spec("c", default=True)])
    assert host.default_backend() == "b"
    with pytest.raises(InputError, match=r"no backend is given; allowed: backend=NAME with one of a$"):
        make_host(a=[spec("a")]).default_backend()


def raises():
    raise OSError("libfoo.so: cannot open")


def late():
    yield spec("late")
    raise KeyError("half way")


@pytest.mark.parametrize(
    ("hooks", "words"),
    [
        (raises, ["OSError: libfoo.so: cannot open"]),
        (late, ["KeyError: 'half way'"]),
        ({}, ["implements no hook; allowed: breakeven_backends"]),
        ({"breakeven_backend": hookimpl(lambda: [])}, ["unknown hook 'breakeven_backend'"]),
        ({"breakeven_backends": hookimpl(lambda wrong: [])}, ["wrong", "breakeven_backends"]),
        ([spec(contract=2)], ["'able' is written for contract 2; this host speaks 1"]),
        (["able"], ["returned a str; allowed: BackendSpec"]),
        ([spec(), spec()], ["two backends with the name 'able'"]),
        ([spec("a/b")], ["backend name 'a/b' cannot be used; allowed: letters"]),
        ([spec("")], ["backend name ''"]),
        ([spec(config=dict)], ["config is <class 'dict'>; allowed: a dataclass derived from BackendConfig"]),
        ([spec(config=Demanding)], ["every field of its config needs a default", "needed"]),
        ([spec("good")], ["backend name 'good' is taken by plugin 'good'"]),
        ([spec("other")], ["backend name 'other' is taken by plugin 'good'"]),
    ],
)
def test_a_bad_plugin_is_told_and_the_good_one_works(make_host, hooks, words):
    host = make_host(good=[spec("good"), spec("other")], odd=hooks)
    assert list(host.specs()) == ["good", "other"]
    found = errors(host)
    assert found["good"] == ""
    for word in words:
        assert word in found["odd"]


def test_the_plugin_of_the_same_name_owns_the_backend_whatever_loads_first(make_host):
    """Also where the thief's name sorts before."""
    for first in ("spec", "specs"):
        host = make_host(able=[spec()], aaa=[spec()])
        assert (host.spec("able") if first == "spec" else host.specs()["able"]).name == "able"
        assert errors(host) == {"aaa": "backend name 'able' is taken by plugin 'able'", "able": ""}


def test_two_entry_points_of_one_name(make_host, tmp_path):
    """Ours wins over a stranger's, and the stranger is told."""
    make_host(able=[spec()])
    for name, module in (("alien", "no_such_module"), ("breakeven", "made_up_able")):
        info = tmp_path / f"{name}-2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\n")
        (info / "entry_points.txt").write_text(f"[breakeven]\nable = {module}\n")
    host = PluginHost([point for dist in importlib.metadata.distributions(path=[str(tmp_path)]) for point in dist.entry_points])
    assert list(host.specs()) == ["able"]
    assert [(info.distribution, info.error) for info in host.plugins()] == [
        ("breakeven", ""),
        ("alien", "the name 'able' is taken by a plugin of breakeven"),
    ]


def test_import_that_exits_or_fails(strangers, monkeypatch):
    monkeypatch.syspath_prepend(str(strangers))
    host = PluginHost(tuple(importlib.metadata.entry_points(group="breakeven")))
    found = errors(host)
    assert found["exits"] == "SystemExit: no licence"
    assert found["raises"].startswith("OSError: libstrange.so.3")
    assert "unknown hook 'breakeven_backend'" in found["misspelt"]
    assert "contract 99" in found["outdated"]
    assert found["thief"] == "backend name 'reference' is taken by plugin 'reference'"
    assert found["reference"] == found["naughty"] == ""
    labels = {info.name: (info.distribution, info.version) for info in host.plugins()}
    assert labels["raises"] == ("strange", "1.2.3") and labels["reference"][0] == "breakeven"


def test_plugins_load_one_by_one(make_host):
    """Asking for a backend that has its plugin's name loads no other plugin."""
    loaded = []
    host = make_host(able=[spec()], other=lambda: loaded.append("other") or [])
    assert host.spec("able").name == "able" and not loaded
    host.specs()
    assert loaded == ["other"]


def test_blocked(make_host, monkeypatch):
    monkeypatch.setenv(BLOCK_VARIABLE, "able,nobody")
    host = make_host(able=[spec()])
    with pytest.raises(InputError, match=f"backend 'able' cannot be used: blocked by {BLOCK_VARIABLE}"):
        host.spec("able")


@pytest.mark.parametrize(
    ("name", "threads", "options", "message"),
    [
        ("abel", 1, {}, "unknown backend 'abel'; installed: able, unable, lost, odd. Did you mean 'able'?"),
        ("unable", 1, {}, r"backend 'unable' is not available here: no such device \(pip install 'breakeven\[gpu\]'\)"),
        ("lost", 1, {}, "backend 'lost' cannot be loaded from 'no_such_module:X': ModuleNotFoundError"),
        ("odd", 1, {}, "'builtins:int' is not a subclass of harness.Backend"),
        ("able", 0, {}, "threads is 0; allowed: a whole number from 1 to 1024"),
        ("able", True, {}, "threads is True"),
        ("able", 1, {"colour": 1}, "backend 'able' has no option 'colour'; allowed: none"),
    ],
)
def test_what_open_refuses(make_host, name, threads, options, message):
    host = make_host(able=[spec(), spec("unable", "Unable", extra="gpu"), spec("lost", "no_such_module:X"), spec("odd", "builtins:int")])
    with pytest.raises(InputError, match=message):
        host.open(name, threads, **options)


def test_import_harness_is_light():
    heavy = ["torch", "mkl", "pyopencl", "hydra", "onnxruntime", "openvino", "rich", "pluggy"]
    code = f"import sys, harness; print([name for name in {heavy} if name in sys.modules], 'Problem' in dir(harness))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[] True"


def test_built_in_plugins_import_no_engine():
    heavy = ["torch", "mkl", "pyopencl", "onnxruntime", "openvino", "onnx"]
    code = f"import sys; from harness.plugins import host; host().specs(); print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
