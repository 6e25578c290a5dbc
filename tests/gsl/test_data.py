"""Data sets and batches: the same for everybody, and clear errors for what does not fit."""

from __future__ import annotations

import gzip
import re

import numpy as np
import pytest

from gsl.data.folder import folder
from gsl.data.idx import idx
from gsl.data.own import own_data
from gsl.data.shapes import KINDS, shapes
from gsl.data.split import ArraySplit, Data, batches
from perfmodel import InputError


def write_idx(path, images, labels, prefix="train", pack=False):
    n, h, w = images.shape
    head = (2051).to_bytes(4, "big") + b"".join(v.to_bytes(4, "big") for v in (n, h, w))
    files = {
        f"{prefix}-images-idx3-ubyte": head + images.tobytes(),
        f"{prefix}-labels-idx1-ubyte": (2049).to_bytes(4, "big") + len(labels).to_bytes(4, "big") + labels.astype(np.uint8).tobytes(),
    }
    for name, raw in files.items():
        (path / (name + ".gz" * pack)).write_bytes(gzip.compress(raw) if pack else raw)


@pytest.fixture
def folder_of_idx(tmp_path, rng):
    for prefix, count, pack in (("train", 30, True), ("t10k", 10, False)):
        write_idx(tmp_path, rng.integers(0, 256, (count, 6, 5), np.uint8), np.arange(count) % 10, prefix, pack)
    return tmp_path


