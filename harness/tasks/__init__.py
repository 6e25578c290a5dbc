"""What ``task=`` can be; each runs a composed configuration and returns an exit code."""

from __future__ import annotations

TASKS = {
    "bench": "harness.tasks.bench:run",
    "breakeven": "harness.tasks.breakeven:run",
    "calibrate": "harness.tasks.calibrate:run",
    "project": "harness.tasks.project:run",
    "validate": "harness.tasks.validate:run",
    "prune": "harness.tasks.prune:run",
    "study": "harness.tasks.study:run",
    "plugins": "harness.tasks.plugins:run",
    "doctor": "harness.tasks.doctor:run",
}

REPORTS = {"bench": ("csv",), "validate": ("csv", "plots"), "project": ("plots",)}
"""What ``report=`` can ask of a task beside its table and record."""

EXIT_OK, EXIT_ROW_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130
