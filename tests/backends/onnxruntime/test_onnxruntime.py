"""ONNX Runtime's convolution as a backend."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (extra onnx)")
pytest.importorskip("onnx", reason="ONNX is not installed (extra onnx)")

from backends.host import engine
from backends.onnxruntime.backend import OnnxRuntimeBackend
from backends.onnxruntime.model import Link, chain_model
from harness.contract import BackendConfig, InputError, Problem


@pytest.fixture(scope="module")
def backend():
    return OnnxRuntimeBackend(BackendConfig("onnxruntime"))


def test_model_is_one_convolution_with_the_padding_that_the_output_uses():
    import onnx

    problem = Problem.parse("ic3ih10oh9oc2kh3ph1")
    links = [Link.whole(problem, np.ones(problem.weight_shape, np.float32))]
    model = onnx.load_from_string(chain_model(problem, links, None, relu=True))
    assert [node.op_type for node in model.graph.node] == ["Conv", "Relu"]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in model.graph.node[0].attribute}
    assert attributes["pads"] == [1, 1, 0, 0]


def test_versions(backend):
    assert set(backend.versions()) - {"tensorly"} == {"onnxruntime", "onnx"}


@pytest.mark.parametrize("missing", ["onnxruntime", "onnx"])
def test_absent_engine_names_the_extra(monkeypatch, missing):
    monkeypatch.setattr(engine, "_exists", lambda module: module != missing)
    reason = OnnxRuntimeBackend.available(BackendConfig()).reason
    assert reason == f"ONNX Runtime is not installed: no module {missing!r}; the extra 'onnx' brings it"
    with pytest.raises(InputError, match="the extra 'onnx'"):
        OnnxRuntimeBackend(BackendConfig())
