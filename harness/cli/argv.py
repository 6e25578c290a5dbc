"""Small courtesies before Hydra sees the arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

import conf

HELP_FLAGS = ("--help", "-h", "--hydra-help", "--info", "-i", "--shell-completion", "-sc")
BACKEND_TASKS = ("bench", "breakeven", "calibrate", "project", "validate", "prune")
PRUNE_DEFAULTS = {"net": "alexnet_small", "dataset": "shapes", "pruner": "gmp", "guide": "gsl"}
_QUOTED_KEYS = ("problem", "problems", "resume", "results", "hardware", "weights.path", "backend.path")
_OPEN = ("options.", "weights.layers.")
_OWN = ("net.", "dataset.")  # arguments of a user's own factory, which no schema knows
_YAML = re.compile(r"\.ya?ml$")


def rewrite(arguments: Sequence[str], default_backend: Callable[[], str]) -> list[str]:
    """Accept what people type.

    A plus matters only before arguments of one's own factory under ``net`` and ``dataset``. Hydra needs one before ``backend`` (not
    in its defaults list) and before new keys of ``options`` and ``weights.layers``, and none elsewhere. No backend becomes the
    default where the task measures one, and the prune task's parts become theirs, or replace those of an experiment;
    ``network=my.yaml`` chooses the file; descriptors and paths are quoted for Hydra's grammar.
    """
    pruning = "task=prune" in arguments
    words = [_rewrite_one(re.sub(r"^\+?network\b", "net", word) if pruning else word) for word in arguments]
    flat = [word for group in words for word in group]
    brought = {group for word in flat if word.startswith("+experiment=") for group in _brought(word.partition("=")[2])}
    flat = [word[1:] if word.startswith("+") and word[1:].partition("=")[0] in brought else word for word in flat]
    task = next((word.partition("=")[2] for word in flat if word.startswith("task=")), "bench")
    chosen = any(word.startswith(("+backend=", "resume=")) and word != "resume=" for word in flat)
    asks = any(word in HELP_FLAGS or (word.startswith("resume=") and word != "resume=") for word in flat)
    added = [f"+backend={default_backend()}"] if task in BACKEND_TASKS and not chosen and not asks else []
    if pruning and not asks and not any(word.startswith("+experiment=") for word in flat):
        added += [f"+{key}={name}" for key, name in PRUNE_DEFAULTS.items() if not any(word.startswith(f"+{key}=") for word in flat)]
    first = next((i for i, word in enumerate(flat) if "=" in word and not word.startswith("-")), 0)
    flat[first:first] = added  # beside the other words: argparse wants them in one group, and at the end a flag might take one for its own
    return flat


def _brought(experiment: str) -> list[str]:
    """The groups that an experiment's defaults choose: another choice of one replaces it, for which Hydra wants no plus."""
    file = Path(conf.__file__ or "").parent / "experiment" / f"{experiment}.yaml"
    chosen = yaml.safe_load(file.read_text(encoding="utf-8")).get("defaults", []) if file.is_file() else []
    return [key.lstrip("/") for entry in chosen if isinstance(entry, dict) for key in entry]


def _rewrite_one(word: str) -> list[str]:
    key, equals, value = word.partition("=")
    if not equals or word.startswith(("-", "~", "hydra", "+hydra", "++hydra")):
        return [word]
    key = key.lstrip("+")
    if key == "network" and _YAML.search(value):
        return ["network=file", f"network.path={quote(value)}"]
    plain = "+" if key in ("backend", "experiment", *PRUNE_DEFAULTS) or key.startswith(_OPEN) else ""
    plus = "++" if key == "weights.layers" or (word.startswith("+") and key.startswith(_OWN)) else plain
    return [f"{plus}{key}={quote(value) if key in _QUOTED_KEYS else value}"]


def quote(value: str) -> str:
    """Quote ``value`` for Hydra's override grammar unless it is quoted already or empty."""
    if not value or (len(value) > 1 and value[0] == value[-1] and value[0] in "'\""):
        return value
    body = re.sub(r"(\\*)'", r"\1\1\\'", value)  # a backslash is one of Hydra's only before a quote
    return "'" + re.sub(r"(\\+)$", r"\1\1", body) + "'"
