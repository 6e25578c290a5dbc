"""The model of PyTorch's convolution on one thread: which layers are matrix products. No PyTorch needed."""

from __future__ import annotations

import pytest

from backends.onednn.model import OneThreadConv
from perfmodel import Problem
from perfmodel.kernel import KernelParameters
from perfmodel.methods import Dense

KERNEL = KernelParameters(lanes=16)


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ("ic64ih14oc64kh1", True),
        ("mb15ic64ih14oc64kh1", True),
        ("mb16ic64ih14oc64kh1", False),
        ("ic64ih14oc64kh1sh2", False),
        ("ic64ih14oc64kh3ph1", False),
    ],
)
def test_1x1_layers_of_small_batches_are_products(text, product):
    problem = Problem.parse(text)
    terms = OneThreadConv().terms(problem, 1.0, KERNEL)
    assert set(terms) == set(OneThreadConv.kinds)
    assert (terms["product"] == problem.flops, terms["multiply"] == 0) == (product, product)
    assert terms["products"] == (problem.mb if product else 0)


def test_input_channels_are_rounded_up_to_blocks_but_not_those_of_first_layers():
    for channels, factor in ((24, 32 / 24), (32, 1.0), (3, 1.0)):
        problem = Problem.parse(f"ic{channels}ih14oc64kh3ph1")
        terms = OneThreadConv().terms(problem, 1.0, KERNEL)
        assert terms["multiply"] == pytest.approx(factor * Dense("direct").terms(problem, 1.0, KERNEL)["multiply"])
