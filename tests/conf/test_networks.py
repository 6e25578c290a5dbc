"""The shipped networks against independent sources: published tables, FLOP counts and onnx's own topologies."""

import dataclasses
import itertools
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import conf
from harness.networks import load_layers

FOLDER = Path(conf.__file__).parent / "network"
SHIPPED = sorted(file.stem for file in FOLDER.glob("*.yaml") if file.stem != "file")
NETWORKS = [name for name in SHIPPED if name != "suite"]

# Sparsity in percent as the authors published it (README of SkimCaffe; its logs for LeNet and for conv1 of AlexNet).
ALEXNET = {"conv1": 0.2, "conv2": 85.65, "conv3": 93.1, "conv4": 91.81, "conv5": 88.49}
LENET = {"conv1": 85, "conv2": 95.8}
GOOGLENET = {
    "conv2/3x3": 81.65,
    **{"inception_3a/3x3": 90.09, "inception_3b/3x3": 90.47, "inception_4a/3x3": 87.97, "inception_4b/3x3": 96.11},
    **{"inception_4c/3x3": 94.90, "inception_4d/3x3": 92.41, "inception_4e/3x3": 98.70, "inception_5a/3x3": 96.24},
    **{"inception_5b/3x3": 94.95, "inception_3a/5x5": 84.56, "inception_3b/5x5": 88.55, "inception_4a/5x5": 83.76},
    **{"inception_4b/5x5": 87.40, "inception_4c/5x5": 88.01, "inception_4d/5x5": 90.39, "inception_4e/5x5": 94.42},
    **{"inception_5a/5x5": 93.40, "inception_5b/5x5": 94.87},
}
RESNET50 = {
    f"res{stage}{block}_branch2b": sparsity
    for stage, sparsities in {
        2: (88.00, 83.97, 80.79),
        3: (91.76, 91.91, 95.50, 91.13),
        4: (96.55, 97.47, 97.15, 96.76, 96.84, 96.84),
        5: (97.78, 98.03, 97.92),
    }.items()
    for block, sparsity in zip("abcdef", sparsities, strict=False)
}
MOBILENET = {f"conv{i}/sep": 90 for i in range(2, 15)}
PUBLISHED = {"alexnet": ALEXNET, "googlenet": GOOGLENET, "lenet": LENET, "mobilenet_v1": MOBILENET, "resnet50": RESNET50}

# MFLOP of one image (2 x MAC), from the paper's table of layers.
MFLOP = {
    "alexnet": {"conv1": 210.8, "conv2": 447.9, "conv3": 299.0, "conv4": 224.3, "conv5": 149.5},
    "googlenet": {
        "inception_4a/5x5_reduce": 3.0,
        "inception_4a/1x1": 36.1,
        "inception_4a/3x3": 70.4,
        "inception_4a/5x5": 7.5,
        "conv2/3x3": 693.6,
    },
    "resnet50": {"res2a_branch2b": 231.2, "res5a_branch2b": 231.2},
}
# Convolutions of one image in GFLOP (2 x MAC) and their weights in millions: the well-known totals less the classifier.
TOTALS = {
    "alexnet": (1.33, 2.33),
    "googlenet": (3.16, 5.97),
    "lenet": (0.00378, 0.0255),
    "mobilenet_v1": (1.14, 3.19),
    "resnet50": (7.72, 23.45),
}


def layers_of(name: str):
    return {layer.name: layer for layer in load_layers(FOLDER / f"{name}.yaml")}


def test_every_network_is_checked_here():
    assert sorted(PUBLISHED) == sorted(TOTALS) == NETWORKS


@pytest.mark.parametrize("name", SHIPPED)
def test_composes_and_parses(name):
    with initialize_config_dir(str(FOLDER.parent), version_base="1.3"):
        composed = OmegaConf.to_container(compose(overrides=[f"+network={name}"]), resolve=True)["network"]
    assert composed["name"] == name and composed["source"]
    assert load_layers(composed) == tuple(layers_of(name).values())


