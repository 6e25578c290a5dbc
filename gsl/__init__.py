"""Learn: guided pruning; sees hardware only through perfmodel. ``import gsl`` does not import torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gsl.guide import Guide
from gsl.guides.base import BaseGuide, Decision, Loss, State
from gsl.guides.budget import Budget
from gsl.guides.none import Unguided
from gsl.guides.skip_ends import SkipEnds
from gsl.outlook import LayerOutlook, combined_outlook, measured_outlook, paper_outlook
from gsl.pruner import MaskPruner, Moment, PrunedLayer, Pruner
from gsl.pruners.dense import Dense
from gsl.pruners.dns import DNS
from gsl.pruners.gmp import GMP
from gsl.pruners.group_lasso import GroupLasso
from gsl.pruners.l1 import L1
from gsl.pruners.magnitude import Magnitude
from gsl.pruners.movement import Movement
from gsl.pruners.rigl import RigL
from gsl.rules import GuideRules

if TYPE_CHECKING:
    from gsl.pruning import Pruning
    from gsl.trace import trace_problems

_HOMES = {"Pruning": "gsl.pruning", "trace_problems": "gsl.trace"}

__all__ = [
    "DNS",
    "GMP",
    "L1",
    "BaseGuide",
    "Budget",
    "Decision",
    "Dense",
    "GroupLasso",
    "Guide",
    "GuideRules",
    "LayerOutlook",
    "Loss",
    "Magnitude",
    "MaskPruner",
    "Moment",
    "Movement",
    "PrunedLayer",
    "Pruner",
    "Pruning",
    "RigL",
    "SkipEnds",
    "State",
    "Unguided",
    "combined_outlook",
    "measured_outlook",
    "paper_outlook",
    "trace_problems",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gsl' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