def test_shapes_are_the_same_every_time_and_of_ten_kinds():
    first, again = shapes(60, 20, 20), shapes(60, 20, 20)
    assert np.array_equal(first.train.images, again.train.images) and np.array_equal(first.test.labels, again.test.labels)
    assert first.shape == (1, 28, 28) and first.classes == len(KINDS) == 10
    assert not np.array_equal(first.train.images[:20], first.test.images)
    images, labels = first.train.take(np.arange(5))
    assert images.dtype == np.float32 and -1 <= images.min() < images.max() <= 1 and labels.dtype == np.int64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": -1}, "dataset.train is -1; allowed: a whole number from 1"),
        ({"validation": 0}, "dataset.validation is 0; allowed"),
        ({"test": 2.5}, "dataset.test is 2.5; allowed"),
        ({"size": 0}, "dataset.size is 0; allowed"),
        ({"noise": -0.5}, "dataset.noise is -0.5; allowed: a number from 0"),
    ],
)
def test_shapes_that_cannot_be(options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        shapes(**options)


def test_batches_are_a_function_of_seed_epoch_and_number():
    data = shapes(100, 10, 10)

    def all_of(seed=1, epoch=0, start=0):
        return [(x.copy(), y.copy()) for x, y in batches(data.train, 16, seed, epoch, True, True, start)]

    full = all_of()
    assert len(full) == 6
    for (x, y), (u, v) in zip(full[4:], all_of(start=4), strict=True):
        assert np.array_equal(x, u) and np.array_equal(y, v)
    assert not np.array_equal(full[0][1], all_of(epoch=1)[0][1]) and not np.array_equal(full[0][1], all_of(seed=2)[0][1])


def test_augmentation_only_mirrors_and_shifts(rng):
    images = rng.integers(0, 256, (8, 1, 9, 7), np.uint8)
    images[:, :, :2] = images[:, :, -2:] = images[:, :, :, :2] = images[:, :, :, -2:] = 0
    split = ArraySplit(images, np.arange(8))
    plain = split.take(np.arange(8))[0]
    for x, y in batches(split, 4, 3, 0, True):
        for image, label in zip(x, y, strict=True):
            assert np.array_equal(np.sort(image, None), np.sort(plain[label], None)), "a rim of background: nothing is lost"


def test_idx_files_packed_or_not(folder_of_idx):
    data = idx(str(folder_of_idx), train=20, validation=10)
    assert (len(data.train), len(data.validation), len(data.test), data.shape) == (20, 10, 10, (1, 6, 5))


def test_idx_errors_name_the_file_and_the_remedy(folder_of_idx, rng):
    with pytest.raises(InputError, match="train \\+ validation is 31; allowed: at most 30"):
        idx(str(folder_of_idx), train=21, validation=10)
    with pytest.raises(InputError, match="train labels go from 0 to 9; allowed: 0 to 6"):
        idx(str(folder_of_idx), train=20, validation=10, classes=7)
    (folder_of_idx / "t10k-images-idx3-ubyte").write_bytes(b"\0" * 40)
    with pytest.raises(InputError, match="begins with 0 and holds 40 bytes; allowed: an IDX file of kind 2051"):
        idx(str(folder_of_idx), train=20, validation=10)
    write_idx(folder_of_idx, rng.integers(0, 256, (9, 6, 5), np.uint8), np.arange(10), "t10k")
    with pytest.raises(InputError, match="9 t10k images and 10 labels"):
        idx(str(folder_of_idx), train=20, validation=10)
    with pytest.raises(InputError, match="apt-get install dataset-fashion-mnist"):
        idx(str(folder_of_idx / "nowhere"))


def test_image_folder(tmp_path, rng):
    image = pytest.importorskip("PIL.Image", reason="image folders need Pillow")
    for part, count in (("train", 10), ("val", 3)):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(count):
                image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(tmp_path / part / name / f"{i}.png")
    data = folder(str(tmp_path), size=16)
    assert (len(data.train), len(data.validation), len(data.test), data.classes) == (18, 2, 6, 2)
    images, labels = data.test.take(np.array([0, 5]))
    assert images.shape == (2, 3, 16, 16) and labels.tolist() == [0, 1]
    (tmp_path / "val" / "mouse").mkdir()
    with pytest.raises(InputError, match="has class 'mouse'; allowed: those of train: cat, dog"):
        folder(str(tmp_path), size=16)
    with pytest.raises(InputError, match="a folder with train/CLASS/ and test/CLASS/"):
        folder(str(tmp_path / "train"))


def test_splits_that_do_not_fit_are_refused():
    good = ArraySplit(np.zeros((4, 1, 5, 5), np.uint8), np.arange(4))
    with pytest.raises(InputError, match="the test split is empty"):
        Data("mine", 4, (1, 5, 5), good, good, ArraySplit(good.images[:0], good.labels[:0])).check()
    with pytest.raises(InputError, match=r"train images have shape \(1, 5, 5\); allowed: \(3, 5, 5\)"):
        Data("mine", 4, (3, 5, 5), good, good, good).check()
    with pytest.raises(InputError, match="labels go from 0 to 3; allowed: 0 to 1"):
        Data("mine", 2, (1, 5, 5), good, good, good).check()


class Items:
    """A map-style Dataset as torch wants it."""

    def __init__(self, count, image=None, label=None, **named):
        self.count, self.image, self.label = count, np.zeros((1, 6, 5), np.float32) if image is None else image, label
        vars(self).update(named)

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        return self.image, i % 4 if self.label is None else self.label(i)


def test_a_datasets_items_become_splits(torch):
    data = own_data("mine", (Items(20, torch.full((3, 6, 5), 255, dtype=torch.uint8)), Items(8, np.ones((3, 6, 5), np.uint8) * 255)))
    assert (len(data.train), len(data.validation), len(data.test), data.classes, data.shape) == (18, 2, 8, 4, (3, 6, 5))
    images, labels = data.test.take(np.array([1, 6]))
    assert images.dtype == np.float32 and (images == 1).all() and labels.tolist() == [1, 2]
    three = own_data("mine", (Items(20, classes=list("abcdefg")), Items(4, targets=[3]), Items(8)))
    assert (len(three.train), len(three.validation), three.classes) == (20, 4, 7)
    assert own_data("mine", three) == three, "checked once"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Items(4), "factory gave a Items; allowed: a gsl.data.split.Data, or"),
        ((Items(4), [1, 2], "x"), "factory gave a tuple"),
        ((Items(4), Items(0)), "the test split is empty"),
        ((Items(4, image="x"), Items(4)), r"item 0 is a str of shape \? with the label 0; allowed: numbers of shape"),
        ((Items(4, image=np.zeros((6, 5))), Items(4)), r"is a ndarray of shape \(6, 5\)"),
        ((Items(4, label=lambda i: "cat"), Items(4)), "with the label 'cat'"),
        ((Items(4), Items(4, image=np.zeros((1, 7, 5)))), r"test images have shape \(1, 7, 5\); allowed: \(1, 6, 5\)"),
        ((Items(9, targets=[0, 1]), Items(4)), "train labels go from 0 to 3; allowed: 0 to 1"),
    ],
)
def test_a_users_data_that_does_not_fit_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        own_data("mine", given)


def test_a_wrong_label_far_back_is_found_when_its_batch_is_read():
    data = own_data(
        "mine", (Items(2000, label=lambda i: 9 if i == 1999 else 0, classes=["a"]), Items(4, label=lambda i: 0)), validation=0.001
    )
    with pytest.raises(InputError, match="data set 'mine': train labels go from 0 to 9; allowed: 0 to 0"):
        list(batches(data.train, 16, 1, 0, augment=False))


def test_idx_files_cut_short(folder_of_idx):
    packed = folder_of_idx / "train-images-idx3-ubyte.gz"
    whole = packed.read_bytes()
    packed.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte\.gz' cannot be read"):
        idx(str(folder_of_idx), train=20, validation=10)
    packed.write_bytes(whole)
    plain = folder_of_idx / "t10k-labels-idx1-ubyte"
    for left in (12, 6, 0):
        plain.write_bytes(plain.read_bytes()[:left])
        with pytest.raises(InputError, match=f"holds {left} bytes; allowed: an IDX file of kind 2049, complete"):
            idx(str(folder_of_idx), train=20, validation=10)