def test_the_suite_takes_its_shapes_from_the_networks():
    shapes = {dataclasses.replace(layer.problem, name="") for name in NETWORKS for layer in layers_of(name).values()}
    for layer in layers_of("suite").values():
        assert dataclasses.replace(layer.problem, name="") in shapes, layer.name


def test_the_file_network_asks_for_its_path():
    with initialize_config_dir(str(FOLDER.parent), version_base="1.3"):
        composed = OmegaConf.to_container(compose(overrides=["+network=file"]))["network"]
    assert composed == {"path": None}


@pytest.mark.parametrize("name", NETWORKS)
def test_densities_are_the_published_ones(name):
    found = {layer.name: 100 * (1 - layer.density) for layer in layers_of(name).values() if layer.density is not None}
    assert found == pytest.approx(PUBLISHED[name], abs=1e-9)


@pytest.mark.parametrize(("name", "layer", "mflop"), [(n, layer, mflop) for n, table in MFLOP.items() for layer, mflop in table.items()])
def test_flops_of_single_layers(name, layer, mflop):
    assert layers_of(name)[layer].problem.flops / 1e6 == pytest.approx(mflop, abs=0.051)


@pytest.mark.parametrize("name", NETWORKS)
def test_totals(name):
    problems = [layer.problem for layer in layers_of(name).values()]
    gflop, weights = TOTALS[name]
    assert sum(p.flops for p in problems) / 1e9 == pytest.approx(gflop, rel=0.01)
    assert sum(p.weight_count for p in problems) / 1e6 == pytest.approx(weights, rel=0.01)


@pytest.mark.parametrize(("name", "count"), [("alexnet", 5), ("googlenet", 57), ("lenet", 2), ("mobilenet_v1", 27), ("resnet50", 53)])
def test_every_convolution_is_there(name, count):
    assert len(layers_of(name)) == count


def onnx_convolutions(model: str):
    """(weight shape, groups, stride, padding) of each convolution in the model's order."""
    onnx = pytest.importorskip("onnx", reason="the onnx package brings the exact topologies")
    file = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{model}.onnx"
    if not file.exists():
        pytest.skip(f"this onnx package has no {file.name}")
    graph = onnx.shape_inference.infer_shapes(onnx.load(str(file))).graph
    shapes = {v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim) for v in (*graph.value_info, *graph.input)}
    shapes |= {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    found = []
    for node in graph.node:
        if node.op_type == "Conv":
            given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            stride, pads = given.get("strides", [1, 1])[0], given.get("pads", [0] * 4)[0]
            found.append((shapes[node.input[1]], given.get("group", 1), stride, pads))
    return found


def ours(name: str):
    return [(p.weight_shape, p.g, p.sh, p.ph) for p in (layer.problem for layer in layers_of(name).values())]


@pytest.mark.parametrize(("name", "model"), [("alexnet", "bvlc_alexnet"), ("googlenet", "inception_v1")])
def test_topology_equals_onnx(name, model):
    assert ours(name) == onnx_convolutions(model)


def test_resnet50_equals_onnx_but_for_the_place_of_the_stride():
    """The onnx model strides in the 3x3 layer of a stage's first block; the original, which was pruned, in the 1x1 before it."""

    def without_stride(rows):
        return sorted((shape, g, pad) for shape, g, _, pad in rows)

    theirs = onnx_convolutions("resnet50")
    assert without_stride(ours("resnet50")) == without_stride(theirs)
    assert sum(row[2] == 2 for row in ours("resnet50")) == sum(row[2] == 2 for row in theirs) == 7


@pytest.mark.parametrize("name", ["alexnet", "mobilenet_v1", "lenet"])
def test_chains_pass_their_channels_on(name):
    """In the networks without branches each layer reads what the one before it writes, pooled or not."""
    problems = [layer.problem for layer in layers_of(name).values()]
    for before, after in itertools.pairwise(problems):
        assert after.ic == before.oc and after.ih <= before.oh
