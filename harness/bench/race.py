"""Measure the kernels of one case in turn: prepare, verify, time, verify again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.bench.cases import Case
from harness.bench.contenders import Contender, Stage, Team
from harness.bench.entry import Entry, losing, running
from harness.bench.timing import time_entries
from harness.config import MeasureConfig
from harness.contract import BreakevenError
from harness.verify import Verdict, relative_error
from harness.workers.service import NO_TRUTH, Truth

STATED_WITHIN = 1e-4


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
    for entry in running(entries):
        if not entry.kernel.exact:
            with losing(entry):
                _own_truth(case, entry, oracle, config)
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


def _own_truth(case: Case, entry: Entry, oracle: Team, config: MeasureConfig) -> None:
    """The oracle's answer for the weights that an inexact kernel says it uses; the error that it states is worked out again."""
    entry.call("warm_up")
    assert case.weights is not None and entry.prepared is not None
    used, stated = entry.prepared.weight, entry.prepared.approximation
    if used is None:
        return
    found = relative_error(case.weights.array, used)
    if stated is None or not abs(stated - found) <= STATED_WITHIN:
        said = "no error" if stated is None else f"an error of {stated:.4%}"
        entry.end("failed", f"states {said} of its weights, which are off by {found:.4%}")
        return
    entry.truth = oracle.worker().call("truth", case.problem, used, case.seed, timeout_s=config.timeout_s)


def _verify(entries: Sequence[Entry]) -> None:
    """Check each plan's output; called before and after timing."""
    for entry in running(entries):
        with losing(entry):
            verdict: Verdict = entry.call("verify", entry.truth)
            entry.verdict = verdict
            if verdict.status != "passed":
                entry.end(verdict.status, verdict.reason)
