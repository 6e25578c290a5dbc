"""Measure the kernels of one case in turn: prepare, verify, time, verify again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.bench.cases import Case
from harness.bench.contenders import Contender, Stage, Team
from harness.bench.entry import Entry, losing, running
from harness.bench.timing import time_entries
from harness.config import MeasureConfig
from harness.contract import BreakevenError
from harness.verify import Verdict
from harness.workers.service import NO_TRUTH, Truth


def race(case: Case, contenders: Sequence[Contender], oracle: Team, config: MeasureConfig, tick: Callable[[], None]) -> list[Entry]:
    """Measure every contender on ``case``, checked by ``oracle``; failures end in the entry's status, never in an exception.

    Outputs are verified before and after timing, so that lasting damage shows.
    """
    assert case.weights is not None
    truth, trouble = _truth(case, oracle, config)
    stage = Stage(case.problem, case.weights.array, case.seed, truth, config.timeout_s)
    entries = [Entry(team, kernel, stage) for team, kernel in contenders]
    for entry in entries:
        _check_support(case, entry)
        if trouble:
            entry.end("failed", f"cannot be verified: {trouble}")
    _verify(entries)
    time_entries(case, entries, config, tick)
    _verify(entries)
    for entry in entries:
        entry.end("passed", "")
    return entries


def _truth(case: Case, oracle: Team, config: MeasureConfig) -> tuple[Truth, str]:
    """The oracle's answer, or why there is none."""
    assert case.weights is not None
    try:
        truth: Truth = oracle.worker().call("truth", case.problem, case.weights.array, case.seed, timeout_s=config.timeout_s)
    except BreakevenError as error:
        return NO_TRUTH, str(error)
    return truth, ""


def _check_support(case: Case, entry: Entry) -> None:
    with losing(entry):
        support = entry.team.worker().call("supports", entry.kernel.name, case.problem)
        if not support.ok:
            entry.end("unsupported", support.reason)


def _verify(entries: Sequence[Entry]) -> None:
    """Check each plan's output; called before and after timing."""
    for entry in running(entries):
        with losing(entry):
            verdict: Verdict = entry.call("verify")
            entry.verdict = verdict
            if verdict.status != "passed":
                entry.end(verdict.status, verdict.reason)
