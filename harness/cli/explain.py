"""Hydra's errors as short messages: what was found, what is allowed, what was perhaps meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hydra import compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from harness.config import RunConfig
from harness.contract import InputError
from harness.plugins import host
from harness.suggest import did_you_mean

_GROUPS = ("backend", "network", "weights")
_TYPES = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false", "String": "text"}
_OPTIONS = re.compile(r"Could not find '(\w+)/([^']*)'.*?Available options in '\w+':(.*?)(Config search|$)")
_TWICE = re.compile(r"Multiple values for (\w+)|(\w+) appears more than once")


def parse_words(words: Sequence[str]) -> list[Override]:
    """``words`` as Hydra's overrides; raises :class:`InputError` that names the one that cannot be read."""
    parser, parsed = OverridesParser.create(), []
    for word in words:
        try:
            override = parser.parse_overrides([word])[0]
        except HydraException:
            allowed = "KEY=VALUE, with quotes around special characters: KEY=\"'VALUE'\""
            raise InputError(f"cannot read the argument {word!r}; allowed: {allowed}") from None
        if not override.key_or_group:
            raise InputError(f"the argument {word!r} has no key; allowed: KEY=VALUE")
        _check_group(override)
        parsed.append(override)
    return parsed


def parse_single(words: Sequence[str]) -> list[Override]:
    """As :func:`parse_words`; refuses several values for one key, which only a sweep can take."""
    parsed = parse_words(words)
    for override in parsed:
        if override.is_sweep_override():
            key, _, value = str(override.input_line).partition("=")
            raise InputError(
                f"{key.lstrip('+')} has several values, {value}; allowed: a list, {key}=[{value}], or a sweep, -m {key}={value}"
            )
    return parsed


def _check_group(override: Override) -> None:
    """A group takes the name of one of its options."""
    group = override.key_or_group
    if group in _GROUPS and not override.is_delete() and not override.is_sweep_override() and not isinstance(override.value(), str):
        raise InputError(f"{group} is {override.value()!r}; allowed: a name (--help lists them)")


def explain(error: Exception, overrides: Sequence[str]) -> str:
    """What Hydra or OmegaConf found wrong with ``overrides``, in one line; call it while Hydra is initialised."""
    text = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
    if match := re.search(r"Missing mandatory value: (\S+)", text):
        full = re.search(r"full_key: (\S+)", text)
        key = full[1] if full else match[1]
        return f"{key} is missing; allowed: a value, {key}=..."
    text = re.sub(r"\s*(full_key|object_type|reference_type)[:=].*$", "", text)
    if match := _OPTIONS.search(text):
        return _unknown_option(match[1], match[2], match[3].split())
    if match := re.search(r"Key '([^']+)' (?:is )?not in|Could not override '([^']+)'|Could not delete from config\. '([^']+)'", text):
        return _unknown_key(match[1] or match[2] or match[3], overrides)
    if match := _TWICE.search(text):
        group = match[1] or match[2]
        return f"{group} is given more than once; allowed: one {group}="
    if match := re.search(r"Error merging override (\S+)\s*(.*)$", text):
        return _refused(match[1], match[2] or _cause(error), overrides)
    return text


def _unknown_option(group: str, name: str, options: Sequence[str]) -> str:
    if group == "backend":
        try:
            host().spec(name)
        except InputError as error:
            return str(error)
    allowed = ", ".join(options) + (", or the path of a file ending in .yaml" if group == "network" else "")
    return f"unknown {group} {name!r}; allowed: {allowed}.{did_you_mean(name, options)}"


def _refused(word: str, cause: str, overrides: Sequence[str]) -> str:
    key, _, value = word.lstrip("+").partition("=")
    if match := re.search(r"could not be converted to (\w+)", cause):
        return f"{key} is {value!r}; allowed: {_TYPES.get(match[1], match[1])}"
    if "is not a subclass of" in cause:
        below = _keys_below(key, [other for other in overrides if other != word])
        return f"{key} is {value!r}; allowed: values of its own keys: {', '.join(f'{key}.{name}' for name in below)}"
    if "is not Optional" in cause:
        return f"{key} is {value!r}; allowed: a value, or leave {key}= out"
    return f"cannot use {word}: {cause}"


def _cause(error: Exception) -> str:
    """The first line of what lies behind Hydra's own message."""
    return str(error.__cause__ or error).splitlines()[0]


def _unknown_key(key: str, overrides: Sequence[str]) -> str:
    """Say which keys stand where ``key`` was looked for."""
    last = key.rpartition(".")[2]
    words = (word.partition("=")[0].lstrip("+~") for word in overrides)
    word = next((word for word in words if word.rpartition(".")[2] == last), key)
    if word.partition(".")[0] == "hydra":
        return f"unknown key {word!r}; allowed: Hydra's own settings (--hydra-help)"
    parent = word.rpartition(".")[0]
    known = _keys_below(parent, overrides)
    if not known:
        word, last, parent = word.partition(".")[0], word.partition(".")[0], ""
        known = list(RunConfig.__dataclass_fields__)
    return f"unknown key {word!r}; allowed: {', '.join(f'{parent}.{k}' if parent else k for k in known)}.{_meant(parent, last, known)}"


def _meant(parent: str, last: str, known: Sequence[str]) -> str:
    """The suggestion with its parent, so that it can be typed as it stands."""
    full = [f"{parent}.{name}" for name in known] if parent else known
    return did_you_mean(f"{parent}.{last}" if parent else last, full)


def _keys_below(parent: str, overrides: Sequence[str]) -> list[str]:
    """The keys of the configuration's node ``parent`` when nothing in it is overridden."""
    if not parent:
        return []
    try:
        node: object = compose("config", overrides=[word for word in overrides if not word.lstrip("+~").startswith(f"{parent}.")])
    except (HydraException, OmegaConfBaseException):
        return []
    for part in parent.split("."):
        node = node.get(part) if isinstance(node, DictConfig) and part in node else None
    return [str(name) for name in node if name != "name"] if isinstance(node, DictConfig) else []
