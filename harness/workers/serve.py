"""The worker's own side: a loop that answers calls until the host goes away."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection

_PR_SET_PDEATHSIG = 1


def _die_with_parent(parent: int) -> None:
    """Ask Linux to end this process when the host is killed; elsewhere the closed pipe does it."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the host is gone already")


def _pin(threads: int) -> None:
    """Keep this process on the first ``threads`` CPUs that it may use."""
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, allowed[:threads] or allowed)


def serve(pipe: Connection, parent: int) -> None:
    """Answer ``(method, arguments)`` with ``(kind, value)`` until the pipe closes or process ``parent`` ends."""
    _die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = None
    while True:
        try:
            method, arguments = pipe.recv()
        except (EOFError, OSError):
            return
        if server is None:
            _pin(arguments[1])
            from harness.workers.service import Service

            server = Service()
        from harness.contract import InputError, UnsupportedError

        try:
            answer = ("ok", getattr(server, method)(*arguments))
        except UnsupportedError as error:
            answer = ("unsupported", str(error))
        except InputError as error:
            answer = ("input", str(error))
        except Exception as error:
            traceback.print_exc()
            answer = ("error", f"{type(error).__name__}: {error}")
        pipe.send(answer)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])), int(sys.argv[2]))
