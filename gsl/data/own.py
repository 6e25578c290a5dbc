"""A user's own data: Data as it is, or two or three map-style Datasets (torch's, torchvision's, any with len and [i])."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsl.data.split import Data, Labels
from perfmodel import InputError

_ALLOWED = (
    "a gsl.data.split.Data, or (train, test) or (train, validation, test) of Datasets whose items are "
    "(image of shape (channels, height, width), label)"
)


@dataclass(frozen=True)
class DatasetSplit:
    """Items ``places`` of a Dataset; bytes 0 to 255 become -1 to 1, other numbers stay what they are."""

    name: str
    dataset: Any
    places: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.places)

    def take(self, places: NDArray[np.int64]) -> tuple[NDArray[np.float32], Labels]:
        """As of :class:`gsl.data.split.Split`; raises :class:`InputError` where an item is no image with a label, or images differ."""
        items = [self._item(int(i)) for i in self.places[places]]
        if len(shapes := {image.shape for image, _ in items}) > 1:
            raise InputError(f"data set {self.name!r}: images have shapes {', '.join(map(str, sorted(shapes)))}; allowed: one shape")
        return np.stack([image for image, _ in items]), np.array([label for _, label in items], np.int64)

    def _item(self, place: int) -> tuple[NDArray[np.float32], int]:
        try:
            image, label = self.dataset[place]
            pixels, marks = np.asarray(image if hasattr(image, "shape") else None), np.asarray(label)
        except (TypeError, ValueError) as error:
            raise InputError(f"data set {self.name!r}: item {place} cannot be taken: {error}; allowed: (image, label)") from None
        if pixels.ndim != 3 or pixels.dtype.kind not in "uif" or marks.size != 1 or marks.dtype.kind not in "ui":
            found = f"a {type(image).__name__} of shape {getattr(image, 'shape', '?')} with the label {label!r}"
            raise InputError(
                f"data set {self.name!r}: item {place} is {found}; allowed: numbers of shape (channels, height, width), a whole number"
            )
        scaled = pixels.astype(np.float32)
        return scaled / np.float32(127.5) - 1 if pixels.dtype == np.uint8 else scaled, int(marks.item())


def own_data(name: str, given: Any, validation: float = 0.1) -> Data:
    """``given`` as :class:`Data`; without a validation set the share ``validation`` of the training items is held back.

    Classes are as many as ``train.classes`` names, else as the training labels (``train.targets`` or every item) tell.
    Raises :class:`InputError` for anything else.
    """
    if isinstance(given, Data):
        return given.check()
    sets = list(given) if isinstance(given, tuple | list) else []
    if len(sets) not in (2, 3) or not all(hasattr(s, "__len__") and hasattr(s, "__getitem__") and not _plain(s) for s in sets):
        raise InputError(f"data set {name!r}: its factory gave a {type(given).__name__}; allowed: {_ALLOWED}")
    train, *middle, test = sets
    every = np.arange(len(train))
    held = np.zeros(len(train), bool)
    if not middle:
        held[np.random.default_rng(0).permutation(len(train))[: max(1, round(validation * len(train)))]] = True
    splits = DatasetSplit(name, train, every[~held]), DatasetSplit(name, *(_all(middle[0]) if middle else (train, every[held])))
    if not len(splits[0]):
        raise InputError(f"data set {name!r}: the train split is empty; allowed: at least one image")
    shape = splits[0].take(np.arange(1))[0].shape[1:]
    return Data(name, _classes(train, splits[0]), (shape[0], shape[1], shape[2]), *splits, DatasetSplit(name, *_all(test)), False).check()


def _plain(given: Any) -> bool:
    return isinstance(given, str | bytes | Mapping | np.ndarray)


def _all(dataset: Any) -> tuple[Any, NDArray[np.int64]]:
    return dataset, np.arange(len(dataset))


def _classes(dataset: Any, split: DatasetSplit) -> int:
    named = getattr(dataset, "classes", None)
    if named is not None and hasattr(named, "__len__"):
        return len(named)
    targets = getattr(dataset, "targets", None)
    labels = np.asarray(targets) if targets is not None else np.array([split._item(int(i))[1] for i in split.places])
    return int(labels.max()) + 1
