"""Models by name, so that a stored calibration can find its model again."""

from __future__ import annotations

import importlib

from perfmodel.errors import InputError
from perfmodel.methods.base import MethodModel
from perfmodel.methods.dense import Dense
from perfmodel.methods.direct_sparse import DirectSparse
from perfmodel.methods.fft import Fft
from perfmodel.methods.generated_sparse import GeneratedSparse
from perfmodel.methods.low_rank import LowRank
from perfmodel.methods.lowered_sparse import LoweredSparse
from perfmodel.methods.winograd import Winograd

MODELS: dict[str, MethodModel] = {
    "dense": Dense("direct"),
    "dense/im2col": Dense("im2col"),
    "direct_sparse": DirectSparse(),
    "direct_sparse/generated": GeneratedSparse(),
    "low_rank/cp": LowRank("cp"),
    "low_rank/tucker2": LowRank("tucker2"),
    "lowered_sparse": LoweredSparse(),
    "winograd": Winograd(None),
    "fft": Fft(),
}


def find_model(key: str) -> MethodModel:
    """The model called ``key``, or the class at ``"package.module:Class"`` made without arguments.

    Raises :class:`InputError` for anything else.
    """
    if key in MODELS:
        return MODELS[key]
    module, colon, name = key.partition(":")
    try:
        model = getattr(importlib.import_module(module), name)() if colon else None
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise InputError(f"model {key!r} cannot be loaded: {error}") from None
    if not isinstance(model, MethodModel):
        raise InputError(f"unknown model {key!r}; allowed: {', '.join(MODELS)}, or package.module:Class of a MethodModel")
    return model
