"""Find plugins by entry point, load them one by one, and say what went wrong with each."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.metadata
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pluggy

from harness import hookspecs
from harness.contract import CONTRACT_VERSION, Backend, BackendConfig, BackendSpec, GuideSpec, InputError, PrunerSpec
from harness.contract.pruning import PartSpec
from harness.options import build_config, check_options
from harness.suggest import did_you_mean

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
BLOCK_VARIABLE = "BREAKEVEN_BLOCK_PLUGINS"
OWN = "breakeven"
MOST_THREADS = 1024


@dataclass(frozen=True)
class PluginInfo:
    """A plugin as found: what it brings, or why it does not work."""

    name: str
    distribution: str
    version: str
    specs: tuple[BackendSpec, ...] = ()
    pruners: tuple[PrunerSpec, ...] = ()
    guides: tuple[GuideSpec, ...] = ()
    error: str = ""


class PluginHost:
    """The registry. Plugins load on first need, each alone; a broken one stops nothing."""

    def __init__(self, entry_points: Sequence[importlib.metadata.EntryPoint] | None = None) -> None:
        found = importlib.metadata.entry_points(group=hookspecs.GROUP) if entry_points is None else entry_points
        self._entry_points: dict[str, importlib.metadata.EntryPoint] = {}
        self._shadowed: list[PluginInfo] = []
        for entry_point in sorted(found, key=_precedence):
            if (first := self._entry_points.setdefault(entry_point.name, entry_point)) is not entry_point:
                taken = f"the name {entry_point.name!r} is taken by a plugin of {_label(first)[0]}"
                self._shadowed.append(PluginInfo(entry_point.name, *_label(entry_point), error=taken))
        self._blocked = {name for name in os.environ.get(BLOCK_VARIABLE, "").split(",") if name}
        self._loaded: dict[str, PluginInfo] = {}

    def plugins(self) -> tuple[PluginInfo, ...]:
        """Every plugin, loaded or with its error, by name."""
        return (*(self._load(name) for name in self._entry_points), *self._shadowed)

    def specs(self) -> dict[str, BackendSpec]:
        """Every backend that a working plugin brings, by backend name."""
        return {spec.name: spec for info in self.plugins() for spec in info.specs}

    def spec(self, name: str) -> BackendSpec:
        """The backend called ``name``; loads only its own plugin when both share the name.

        Raises :class:`InputError` that lists what exists, or that shows why the plugin failed.
        """
        if not isinstance(name, str):
            raise InputError(f"backend is {name!r}; allowed: one of {', '.join(self.specs())}")
        if name in self._entry_points:
            for spec in self._load(name).specs:
                if spec.name == name:
                    return spec
        if name in (specs := self.specs()):
            return specs[name]
        if name in self._loaded and self._loaded[name].error:
            raise InputError(f"backend {name!r} cannot be used: {self._loaded[name].error}")
        raise InputError(f"unknown backend {name!r}; installed: {', '.join(specs)}.{did_you_mean(name, specs)}")

    def default_backend(self) -> str:
        """The backend that is measured where none is named: one that declares itself the default, ours before a stranger's.

        Raises :class:`InputError` when there is none.
        """
        found = [(info.distribution != OWN, spec.name) for info in self.plugins() for spec in info.specs if spec.default]
        if not found:
            raise self.no_backend()
        return min(found)[1]

    def no_backend(self) -> InputError:
        """What to say where no backend is named."""
        return InputError(f"no backend is given; allowed: backend=NAME with one of {', '.join(self.specs())}")

    def open(self, name: str, threads: int = 1, **options: object) -> Backend:
        """Open a backend; raises :class:`InputError` for unknown names, options or a missing engine."""
        check_threads(threads)
        spec = self.spec(name)
        config = build_config(spec, options)
        factory = self.factory(spec)
        support = factory.available(config)
        if not support.ok:
            hint = f" (pip install 'breakeven[{spec.extra}]')" if spec.extra and "pip install" not in support.reason else ""
            raise InputError(f"backend {name!r} is not available here: {support.reason}{hint}")
        return factory(config, threads)

    def pruners(self) -> dict[str, PrunerSpec]:
        """Every pruner that a working plugin brings, by name."""
        return {spec.name: spec for info in self.plugins() for spec in info.pruners}

    def guides(self) -> dict[str, GuideSpec]:
        """Every guide that a working plugin brings, by name."""
        return {spec.name: spec for info in self.plugins() for spec in info.guides}

    def part(self, kind: str, options: Mapping[str, object]) -> Any:
        """Make the pruner or guide (``kind``) that ``options["name"]`` names, with the other options.

        Raises :class:`InputError` for unknown names and options, or with the reason where it cannot be imported.
        """
        found: Mapping[str, PartSpec] = self.pruners() if kind == "pruner" else self.guides()
        name = str(options.get("name"))
        if name not in found:
            raise InputError(f"unknown {kind} {name!r}; installed: {', '.join(found)}.{did_you_mean(name, found)}")
        given = {key: value for key, value in options.items() if key != "name"}
        check_options(kind, name, found[name].config, given)
        module, _, attribute = found[name].factory.partition(":")
        try:
            factory = getattr(importlib.import_module(module), attribute)
        except Exception as error:
            raise InputError(f"{kind} {name!r} cannot be loaded from {found[name].factory!r}: {error!r}") from error
        try:
            return factory(**given)
        except InputError as error:
            raise InputError(f"{kind} {name!r}: {error}") from None

    def factory(self, spec: BackendSpec) -> type[Backend]:
        """Import the class behind ``spec``; raises :class:`InputError` with the reason when it fails."""
        module, _, attribute = spec.factory.partition(":")
        try:
            factory = getattr(importlib.import_module(module), attribute)
        except Exception as error:
            raise InputError(f"backend {spec.name!r} cannot be loaded from {spec.factory!r}: {error!r}") from error
        if not (isinstance(factory, type) and issubclass(factory, Backend)):
            raise InputError(f"backend {spec.name!r}: {spec.factory!r} is not a subclass of harness.Backend")
        return factory

    def _load(self, name: str) -> PluginInfo:
        if name not in self._loaded:
            entry_point = self._entry_points[name]
            label = _label(entry_point)
            try:
                if name in self._blocked:
                    raise InputError(f"blocked by {BLOCK_VARIABLE}")
                self._loaded[name] = self._register(entry_point.load(), PluginInfo(name, *label))
            except (Exception, SystemExit) as error:  # a plugin may do anything while it is imported
                text = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
                self._loaded[name] = PluginInfo(name, *label, error=text)
        return self._loaded[name]

    def _register(self, module: object, info: PluginInfo) -> PluginInfo:
        """Ask one plugin alone, so that its faults are its own."""
        manager = pluggy.PluginManager(hookspecs.GROUP)
        manager.add_hookspecs(hookspecs)
        manager.register(module, name=info.name)
        manager.check_pending()
        if not manager.get_hookcallers(module):
            raise InputError(f"implements no hook; allowed: {', '.join(sorted(vars(manager.hook)))}, marked with hookimpl")
        specs, pruners, guides = (
            tuple(spec for answer in hook() for spec in answer)
            for hook in (manager.hook.breakeven_backends, manager.hook.breakeven_pruners, manager.hook.breakeven_guides)
        )
        for spec in specs:
            _check_spec(spec)
            self._check_free(spec.name, info.name)
        for kind, brought, allowed in (("pruner", pruners, PrunerSpec), ("guide", guides, GuideSpec)):
            for part in brought:
                _check_part(kind, part, allowed)
                for other in self._loaded.values():
                    if part.name in (taken.name for taken in (other.pruners if kind == "pruner" else other.guides)):
                        raise InputError(f"{kind} name {part.name!r} is taken by plugin {other.name!r}")
        for kind, named in (("backend", specs), ("pruner", pruners), ("guide", guides)):
            names = [spec.name for spec in named]
            if twice := [name for place, name in enumerate(names) if name in names[:place]]:
                raise InputError(f"brings two {kind}s with the name {twice[0]!r}")
        return dataclasses.replace(info, specs=specs, pruners=pruners, guides=guides)

    def _check_free(self, backend: str, plugin: str) -> None:
        """A backend's name belongs to the plugin of the same name, else to the plugin that loads first."""
        owners = [other.name for other in self._loaded.values() if any(backend == taken.name for taken in other.specs)]
        if backend in self._entry_points and backend != plugin:
            owners.append(backend)
        if owners:
            raise InputError(f"backend name {backend!r} is taken by plugin {owners[0]!r}")


