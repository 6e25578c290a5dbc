"""One process a backend: engines disturb each other's threads inside one process."""

from harness.workers.process import WorkerError, WorkerProcess

__all__ = ["WorkerError", "WorkerProcess"]
