"""A labelled set of images, its splits, and the batches of an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from perfmodel import InputError

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


class Split(Protocol):
    """Images with labels, by index."""

    def __len__(self) -> int:
        """How many images."""
        ...

    def take(self, places: NDArray[np.int64]) -> tuple[NDArray[np.float32], Labels]:
        """Images (n, channels, height, width), about zero mean and unit range, and their labels."""
        ...


@dataclass(frozen=True)
class ArraySplit:
    """A split in memory: ``images`` uint8 (n, c, h, w), ``labels`` int64 (n,)."""

    images: Images
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, places: NDArray[np.int64]) -> tuple[NDArray[np.float32], Labels]:
        """As of :class:`Split`; 0 to 255 becomes -1 to 1."""
        return self.images[places].astype(np.float32) / np.float32(127.5) - 1, self.labels[places]


@dataclass(frozen=True)
class Data:
    """Training, validation and test split; ``shape`` is (channels, height, width). The test split is looked at once, at the end."""

    name: str
    classes: int
    shape: tuple[int, int, int]
    train: Split
    validation: Split
    test: Split
    flips: bool = True

    def check(self) -> Data:
        """Itself, with splits that check each batch where they are not in memory.

        Raises :class:`InputError` for empty splits, images of another shape or labels outside the classes.
        """
        checked: dict[str, Any] = {}
        for name in ("train", "validation", "test"):
            split = getattr(self, name)
            if not len(split):
                raise InputError(f"data set {self.name!r}: the {name} split is empty; allowed: at least one image")
            if isinstance(split, CheckedSplit):
                continue
            images, labels = split.take(np.arange(min(len(split), 512)))
            _check_batch(self, name, images, split.labels if isinstance(split, ArraySplit) else labels)
            checked[name] = split if isinstance(split, ArraySplit) else CheckedSplit(split, self, name)
        return replace(self, **checked)


@dataclass(frozen=True)
class CheckedSplit:
    """``split`` of ``data``, each batch checked as it is read: a label that is none would otherwise end training anywhere."""

    split: Split
    data: Data
    name: str

    def __len__(self) -> int:
        return len(self.split)

    def take(self, places: NDArray[np.int64]) -> tuple[NDArray[np.float32], Labels]:
        """As of :class:`Split`; raises :class:`InputError` for images of another shape or labels outside the classes."""
        images, labels = self.split.take(places)
        _check_batch(self.data, self.name, images, labels)
        return images, labels


def check_counts(**counts: object) -> None:
    """Raise :class:`InputError` unless each is a whole number from 1."""
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"dataset.{name} is {value!r}; allowed: a whole number from 1")


def _check_batch(data: Data, name: str, images: NDArray[Any], labels: NDArray[Any]) -> None:
    if images.shape[1:] != data.shape:
        raise InputError(f"data set {data.name!r}: {name} images have shape {images.shape[1:]}; allowed: {data.shape}")
    if labels.min() < 0 or labels.max() >= data.classes:
        raise InputError(
            f"data set {data.name!r}: {name} labels go from {labels.min()} to {labels.max()}; allowed: 0 to {data.classes - 1}"
        )


def batches(split: Split, size: int, seed: int, epoch: int, augment: bool, flips: bool = True, start: int = 0) -> Iterator[tuple[Any, Any]]:
    """The batches of an epoch from number ``start`` on; the last one that is not full is left out.

    Order and augmentation are functions of ``seed``, ``epoch`` and the batch's number, so that a run may go on in the middle.
    Augmentation: each image mirrored or not (``flips``), and one shift of up to 2 pixels a batch.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(split))
    for number in range(start, len(split) // size):
        images, labels = split.take(order[number * size : (number + 1) * size])
        if augment:
            generator = np.random.default_rng([seed, epoch, number])
            mirrored = generator.random(len(images)) < (0.5 if flips else 0.0)
            images[mirrored] = images[mirrored, :, :, ::-1]
            images = _shifted(images, *generator.integers(-2, 3, 2))
        yield images, labels


def _shifted(images: NDArray[np.float32], down: int, right: int) -> NDArray[np.float32]:
    """Moved by whole pixels, the rim filled with the background's -1."""
    moved = np.full_like(images, -1.0)
    h, w = images.shape[2:]
    moved[:, :, max(0, down) : h + min(0, down), max(0, right) : w + min(0, right)] = images[
        :, :, max(0, -down) : h + min(0, -down), max(0, -right) : w + min(0, -right)
    ]
    return moved
