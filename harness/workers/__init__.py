"""One process a backend: engines disturb each other's threads inside one process."""

from harness.workers.process import WorkerFailure, WorkerProcess

__all__ = ["WorkerFailure", "WorkerProcess"]