def check_threads(threads: object) -> None:
    """Raise :class:`InputError` unless ``threads`` is a number of threads that a process can start."""
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:
        raise InputError(f"threads is {threads!r}; allowed: a whole number from 1 to {MOST_THREADS}")


def _precedence(entry_point: importlib.metadata.EntryPoint) -> tuple[str, bool, str]:
    """By name; of two with one name our own comes first, so that nobody replaces it unseen."""
    owner = _label(entry_point)[0]
    return entry_point.name, owner != OWN, owner


def _label(entry_point: importlib.metadata.EntryPoint) -> tuple[str, str]:
    """Name and version of the distribution that an entry point belongs to."""
    return (entry_point.dist.name, entry_point.dist.version) if entry_point.dist else ("?", "?")


def _check_part(kind: str, spec: object, allowed: type[PartSpec]) -> None:
    if not isinstance(spec, allowed):
        raise InputError(f"breakeven_{kind}s returned a {type(spec).__name__}; allowed: {allowed.__name__}")
    if spec.contract != CONTRACT_VERSION:
        raise InputError(f"{kind} {spec.name!r} is written for contract {spec.contract}; this host speaks {CONTRACT_VERSION}")
    if not dataclasses.is_dataclass(spec.config):
        raise InputError(f"{kind} {spec.name!r}: config is {spec.config!r}; allowed: a dataclass of options")


def _check_spec(spec: object) -> None:
    if not isinstance(spec, BackendSpec):
        raise InputError(f"breakeven_backends returned a {type(spec).__name__}; allowed: BackendSpec")
    if spec.contract != CONTRACT_VERSION:
        raise InputError(f"backend {spec.name!r} is written for contract {spec.contract}; this host speaks {CONTRACT_VERSION}")
    if not (isinstance(spec.name, str) and _NAME.fullmatch(spec.name)):
        raise InputError(f"backend name {spec.name!r} cannot be used; allowed: letters, digits, _ and -, a letter first")
    if not (isinstance(spec.config, type) and issubclass(spec.config, BackendConfig)):
        raise InputError(f"backend {spec.name!r}: config is {spec.config!r}; allowed: a dataclass derived from BackendConfig")
    try:
        spec.config(name=spec.name)
    except TypeError as error:
        raise InputError(f"backend {spec.name!r}: every field of its config needs a default ({error})") from None


@functools.cache
def host() -> PluginHost:
    """The plugin host of this process."""
    return PluginHost()
