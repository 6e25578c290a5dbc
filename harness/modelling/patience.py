"""Compare with the model only what a core did on its own: wait for that, tell what was not."""

from __future__ import annotations

import dataclasses

from harness import pace
from harness.bench.contenders import Team
from harness.config import MeasureConfig
from harness.contract import Measurement

PATIENCE_S = 1.0
WATCH_S = 3.0
MOST_SHARED = 0.34
"""A measurement counts when no more than this share of its samples was taken on a core that another program used too."""


def patient(measure: MeasureConfig) -> MeasureConfig:
    """``measure`` with the patience that comparisons with the model need, unless one was asked for."""
    return measure if measure.patience_s is not None else dataclasses.replace(measure, patience_s=PATIENCE_S)


def doubt(found: Measurement) -> str:
    """Why ``found`` says little about the kernel, or an empty string."""
    if found.shared > MOST_SHARED:
        return f"another program used the core during {found.shared:.0%} of the samples"
    return found.reason if found.status == "mistrusted" else ""


def watch(team: Team, measure: MeasureConfig) -> None:
    """Learn the pace of the workers' core when it is not shared; nothing without patience."""
    if measure.patience_s:
        pace.learn(team.worker().call("watch_pace", WATCH_S, timeout_s=measure.timeout_s))
