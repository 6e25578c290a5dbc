"""From arguments to exit code."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

import harness
from harness.cli.argv import HELP_FLAGS, quote, rewrite
from harness.contract import BreakevenError, InputError
from harness.files import scratch_folder
from harness.plugins import host
from harness.suggest import did_you_mean
from harness.tasks import EXIT_BAD_INPUT, EXIT_INTERRUPTED, EXIT_OK, EXIT_ROW_FAILED, TASKS

_HYDRA_FLAGS = (*HELP_FLAGS, "--cfg", "-c")
_CFG = ("job", "hydra", "all")
_SWEEP_FLAGS = ("--multirun", "-m")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; bad input gets one message and code 2, never a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)  # also where a shell started us in the background with it ignored
    try:
        if words in (["--version"], ["-V"]):
            print(f"breakeven {harness.__version__}", flush=True)
            return EXIT_OK
        return _dispatch(rewrite(words, host().default_backend))
    except BreakevenError as error:
        print(f"breakeven: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except OSError as error:
        _drop_output()
        where = f": {str(error.filename)!r}" if error.filename else ""
        print(f"breakeven: the system refused: {error.strerror or error}{where}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except MemoryError as error:
        print(f"breakeven: not enough memory: {error or 'the system refused'}; allowed: a smaller problem or batch", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("breakeven: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _dispatch(words: list[str]) -> int:
    from harness.cli.compose import compose_job, register, register_parts, resumed_job

    register()
    if "task=prune" in words or any(word in HELP_FLAGS for word in words):
        register_parts()
    overrides = [word for word in words if not word.startswith("-")]
    _check_cfg(words)
    if any(word in _HYDRA_FLAGS or word.startswith("--cfg=") for word in words):
        if not any(word in HELP_FLAGS for word in words):
            compose_job([word for word in overrides if "=" in word])
        return _through_hydra(words)
    if any(word in _SWEEP_FLAGS for word in words):
        return _sweep(words)
    if unknown := [word for word in words if word.startswith("-")]:
        known = [*_HYDRA_FLAGS, *_SWEEP_FLAGS, "--version"]
        raise InputError(f"unknown flag {unknown[0]!r}; allowed: {', '.join(known)}.{did_you_mean(unknown[0], known)}")
    resumed = [word for word in overrides if word.startswith("resume=") and word != "resume="]
    return run_task(resumed_job(overrides) if resumed else compose_job(overrides))


def _check_cfg(words: Sequence[str]) -> None:
    """``--cfg`` takes a word, which Hydra's own message would miss in a page of flags."""
    for flag, value in zip(words, [*words[1:], ""], strict=True):
        name, equals, behind = flag.partition("=")
        if name in ("--cfg", "-c") and (given := behind if equals else value) not in _CFG:
            raise InputError(f"{name} is {given!r}; allowed: {', '.join(_CFG)}")


def run_task(config: object) -> int:
    """Run a composed configuration's task."""
    from harness.config import RunConfig

    assert isinstance(config, RunConfig)
    module, _, function = TASKS[config.task].partition(":")
    code: int = getattr(importlib.import_module(module), function)(config)
    return code


def _sweep(words: list[str]) -> int:
    """Check every job, then let Hydra run them; a job that ends without an exit code has failed.

    Hydra's own files go to a folder under ``results``, which every machine of a sweep sees; it is removed.
    """
    from harness.cli.compose import compose_job, expand, experiment_sweep

    words = [*words, *experiment_sweep(words)]
    own = ("hydra.", "hydra/")
    jobs = expand([word for word in words if not word.startswith("-") and not word.lstrip("+").startswith(own)])
    if any(word.startswith("resume=") for job in jobs for word in job):
        raise InputError("resume goes on with one run; allowed: resume=PATH without a sweep")
    configs = [compose_job(job) for job in jobs]
    results = Path(configs[0].results).expanduser()
    with scratch_folder(results, ".sweep-") as scratch:
        with suppress(SystemExit):  # so Hydra ends, its traceback printed, where a launcher lost a job; the others have run
            _through_hydra([*words, "hydra.sweeper.params=null", f"hydra.sweep.dir={quote(str(scratch.absolute()))}"])
        codes = [int(file.read_text()) for file in scratch.glob("*.code")]
    if lost := max(0, len(jobs) - len(codes)):
        print(f"breakeven: {lost} of {len(jobs)} jobs ended without a result", file=sys.stderr)
    return max([*codes, EXIT_ROW_FAILED if lost else EXIT_OK])


def _through_hydra(words: list[str]) -> int:
    """Sweeps, help and completion are Hydra's; each job leaves its exit code in a file, for it may run in another process."""
    import hydra
    from omegaconf import DictConfig

    from harness.cli.compose import config_folder

    @hydra.main(version_base="1.3", config_path=config_folder(), config_name="config")  # type: ignore[untyped-decorator,unused-ignore]
    def job(config: DictConfig) -> int:
        from hydra.core.hydra_config import HydraConfig

        from harness.cli.compose import typed

        hydra_config = HydraConfig.get()
        try:
            composed = typed(config)
            composed.job = composed.job or str(hydra_config.job.num)
            code = run_task(composed)
        except BreakevenError as error:
            print(f"breakeven: {error}", file=sys.stderr)
            code = EXIT_BAD_INPUT
        except Exception:  # a user's own code, say: some launchers would give up the jobs that have not ended
            traceback.print_exc()
            code = EXIT_ROW_FAILED
        if code == EXIT_INTERRUPTED:
            raise KeyboardInterrupt
        with suppress(OSError):  # a launcher that lost a job may have gone before the others end
            Path(hydra_config.sweep.dir, f"{hydra_config.job.num}.code").write_text(str(code))
        return code

    sys.argv = ["breakeven", *words]
    job()
    return EXIT_OK


def _drop_output() -> None:
    """Let what is still to be printed vanish: where standard output is full, Python would fail once more at its end."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
