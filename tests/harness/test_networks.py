"""Layers from mappings, YAML files and descriptor files: what is read, and what each mistake says."""

from pathlib import Path

import pytest

from harness.networks import Layer, layer_from_descriptor, layers_from_descriptors, layers_from_file, load_layers
from perfmodel import InputError, Problem

CONV3 = 'ic256ih13oc384oh13kh3ph1n"conv3"'
GOOD = f"name: mine\nsource: me\nlayers:\n  - {{problem: '{CONV3}', density: 0.07}}\n  - {{problem: ic3ih8oc4kh3, density: null}}\n"


def test_a_mapping_gives_layers_with_names_and_densities():
    layers = load_layers({"name": "x", "source": "y", "layers": [{"problem": CONV3, "density": 0.07}, {"problem": "ic3ih8oc4kh3"}]})
    assert layers == (
        Layer("conv3", Problem.parse(CONV3), 0.07),
        Layer("layer2", Problem.parse('ic3ih8oc4kh3n"layer2"'), None),
    )


def test_a_path_and_a_mapping_with_a_path_give_the_same(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD)
    assert load_layers(file) == load_layers(str(file)) == load_layers({"path": str(file)})
    assert [layer.density for layer in load_layers(file)] == [0.07, None]


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ({"path": "???"}, ["network.path is '???'", "network.path=FILE"]),
        ({"path": "a.yaml", "layers": []}, ["network.layers stands beside network.path"]),
        ({"layer": []}, ["unknown field 'layer'", "name, source, layers", "Did you mean 'layers'?"]),
        ({"name": "x"}, ["network: layers is None", "list of at least one"]),
        ({"layers": "conv1"}, ["network: layers is 'conv1'"]),
        ({"layers": ["ic3ih8oc4kh3"]}, ["network: layers[0] is 'ic3ih8oc4kh3'", "problem and density"]),
        ({"layers": [{"problem": "ic3ih8oc4kh3", "densty": 1}]}, ["layers[0]", "'densty'", "Did you mean 'density'?"]),
        ({"layers": [{"density": 0.1}]}, ["layers[0].problem is None", "descriptor"]),
        ({"layers": [{"problem": "ic3ih8oc4"}]}, ["layers[0].problem", "lacks kh"]),
        ({"layers": [{"problem": "ic3ih8oc4kh3", "density": 1.5}]}, ["layers[0].density is 1.5", "from 0 to 1"]),
        ({"layers": [{"problem": "ic3ih8oc4kh3", "density": True}]}, ["density is True"]),
        ({"layers": [{"problem": "ic3ih8oc4kh3", "density": float("nan")}]}, ["density is nan"]),
        ({"layers": [{"problem": CONV3}, {"problem": CONV3}]}, ["layers[1] has the name 'conv3' of network: layers[0]"]),
        (["conv1"], ["network is ['conv1']", "a mapping"]),
    ],
)
def test_a_wrong_mapping_is_refused_by_field(network, words):
    with pytest.raises(InputError) as caught:
        load_layers(network)
    for word in words:
        assert word in str(caught.value)


def test_errors_of_a_file_name_the_file(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD.replace("kh3ph1", "kh3ph1zz9"))
    with pytest.raises(InputError, match=r"mine\.yaml: layers\[0\]\.problem: cannot read 'zz9'"):
        load_layers(file)
    file.write_text("layers: [\n  {problem: a\n")
    with pytest.raises(InputError, match=r"mine\.yaml' line 3 is not YAML"):
        load_layers(file)
    file.write_bytes(b"\xff\xfe\x00layers")
    with pytest.raises(InputError, match=r"mine\.yaml' (cannot be read as text|.*not YAML)"):
        load_layers(file)
    file.write_text("")
    with pytest.raises(InputError, match=r"mine\.yaml is None; allowed: a mapping"):
        load_layers(file)


def test_a_missing_file_lists_its_neighbours(tmp_path: Path):
    (tmp_path / "resnet.yaml").write_text(GOOD)
    (tmp_path / "other.txt").write_text("")
    with pytest.raises(InputError, match=r"Beside it: resnet\.yaml\. Did you mean 'resnet\.yaml'\?"):
        load_layers(tmp_path / "resnt.yaml")
    with pytest.raises(InputError, match="There is no folder"):
        load_layers(tmp_path / "nowhere" / "x.yaml")
    with pytest.raises(InputError, match="cannot be read as text"):
        load_layers(tmp_path)


def test_a_problems_file_takes_comments_names_and_densities(tmp_path: Path):
    file = tmp_path / "mine.txt"
    file.write_text(f'# shapes of mine\n\n{CONV3} density=0.069  # published\nic3ih8oc4kh3\nic3ih8oc4kh3n"a #1" density=1\n')
    layers = layers_from_file(file)
    assert [(layer.name, layer.density) for layer in layers] == [("conv3", 0.069), ("layer2", None), ("a #1", 1.0)]
    assert [layer.problem.name for layer in layers] == ["conv3", "layer2", "a #1"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# nothing\n", ["shapes.txt holds no problem", "one descriptor a line"]),
        ("\nic3ih8oc4kh9\n", ["shapes.txt line 2", "more than the padded input"]),
        ("ic3ih8oc4kh3 density=2\n", ["shapes.txt line 1: density is 2.0", "from 0 to 1"]),
        ("ic3ih8oc4kh3 density=few\n", ["line 1: density is 'few'"]),
        ("ic3ih8oc4kh3 density=\n", ["line 1: density is ''"]),
        ("ic3ih8oc4kh3 densty=0.1\n", ["line 1: cannot read ' densty=0.1'"]),
        ('ic3ih8oc4kh3n"layer2"\nic3ih8oc4kh3\n', ["line 2 has the name 'layer2' of shapes.txt line 1"]),
    ],
)
def test_a_wrong_line_is_refused_by_number(text, words):
    with pytest.raises(InputError) as caught:
        layers_from_descriptors(text.splitlines(), "shapes.txt")
    for word in words:
        assert word in str(caught.value)


def test_one_descriptor():
    assert layer_from_descriptor("ic3ih8oc4kh3") == Layer("layer1", Problem.parse('ic3ih8oc4kh3n"layer1"'))
    assert layer_from_descriptor(f"{CONV3} density=0.25").density == 0.25
    with pytest.raises(InputError, match="problem: cannot read 'nonsense'"):
        layer_from_descriptor("nonsense")
