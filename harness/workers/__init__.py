"""One process a backend: engines disturb each other's threads inside one process."""

from harness.workers.process import WorkerError, WorkerProcess, open_worker

__all__ = ["WorkerError", "WorkerProcess", "open_worker"]
