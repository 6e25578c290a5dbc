"""The host's side of a worker: start it in its own environment, call it, notice when it dies."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection, Pipe
from typing import Any

from harness.contract import BackendSpec, BreakevenError, InputError, UnsupportedError

START_TIMEOUT_S = 120.0
CALL_TIMEOUT_S = 600.0
STOP_TIMEOUT_S = 5.0
_REFUSALS = {"input": InputError, "unsupported": UnsupportedError}


class WorkerError(BreakevenError):
    """A worker died, hung or failed; the message says how."""


def _environment(spec: BackendSpec, threads: int) -> dict[str, str]:
    """The caller's environment with every thread setting made explicit."""
    count = str(threads)
    common = {
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": "1" if spec.role == "engine" else count,
        "OMP_WAIT_POLICY": "PASSIVE",
        "OMP_DYNAMIC": "FALSE",
    }
    return {**os.environ, **common, **spec.environment(threads)}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class WorkerProcess:
    """A backend opened in a process of its own, pinned to the first ``threads`` CPUs allowed."""

    def __init__(self, spec: BackendSpec, threads: int, options: Mapping[str, Any]) -> None:
        self.spec, self.threads, self._options = spec, threads, dict(options)
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - closed in stop()
        ours, theirs = Pipe()
        self._pipe: Connection[Any, Any] = ours
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "harness.workers.serve", str(theirs.fileno()), str(os.getpid())],
                    pass_fds=[theirs.fileno()],
                    env=_environment(spec, threads),
                    stdin=subprocess.DEVNULL,
                    stdout=self._errors,
                    stderr=self._errors,
                    start_new_session=True,
                )
        except Exception as error:  # the plugin's environment() may raise anything
            ours.close()
            self._errors.close()
            raise WorkerError(f"{spec.name}: its worker cannot be started: {type(error).__name__}: {error}") from error

    def open(self) -> None:
        """Open the backend; raises :class:`InputError` as ``open_backend`` does, or :class:`WorkerError`."""
        self.call("open", self.spec.name, self.threads, self._options, timeout_s=START_TIMEOUT_S)

    def call(self, method: str, *arguments: Any, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        """Call ``method`` in the worker and return its answer.

        Raises :class:`InputError` or :class:`UnsupportedError` where the worker raised one, else :class:`WorkerError` with the reason.
        """
        try:
            self._pipe.send((method, arguments))
            if not self._pipe.poll(timeout_s):
                self.stop(at_once=True)
                raise WorkerError(f"{self.spec.name}: no answer to {method} within {timeout_s:g} s; worker stopped")
            kind, value = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise WorkerError(self._obituary(method)) from error
        except (AttributeError, ImportError, pickle.UnpicklingError) as error:
            self.stop(at_once=True)
            raise WorkerError(f"{self.spec.name} {method}: its answer cannot be read: {error}") from error
        if kind in _REFUSALS:
            raise _REFUSALS[kind](value)
        if kind == "error":
            raise WorkerError(f"{self.spec.name} {method}: {value}")
        return value

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def stop(self, at_once: bool = False) -> None:
        """End the process and what it started, politely unless ``at_once``; never raises."""
        self._pipe.close()
        if at_once:
            self._kill()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()
        if not self._errors.closed:
            self._errors.close()

    def _kill(self) -> None:
        """Kill the worker's session: itself and the compilers or helpers that its engine may have started."""
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def _obituary(self, method: str) -> str:
        if self._errors.closed:
            return f"{self.spec.name} worker was stopped before {method}"
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._kill()  # it closed its pipe and lives on
            self._process.wait()
        code = self._process.returncode
        how = f"was killed by {_signal_name(-code)}" if code and code < 0 else f"ended with status {code}"
        self._errors.seek(0)
        last = [line.strip() for line in self._errors.read()[-4000:].splitlines() if line.strip()][-3:]
        said = f": {' | '.join(last)}" if last else ""
        return f"{self.spec.name} worker {how} during {method}{said}"


@contextlib.contextmanager
def open_worker(spec: BackendSpec, threads: int = 1) -> Iterator[WorkerProcess]:
    """A worker with its backend opened, stopped at the end; errors as :meth:`WorkerProcess.open`."""
    worker = WorkerProcess(spec, threads, {})
    try:
        worker.open()
        yield worker
    finally:
        worker.stop()
