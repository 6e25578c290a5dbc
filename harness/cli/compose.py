"""Compose the configuration with Hydra and turn its errors into short messages."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import conf
from harness.cli.argv import BACKEND_TASKS
from harness.cli.explain import explain, parse_single, parse_words
from harness.config import RunConfig, check_config, check_keys
from harness.contract import InputError
from harness.contract.record import read_record
from harness.options import build_config
from harness.plugins import host


def config_folder() -> str:
    """Where the shipped configuration lies. Raises :class:`InputError` when another ``conf`` shadows it.

    A path, because Hydra's ``pkg://`` cannot read an editable install.
    """
    folder = Path(conf.__file__ or "").parent
    if not (folder / "config.yaml").is_file():
        raise InputError(
            f"the package 'conf' at {str(folder)!r} is not breakeven's; allowed: run from another folder, or use the breakeven command"
        )
    return str(folder)


def register() -> None:
    """Put the schema and every plugin's backend options where Hydra finds them."""
    store = ConfigStore.instance()
    store.store(name="run_schema", node=RunConfig)
    for name, spec in host().specs().items():
        try:
            store.store(group="backend", name=name, node=spec.config(name=name), provider=name)
        except Exception as error:
            print(f"breakeven: the options of backend {name!r} cannot be given here: {error}", file=sys.stderr)
            store.store(group="backend", name=name, node={"name": name}, provider=name)


def register_parts() -> None:
    """Put the options of every pruner and guide where Hydra finds them."""
    store = ConfigStore.instance()
    for group, specs in (("pruner", host().pruners()), ("guide", host().guides())):
        for name, spec in specs.items():
            options = {f.name: _default(f) for f in dataclasses.fields(spec.config) if f.init}
            store.store(group=group, name=name, node={"name": name, **options}, provider=name)


def _default(field: dataclasses.Field[Any]) -> Any:
    """The default of an option; ??? where there is none, so that Hydra asks for it."""
    if field.default is not dataclasses.MISSING:
        return field.default
    return "???" if field.default_factory is dataclasses.MISSING else field.default_factory()


def compose_job(overrides: Sequence[str]) -> RunConfig:
    """The configuration of one job; raises :class:`InputError` for anything that does not fit."""
    parse_single(overrides)
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_folder(), version_base="1.3"):
        try:
            return typed(compose("config", overrides=list(overrides)))
        except (HydraException, OmegaConfBaseException) as error:
            raise InputError(explain(error, overrides)) from None


def experiment_sweep(words: Sequence[str]) -> list[str]:
    """What the experiment among ``words`` sweeps over (its ``hydra.sweeper.params``), as words, but for keys that are given.

    Raises :class:`InputError` for an unknown experiment.
    """
    chosen = [word for word in words if word.startswith("+experiment=")]
    given = {word.lstrip("+").partition("=")[0] for word in words}
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_folder(), version_base="1.3"):
        try:
            swept = compose("config", overrides=chosen, return_hydra_config=True).hydra.sweeper.params or {}
        except (HydraException, OmegaConfBaseException) as error:
            raise InputError(explain(error, chosen)) from None
    return [f"{key}={value}" for key, value in swept.items() if str(key).lstrip("+") not in given]


def typed(config: DictConfig) -> RunConfig:
    """A composed configuration as :class:`RunConfig`, checked."""
    plain: Any = OmegaConf.to_container(config, resolve=True)
    plain.pop("hydra", None)
    check_keys(plain)
    check_backend_keys(plain.get("backend"))
    try:
        merged = OmegaConf.merge(OmegaConf.structured(RunConfig), plain)
    except OmegaConfBaseException as error:
        raise InputError(explain(error, ())) from None
    result: RunConfig = OmegaConf.to_object(merged)  # type: ignore[assignment]
    if result.backend is None and result.task in BACKEND_TASKS:
        raise host().no_backend()
    check_config(result)
    return result


def resumed_job(overrides: Sequence[str]) -> RunConfig:
    """The configuration that the run at ``resume=PATH`` was started with.

    Raises :class:`InputError` when there is no run, it cannot be resumed, or ``overrides`` would change it.
    """
    given = {str(override.key_or_group): override.value() for override in parse_single(overrides)}
    for key in given:
        if key not in ("resume", "report"):
            raise InputError(f"resume takes its configuration from the run; found also {key!r}; allowed beside it: report=")
    path = str(given["resume"])
    record = read_record(Path(path).expanduser())
    plain = {**record.config, **given, "resume": path}
    return typed(OmegaConf.create(plain))


def check_backend_keys(backend: Any) -> None:
    """Refuse options that the chosen backend does not have."""
    if backend is None:
        return
    if not isinstance(backend, dict) or "name" not in backend:
        raise InputError(f"backend is {backend!r}; allowed: {', '.join(host().specs())}")
    build_config(host().spec(str(backend["name"])), {k: v for k, v in backend.items() if k != "name"})


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """The jobs of a sweep: every combination of the choices, as Hydra's basic sweeper makes them."""
    jobs: list[list[str]] = [[]]
    for override in parse_words(overrides):
        if override.is_sweep_override():
            key = override.get_key_element()
            choices = [f"{key}={value}" for value in override.sweep_string_iterator()]
        else:
            choices = [str(override.input_line)]
        jobs = [[*job, choice] for job in jobs for choice in choices]
    return jobs
