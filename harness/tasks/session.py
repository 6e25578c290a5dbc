"""What every measuring task does: a folder, workers, a progress bar, an honest end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from harness.bench.contenders import Field, open_field
from harness.config import RunConfig
from harness.console import counted, err, out
from harness.contract import BreakevenError, Hardware, InputError, Record
from harness.machine import cpu_model, describe_machine, own_versions
from harness.plugins import host
from harness.runs import RunFolder
from harness.tasks import EXIT_INTERRUPTED
from harness.workers import WorkerError


@dataclass
class Session:
    """A run in progress: its configuration, workers, folder and bar."""

    config: RunConfig
    field: Field
    folder: RunFolder
    _progress: Progress
    _bar: TaskID

    def describe(self, text: str) -> None:
        """Say what is being worked on."""
        self._progress.update(self._bar, description=text)

    def tick(self) -> None:
        """Advance the bar by one round."""
        self._progress.advance(self._bar)

    @property
    def done(self) -> float:
        """Rounds done so far."""
        return self._progress.tasks[self._bar].completed

    def complete(self, rounds: float) -> None:
        """Set the bar, whatever the rounds really took."""
        self._progress.update(self._bar, completed=rounds)

    def hardware(self) -> Hardware | None:
        """The chosen backend's numbers; without them only the projections are missing."""
        try:
            hardware: Hardware | None = self.field.chosen.worker().call("hardware", timeout_s=self.config.measure.timeout_s)
        except WorkerError:
            return None
        if hardware is not None:
            numbers = {name: {"value": float(q), "unit": q.unit, "provenance": q.provenance} for name, q in hardware.numbers.items()}
            self.folder.note("hardware", "device", f"{hardware.vendor} {hardware.device} {hardware.driver}".strip())
            self.folder.note("hardware", "numbers", numbers)
        return hardware


def run_session(
    config: RunConfig,
    covered: str,
    total: int,
    work: Callable[[Session], None],
    conclude: Callable[[RunFolder, Console], int],
    rivals: bool = True,
) -> int:
    """Open or resume the run's folder, start the workers, do ``work``, print, and return the exit code.

    ``rivals``: whether other backends give baselines; their workers take seconds to start. Interrupted, the record
    keeps what was finished and the way to go on is printed. The record's path comes last.
    """
    folder = _folder(config)
    header, interrupted = "", False
    try:
        with make_progress(err()) as progress:
            bar = progress.add_task("starting", total=total)
            with open_field(config, host(), lambda text: progress.update(bar, description=text), rivals) as field:
                folder.describe(covered, _versions(field))
                header = _header(config, field, folder.record.machine, covered)
                work(Session(config, field, folder, progress, bar))
    except KeyboardInterrupt:
        interrupted = True
    except BreakevenError:
        if not folder.discard():
            err().print(f"what was finished is kept; go on with: python -m harness resume={folder.folder}", soft_wrap=True, markup=False)
        raise
    path = folder.finish("interrupted" if interrupted else "complete")
    console = out()
    if header:
        console.print(header, soft_wrap=True, markup=False)
    code = conclude(folder, console)
    if interrupted:
        console.print(f"interrupted; go on with: python -m harness resume={folder.folder}", soft_wrap=True, markup=False)
    console.print(str(path), soft_wrap=True, markup=False)
    return EXIT_INTERRUPTED if interrupted else code


def _folder(config: RunConfig) -> RunFolder:
    if config.resume:
        folder = RunFolder.resume(Path(config.resume).expanduser())
        if (then := folder.record.machine.get("cpu")) != (now := cpu_model()):
            raise InputError(f"resume: the run was measured on {then!r}, this is {now!r}; allowed: the machine that began it")
        return folder
    return RunFolder.create(Path(config.results).expanduser(), _label(config), _record(config))


def make_progress(console: Console) -> Progress:
    """A bar with rounds and times, gone when done."""
    return Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _label(config: RunConfig) -> str:
    return "-".join(word for word in (config.task, str(config.backend["name"]), config.job) if word)


def _record(config: RunConfig) -> Record:
    return Record(
        task=config.task,
        status="interrupted",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=describe_machine(),
        versions=own_versions(),
        config=dataclasses.asdict(config),
    )


def _versions(field: Field) -> dict[str, str]:
    """Versions of every engine in the run; clashes keep the backend's name in front."""
    found: dict[str, str] = {}
    for team in [*field.teams(), field.oracle]:
        if team.description:
            found |= {f"{team.spec.name}:{name}": version for name, version in team.description.versions.items()}
    return found


def _header(config: RunConfig, field: Field, machine: Mapping[str, object], covered: str) -> str:
    """First line: machine, backend and device, threads, coverage; then who could not take part."""
    device = field.chosen.description.device if field.chosen.description else "?"
    cores = int(str(machine["cores"]))
    where = f"{machine['cpu']}, {counted(cores, 'core')} allowed"
    line = f"{where} | backend {field.chosen.spec.name} on {device} | {counted(config.threads, 'thread')} | {covered}"
    dense = ", ".join(f"{team.spec.name} ({', '.join(k.name for k in team.kernels)})" for team in field.rivals if team.kernels) or "none"
    lines = [line, f"dense baselines: {dense}"]
    if config.threads > cores:
        lines.append(f"{counted(config.threads, 'thread')} share {counted(cores, 'core')}: times tell of the sharing, not of the kernels")
    plain = [name for name, reason in field.absent.items() if "is not installed" in reason]
    lines += [f"not installed: {', '.join(plain)} (task=doctor says what each needs)"] if plain else []
    lines += [f"not here: {name}: {reason}" for name, reason in field.absent.items() if name not in plain]
    return "\n".join(lines)
