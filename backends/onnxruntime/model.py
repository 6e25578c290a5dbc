"""Convolutions one after the other as an ONNX model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.contract import Problem
from harness.contract.plan import Array

_OPSET, _IR = 13, 8


@dataclass(frozen=True)
class Link:
    """One convolution of a chain; ``weight`` is OIHW, pairs are (vertical, horizontal), ``dilation`` counts from 1."""

    weight: Array
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    end_padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @classmethod
    def whole(cls, problem: Problem, weight: Array) -> Link:
        """``problem`` itself."""
        p = problem
        return cls(weight, (p.sh, p.sw), (p.ph, p.pw), p.end_padding, (p.dh + 1, p.dw + 1), p.g)


def chain_model(problem: Problem, links: Sequence[Link], bias: Array | None, relu: bool) -> bytes:
    """A serialised ONNX model: a Conv a link with its weights as initialisers, bias on the last, then Relu where asked."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, initializers, name = [], [], "x"
    for number, link in enumerate(links):
        inputs, last = [name, f"w{number}"], number == len(links) - 1
        initializers.append(numpy_helper.from_array(link.weight, inputs[1]))
        if last and bias is not None:
            initializers.append(numpy_helper.from_array(bias, "b"))
            inputs.append("b")
        name = "y" if last and not relu else f"c{number}"
        nodes.append(
            helper.make_node(
                "Conv",
                inputs,
                [name],
                kernel_shape=list(link.weight.shape[2:]),
                strides=list(link.stride),
                pads=[*link.padding, *link.end_padding],
                dilations=list(link.dilation),
                group=link.groups,
            )
        )
    if relu:
        nodes.append(helper.make_node("Relu", [name], ["y"]))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, problem.input_shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, problem.output_shape)
    graph = helper.make_graph(nodes, "convolution", [x], [y], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
