"""Models by name: the built-in ones, a stranger's class, and what is refused."""

from __future__ import annotations

import pytest

from perfmodel import InputError
from perfmodel.methods import MODELS, Dense, DirectSparse, find_model


@pytest.mark.parametrize("key", MODELS)
def test_built_in_models_are_found_under_their_method(key):
    assert find_model(key) is MODELS[key]
    assert key.partition("/")[0] == MODELS[key].method


def test_a_class_may_come_from_anywhere():
    assert isinstance(find_model("perfmodel.methods.direct_sparse:DirectSparse"), DirectSparse)
    assert isinstance(find_model("perfmodel.methods:Dense"), Dense)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            "magic",
            "unknown model 'magic'; allowed: dense, dense/im2col, direct_sparse, direct_sparse/generated, low_rank/cp, low_rank/tucker2, "
            "lowered_sparse, winograd, fft",
        ),
        ("perfmodel:Problem", "model 'perfmodel:Problem' cannot be loaded: "),
        ("perfmodel:Nothing", "model 'perfmodel:Nothing' cannot be loaded: "),
        ("not_there:Model", "model 'not_there:Model' cannot be loaded: No module named 'not_there'"),
        ("fractions:Fraction", "unknown model 'fractions:Fraction'; allowed: "),
    ],
)
def test_refusals(key, message):
    with pytest.raises(InputError) as caught:
        find_model(key)
    assert message in str(caught.value)
