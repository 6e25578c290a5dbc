"""Weights from files: every form is read exactly, every broken file is refused by name."""

import builtins
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.networks import layer_from_descriptor
from harness.weights import open_source
from perfmodel import InputError

LAYER = layer_from_descriptor('g2ic6ih9iw9oc8kh3kw2ph1sh1n"block/conv"')
SHAPE = (8, 3, 3, 2)
DENSE = np.where(np.random.default_rng(3).random(SHAPE) < 0.3, np.random.default_rng(4).standard_normal(SHAPE), 0).astype(np.float32)
DENSE[5] = 0


def csr(**changes) -> dict[str, object]:
    """DENSE in CSR form, written by hand; a change of None drops the field."""
    rows = DENSE.reshape(8, 18)
    counts = [int(np.count_nonzero(row)) for row in rows]
    fields = {
        "data": rows[rows != 0],
        "indices": np.concatenate([np.flatnonzero(row) for row in rows]).astype(np.int32),
        "indptr": np.array([sum(counts[:i]) for i in range(9)], np.int32),
        "shape": np.array(SHAPE),
        "group": np.int32(2),
        "in_channels": np.int32(6),
    } | changes
    return {name: value for name, value in fields.items() if value is not None}


def read(path, layer=LAYER, **config):
    return open_source({"kind": "files", "path": str(path), **config}).weights_for(layer, None, 0)


@pytest.fixture
def npz(tmp_path: Path):
    def write(**changes) -> Path:
        file = tmp_path / "block_conv.npz"
        np.savez(file, **csr(**changes))
        return file

    return write


def test_csr_form(npz):
    weights = read(npz())
    assert np.array_equal(weights.array, DENSE) and weights.array.dtype == np.float32
    assert weights.density == np.count_nonzero(DENSE) / DENSE.size
    assert weights.pattern == "real" and weights.source.endswith("block_conv.npz")
    assert weights.array.flags.c_contiguous and not weights.array.flags.writeable


def test_scipy_form(tmp_path: Path):
    sparse = pytest.importorskip("scipy.sparse", reason="scipy writes the file of this test")
    for name, form in (("csr", sparse.csr_matrix), ("csc", sparse.csc_matrix)):
        sparse.save_npz(tmp_path / f"{name}.npz", form(DENSE.reshape(8, 18)))
    layers = {"block/conv": str(tmp_path / "csr.npz")}
    assert np.array_equal(read("???", layers=layers).array, DENSE)
    with pytest.raises(InputError, match=r"csc\.npz: format is b'csc'; allowed: csr"):
        read("???", layers={"block/conv": str(tmp_path / "csc.npz")})


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ">f4"])
def test_dense_forms(tmp_path: Path, kind):
    dense = DENSE.astype(np.float16).astype(kind)
    np.save(tmp_path / "block_conv.npy", np.asfortranarray(dense))
    assert np.array_equal(read(tmp_path).array, dense.astype(np.float32))
    (tmp_path / "block_conv.npy").unlink()
    (tmp_path / "block").mkdir()
    np.savez(tmp_path / "block" / "conv.npz", anything=dense)
    weights = read(tmp_path)
    assert np.array_equal(weights.array, dense.astype(np.float32)) and weights.array.flags.c_contiguous


def test_one_file_with_several_layers(tmp_path: Path):
    file = tmp_path / "all.npz"
    np.savez(file, **{"block.conv.weight": DENSE, "fc.weight": np.ones((2, 2))})
    weights = read(file)
    assert np.array_equal(weights.array, DENSE) and weights.source == f"{file}:block.conv.weight"
    source = open_source({"kind": "files", "path": str(file)})
    assert source.weights_for(layer_from_descriptor('ic3ih8oc4kh3n"other"'), None, 0) is None
    assert "it holds block.conv.weight, fc.weight" in source.description and not source.takes_density
    with pytest.raises(InputError, match=r"holds 2 arrays \(block\.conv\.weight, fc\.weight\), none named after the layer"):
        source.weights_for(layer_from_descriptor("ic3ih8oc4kh3"), None, 0)


def test_a_layer_without_a_name_takes_a_file_of_one_layer(tmp_path: Path):
    np.save(tmp_path / "mine.npy", DENSE)
    unnamed = layer_from_descriptor("g2ic6ih9oc8kh3kw2ph1sh1iw9")
    assert np.array_equal(read(tmp_path / "mine.npy", unnamed).array, DENSE)
    assert read(tmp_path / "mine.npy") is None
    with pytest.raises(InputError, match=r"mine\.npy has shape \(8, 3, 3, 2\); allowed: \(4, 3, 3, 3\)"):
        read(tmp_path / "mine.npy", layer_from_descriptor("ic3ih8oc4kh3"))


def test_safetensors(tmp_path: Path):
    numpy = pytest.importorskip("safetensors.numpy", reason="the package safetensors is not installed")
    file = tmp_path / "model.safetensors"
    numpy.save_file({"block.conv.weight": DENSE, "step": np.ones(1, np.int64)}, file)
    assert np.array_equal(read(file).array, DENSE)
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(InputError, match=r"model\.safetensors' cannot be read as \.safetensors"):
        read(file)


def test_safetensors_absent_says_what_to_install(tmp_path: Path, monkeypatch):
    (tmp_path / "m.safetensors").write_bytes(b"x")
    real_import = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("safetensors"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"needs the package safetensors \(pip install safetensors, or 'breakeven\[all\]'\)"):
        read(tmp_path / "m.safetensors")


