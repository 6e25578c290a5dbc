"""Learn: guided pruning; sees hardware only through perfmodel."""

from gsl.guide import Decision, Guide, State
from gsl.outlook import LayerOutlook, paper_outlook
from gsl.rules import GuideRules

__all__ = ["Decision", "Guide", "GuideRules", "LayerOutlook", "State", "paper_outlook"]
