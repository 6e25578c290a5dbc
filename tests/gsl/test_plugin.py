"""Pruners and guides come in through the hooks, built-in ones and a stranger's alike."""

from __future__ import annotations

import importlib.metadata
import sys
import types
from dataclasses import dataclass

import pytest

from gsl import GMP, GuideRules, Unguided
from harness.contract import GuideSpec, PrunerSpec
from harness.hookspecs import hookimpl
from harness.plugins import PluginHost
from perfmodel import InputError

PRUNERS = ["dense", "magnitude", "gmp", "l1", "dns", "group_lasso", "movement", "rigl"]


class EntryPoint:
    """As importlib's, around a module made here."""

    dist = None

    def __init__(self, name: str, module: object) -> None:
        self.name, self._module = name, module

    def load(self) -> object:
        return self._module


@dataclass
class Options:
    share: float = 0.5


def stranger(pruner: str = "theirs", **spec) -> types.ModuleType:
    module = types.ModuleType("stranger")
    module.Mine = dict
    sys.modules["stranger"] = module

    @hookimpl
    def breakeven_pruners():
        return [PrunerSpec(pruner, "stranger:Mine", "made here", **{"contract": 1, "config": Options, **spec})]

    module.breakeven_pruners = breakeven_pruners
    return module


def built_in() -> EntryPoint:
    import gsl.plugin

    return EntryPoint("gsl", gsl.plugin)


def test_the_built_in_ones_are_found():
    host = PluginHost([built_in()])
    assert list(host.pruners()) == PRUNERS
    assert list(host.guides()) == ["none", "skip_ends", "gsl", "budget"]
    assert all(spec.summary for spec in (*host.pruners().values(), *host.guides().values()))
    assert host.part("pruner", {"name": "gmp", "density": 0.3}) == GMP(density=0.3)
    assert host.part("guide", {"name": "gsl", "hold": "floor"}) == GuideRules(hold="floor")
    assert host.part("guide", {"name": "none"}) == Unguided()


def test_the_entry_point_is_installed():
    assert "guided-pruning" in {ep.name for ep in importlib.metadata.entry_points(group="breakeven")}


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_is_made_from_its_defaults(name):
    assert PluginHost([built_in()]).part("pruner", {"name": name}) is not None


def test_a_strangers_pruner_stands_beside_them():
    host = PluginHost([built_in(), EntryPoint("other", stranger())])
    assert [*PRUNERS, "theirs"] == list(host.pruners())
    assert host.part("pruner", {"name": "theirs", "share": 0.25}) == {"share": 0.25}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "gmpp"}, "unknown pruner 'gmpp'; installed: dense, magnitude, gmp"),
        ({"name": "gmp", "densty": 0.1}, "pruner 'gmp' has no option 'densty'; allowed: density, begin, end, every"),
        ({"name": "gmp", "density": "low"}, "option 'density' of pruner 'gmp' is 'low'; allowed: float"),
        ({"name": "l1", "scaled_by": "size"}, "option 'scaled_by' of pruner 'l1' is 'size'; allowed: 'update', 'gradient'"),
        ({"name": "gmp", "density": 0.0}, "density is 0.0; allowed: more than 0, at most 1"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        PluginHost([built_in()]).part("pruner", options)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (lambda: stranger("gmp"), "pruner name 'gmp' is taken by plugin 'gsl'"),
        (lambda: stranger(contract=7), "pruner 'theirs' is written for contract 7; this host speaks 1"),
        (lambda: stranger(config=int), "allowed: a dataclass of options"),
    ],
)
def test_a_strangers_fault_is_its_own(module, message):
    host = PluginHost([built_in(), EntryPoint("other", module())])
    assert list(host.pruners()) == PRUNERS
    (broken,) = [info for info in host.plugins() if info.error]
    assert broken.name == "other" and message in broken.error


def test_a_guide_is_no_pruner():
    module = stranger()
    module.breakeven_pruners = hookimpl(lambda: [GuideSpec("theirs", "stranger:Mine", "", 1, Options)], specname="breakeven_pruners")
    host = PluginHost([EntryPoint("other", module)])
    assert "breakeven_pruners returned a GuideSpec; allowed: PrunerSpec" in host.plugins()[0].error
