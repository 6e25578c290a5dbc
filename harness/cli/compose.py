"""Compose the configuration with Hydra and turn its errors into short messages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import conf
from harness.config import MeasureConfig, RunConfig, check_config, check_keys
from harness.contract import InputError
from harness.contract.record import read_record
from harness.options import build_config
from harness.plugins import host
from harness.suggest import did_you_mean


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
        store.store(group="backend", name=name, node=spec.config(name=name), provider=name)


def compose_job(overrides: Sequence[str]) -> RunConfig:
    """The configuration of one job; raises :class:`InputError` for anything that does not fit."""
    try:
        GlobalHydra.instance().clear()
        with initialize_config_dir(config_folder(), version_base="1.3"):
            return typed(compose("config", overrides=list(overrides)))
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(explain(error, overrides)) from None


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
    check_config(result)
    return result


def resumed_job(path: str, overrides: Sequence[str]) -> RunConfig:
    """The configuration that the run at ``path`` was started with.

    Raises :class:`InputError` when there is no run, it cannot be resumed, or ``overrides`` would change it.
    """
    for word in overrides:
        if not word.startswith(("resume=", "report=", "+backend=cpu")):
            raise InputError(f"resume takes its configuration from the run; found also {word!r}; allowed beside it: report=")
    record = read_record(path)
    plain = {**record.config, "resume": path}
    for word in overrides:
        if word.startswith("report="):
            plain["report"] = word.partition("=")[2]
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
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise InputError(explain(error, overrides)) from None
    jobs: list[list[str]] = [[]]
    for override in parsed:
        if override.is_sweep_override():
            key = override.get_key_element()
            choices = [f"{key}={value}" for value in override.sweep_string_iterator()]
        else:
            choices = [str(override.input_line)]
        jobs = [[*job, choice] for job in jobs for choice in choices]
    return jobs


def explain(error: Exception, overrides: Sequence[str]) -> str:
    """Hydra's message in one line, with the allowed values and a suggestion."""
    text = " ".join(
        line.strip()
        for line in str(error).splitlines()
        if line.strip() and not line.startswith(("full_key", "    full_key", "    object_type"))
    )
    text = re.sub(r"\s*(full_key|object_type|reference_type)[:=].*$", "", text)
    if match := re.search(r"Could not find '(\w+)/([^']*)'.*?Available options in '\w+':(.*?)(Config search|$)", text):
        group, name, options = match[1], match[2], match[3].split()
        return f"unknown {group} {name!r}; allowed: {', '.join(options)}.{did_you_mean(name, options)}"
    if match := re.search(r"Key '([^']+)' (?:is )?not in|Could not override '([^']+)'", text):
        return _unknown_key(match[1] or match[2], overrides)
    if match := re.search(r"Error merging override (\S+)\s*(.*)$", text):
        return f"cannot use {match[1]}: {match[2] or _cause(error)}"
    if "mismatched input" in text or "no viable alternative" in text or "token recognition" in text or "extraneous input" in text:
        return f"cannot read the argument: {text}. Quote values with special characters: key=\"'value'\""
    return text


def _cause(error: Exception) -> str:
    """The first line of what lies behind Hydra's own message."""
    return str(error.__cause__ or error).splitlines()[0]


def _unknown_key(key: str, overrides: Sequence[str]) -> str:
    """Say which keys stand where ``key`` was looked for."""
    word = next(
        (w.partition("=")[0].lstrip("+~") for w in overrides if w.partition("=")[0].split(".")[-1] == key.rsplit(".", maxsplit=1)[-1]), key
    )
    group, dot, last = word.rpartition(".")
    if group == "measure":
        known = list(MeasureConfig.__dataclass_fields__)
    elif group == "backend":
        name = next((w.partition("=")[2] for w in overrides if w.startswith("+backend=")), "")
        known = [f for f in host().spec(name).config.__dataclass_fields__ if f != "name"]
    elif group:
        return f"unknown key {word!r}; show the keys of {group!r} with --cfg job --package {group}"
    else:
        known = list(RunConfig.__dataclass_fields__)
    return f"unknown key {word!r}; allowed: {', '.join(group + dot + k for k in known) or 'none'}.{did_you_mean(last, known)}"
