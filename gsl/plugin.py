"""The pruners and guides that come with breakeven, by the same hooks as a stranger's."""

from __future__ import annotations

from gsl.guides.budget import Budget
from gsl.guides.none import Unguided
from gsl.guides.skip_ends import SkipEnds
from gsl.pruners.dense import Dense
from gsl.pruners.dns import DNS
from gsl.pruners.gmp import GMP
from gsl.pruners.group_lasso import GroupLasso
from gsl.pruners.l1 import L1
from gsl.pruners.magnitude import Magnitude
from gsl.pruners.movement import Movement
from gsl.pruners.rigl import RigL
from gsl.rules import GuideRules
from harness.contract import GuideSpec, PrunerSpec
from harness.hookspecs import hookimpl

CONTRACT = 1
_PRUNERS = (
    ("dense", Dense, "prunes nothing: the control of equal training budget"),
    ("magnitude", Magnitude, "the largest weights, at once or in rounds (Han 2015)"),
    ("gmp", GMP, "the largest weights along a cubic schedule (Zhu and Gupta 2017)"),
    ("l1", L1, "L1 with a hard threshold, constant or scaled by the gradient (Park 2017)"),
    ("dns", DNS, "two thresholds, spliced back from a dense copy (Guo 2016)"),
    ("group_lasso", GroupLasso, "whole filters, channels, shapes or kernels (Wen 2016)"),
    ("movement", Movement, "weights that move away from zero stay (Sanh 2020)"),
    ("rigl", RigL, "sparse throughout: drops by size, grows by gradient (Evci 2020)"),
)
_GUIDES = (
    ("none", Unguided, "every layer alike"),
    ("skip_ends", SkipEnds, "all but the first and last layer: common practice"),
    ("gsl", GuideRules, "where the model projects a gain; stops and restores layers (Park 2017)"),
    ("budget", Budget, "densities that meet a latency target at the least estimated loss"),
)


@hookimpl
def breakeven_pruners() -> list[PrunerSpec]:
    """How weights go."""
    return [PrunerSpec(name, f"{kind.__module__}:{kind.__name__}", text, CONTRACT, kind) for name, kind, text in _PRUNERS]


@hookimpl
def breakeven_guides() -> list[GuideSpec]:
    """Where and how far."""
    return [GuideSpec(name, f"{kind.__module__}:{kind.__name__}", text, CONTRACT, kind) for name, kind, text in _GUIDES]
