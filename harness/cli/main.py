"""From arguments to exit code."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import harness
from harness.cli.argv import HELP_FLAGS, rewrite
from harness.contract import BreakevenError, InputError
from harness.suggest import did_you_mean
from harness.tasks import EXIT_BAD_INPUT, EXIT_INTERRUPTED, EXIT_OK, TASKS

_HYDRA_FLAGS = (*HELP_FLAGS, "--cfg", "-c")
_SWEEP_FLAGS = ("--multirun", "-m")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; bad input gets one message and code 2, never a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words in (["--version"], ["-V"]):
        print(f"breakeven {harness.__version__}")
        return EXIT_OK
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _dispatch(rewrite(words))
    except BreakevenError as error:
        print(f"breakeven: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("breakeven: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _dispatch(words: list[str]) -> int:
    from harness.cli.compose import compose_job, expand, register, resumed_job

    register()
    overrides = [word for word in words if not word.startswith("-")]
    if any(word in _HYDRA_FLAGS or word.startswith("--cfg=") for word in words):
        return _through_hydra(words)
    if any(word in _SWEEP_FLAGS for word in words):
        for job in expand([word for word in overrides if not word.startswith(("hydra.", "hydra/", "+hydra", "++hydra"))]):
            compose_job(job)
        return _through_hydra(words)
    if unknown := [word for word in words if word.startswith("-")]:
        known = [*_HYDRA_FLAGS, *_SWEEP_FLAGS, "--version"]
        raise InputError(f"unknown flag {unknown[0]!r}; allowed: {', '.join(known)}.{did_you_mean(unknown[0], known)}")
    path = next((word.partition("=")[2].strip("'") for word in overrides if word.startswith("resume=")), "")
    return run_task(resumed_job(path, overrides) if path else compose_job(overrides))


def run_task(config: object) -> int:
    """Run a composed configuration's task."""
    from harness.config import RunConfig

    assert isinstance(config, RunConfig)
    if config.task not in TASKS:
        raise InputError(f"task is {config.task!r}; allowed: {', '.join(TASKS)}.{did_you_mean(config.task, TASKS)}")
    module, _, function = TASKS[config.task].partition(":")
    code: int = getattr(importlib.import_module(module), function)(config)
    return code


def _through_hydra(words: list[str]) -> int:
    """Sweeps, help and completion are Hydra's; the exit code is the worst of the jobs'."""
    import hydra
    from omegaconf import DictConfig

    from harness.cli.compose import config_folder

    codes: list[int] = []

    @hydra.main(version_base="1.3", config_path=config_folder(), config_name="config")  # type: ignore[untyped-decorator,unused-ignore]
    def job(config: DictConfig) -> int:
        from hydra.core.hydra_config import HydraConfig

        from harness.cli.compose import typed

        composed = typed(config)
        number = HydraConfig.get().job.get("num")
        composed.job = composed.job or (str(number) if number is not None else "")
        codes.append(run_task(composed))
        if codes[-1] == EXIT_INTERRUPTED:
            raise KeyboardInterrupt
        return codes[-1]

    sys.argv = ["breakeven", *words]
    job()
    return max(codes, default=EXIT_OK)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
