"""Method models: one small class each, all with FLOPs, bytes per memory level, terms and seconds."""

from perfmodel.methods.base import MethodModel, Timing
from perfmodel.methods.dense import Dense
from perfmodel.methods.direct_sparse import DirectSparse
from perfmodel.methods.fft import Fft
from perfmodel.methods.generated_sparse import GeneratedSparse
from perfmodel.methods.low_rank import LowRank
from perfmodel.methods.lowered_sparse import LoweredSparse
from perfmodel.methods.registry import MODELS, find_model
from perfmodel.methods.winograd import Winograd

__all__ = [
    "MODELS",
    "Dense",
    "DirectSparse",
    "Fft",
    "GeneratedSparse",
    "LowRank",
    "LoweredSparse",
    "MethodModel",
    "Timing",
    "Winograd",
    "find_model",
]