def changed(name, at, value):
    array = np.array(csr()[name])
    array[at] = value
    return {name: array}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shape": None}, ["lacks the field shape"]),
        ({"shape": np.array([8, 3, 2, 3])}, ["shape is (8, 3, 2, 3)", "allowed: (8, 3, 3, 2), or (8, 18)"]),
        ({"group": np.int32(1)}, ["group is 1; allowed: 2"]),
        ({"in_channels": np.int32(3)}, ["in_channels is 3; allowed: 6"]),
        (changed("data", 2, np.nan), ["data[2] is nan; allowed: finite numbers"]),
        ({"data": np.ones(3, np.int32)}, ["data is 1-dimensional int32; allowed: 1-dimensional floats"]),
        ({"indices": csr()["indices"].astype(float)}, ["indices is 1-dimensional float64; allowed: 1-dimensional whole numbers"]),
        ({"indptr": np.zeros((3, 3), np.int32)}, ["indptr is 2-dimensional int32"]),
        ({"indptr": np.zeros(0, np.int32)}, ["indptr has 0 values, none; allowed: 9 from 0"]),
        (changed("indptr", 0, 1), ["indptr has 9 values, first 1"]),
        (changed("indptr", 8, 99), ["last 99; allowed: 9 from 0 to"]),
        (changed("indptr", 4, 999), ["never fall"]),
        (changed("indices", 0, 18), ["indices go from", "to 18; allowed: 0 to 17"]),
        (changed("indices", 0, -1), ["indices go from -1"]),
        (changed("indices", 1, csr()["indices"][0]), ["indices of row 0 hold a column twice"]),
        ({"indices": csr()["indices"][:-1]}, ["indices has", "one for each of data"]),
    ],
)
def test_a_wrong_csr_field_is_refused_by_name(npz, changes, words):
    file = npz(**changes)
    with pytest.raises(InputError) as caught:
        read(file)
    for word in (file.name, *words):
        assert word in str(caught.value)


def test_dense_arrays_are_checked(tmp_path: Path):
    file = tmp_path / "block_conv.npy"
    bad = DENSE.copy()
    bad[1, 2, 0, 1] = np.inf
    for array, words in (
        (bad, r"block_conv\.npy\[1, 2, 0, 1\] is inf; allowed: finite numbers"),
        (DENSE[:4], r"has shape \(4, 3, 3, 2\); allowed: \(8, 3, 3, 2\)"),
        (DENSE.astype(int), r"has dtype int64; allowed: float16, float32, float64"),
        (np.array([{"a": 1}], dtype=object), r"cannot be read as \.npy: .*allow_pickle"),
        (DENSE.astype(np.float64) * 1e300, r"is -?inf; allowed: finite"),
    ):
        np.save(file, array, allow_pickle=True)
        with pytest.raises(InputError, match=words):
            read(file)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(data=st.data())
def test_a_damaged_npz_never_ends_in_a_traceback(tmp_path_factory, data):
    """Flip bytes or cut the file: either it still reads as the same numbers, or the message names it."""
    folder = tmp_path_factory.mktemp("damaged")
    file = folder / "block_conv.npz"
    np.savez(file, **csr())
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))])
    try:
        weights = read(file)
    except InputError as error:
        assert "block_conv.npz" in str(error)
    else:
        assert np.array_equal(weights.array, DENSE)


def test_a_folder_without_the_layer_skips_it(tmp_path: Path):
    np.save(tmp_path / "conv1.npy", DENSE)
    (tmp_path / "readme.txt").write_text("")
    source = open_source({"kind": "files", "path": str(tmp_path), "layers": {}})
    assert source.weights_for(LAYER, None, 0) is None
    assert source.description == f"{str(tmp_path)!r} (it holds conv1.npy)"
    assert "no .npz or .npy or .safetensors file" in open_source({"kind": "files", "path": str(tmp_path.parent)}).description


def test_two_files_for_one_layer_are_refused(tmp_path: Path):
    np.save(tmp_path / "block_conv.npy", DENSE)
    np.savez(tmp_path / "block_conv.npz", **csr())
    with pytest.raises(InputError, match=r"all belong to layer 'block/conv'; allowed: one, or 'weights\.layers=\{block/conv: FILE\}'"):
        read(tmp_path)


def test_an_override_wins_over_the_folder(tmp_path: Path):
    np.save(tmp_path / "block_conv.npy", DENSE)
    np.save(tmp_path / "other.npy", 2 * DENSE)
    assert np.array_equal(read(tmp_path, layers={"block/conv": str(tmp_path / "other.npy")}).array, 2 * DENSE)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "weights.path is None; allowed: a folder or file with weights"),
        ({"path": "???"}, "weights.path is '???'"),
        ({"path": 3}, "weights.path is 3"),
        ({"path": "/nowhere/at/all"}, "weights.path: there is no file or folder '/nowhere/at/all'"),
        ({"path": __file__}, "allowed: a folder, or a file ending in .npz, .npy, .safetensors"),
        ({"path": ".", "layers": ["a"]}, "weights.layers is ['a']; allowed: a mapping"),
        ({"layers": {"conv1": "/nowhere.npz"}}, "weights.layers.conv1: there is no file or folder '/nowhere.npz'"),
        ({"layers": {"conv1": "."}}, "weights.layers.conv1 is the folder '.'; allowed: a file"),
        ({"pth": "."}, "weights=files has no field 'pth'; allowed: path, layers. Did you mean 'path'?"),
    ],
)
def test_a_wrong_configuration_is_refused_by_field(config, words):
    with pytest.raises(InputError) as caught:
        open_source({"kind": "files", **config})
    assert words in str(caught.value)
