"""IDX files (MNIST, Fashion-MNIST, KMNIST): four files in a folder, packed by gzip or not."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gsl.data.split import ArraySplit, Data, Images, Labels, check_counts
from perfmodel import InputError

_IMAGES, _LABELS = 2051, 2049


def idx(path: str, train: int = 12000, validation: int = 2000, classes: int = 10, flips: bool = True) -> Data:
    """The first ``train`` training images of the folder ``path``, the ``validation`` after them, and the whole test set.

    Raises :class:`InputError` for missing, broken or unfit files, saying where Debian's Fashion-MNIST comes from.
    """
    check_counts(train=train, validation=validation, classes=classes)
    folder = Path(path).expanduser()
    pairs: dict[str, tuple[Images, Labels]] = {}
    for prefix in ("train", "t10k"):
        pixels, marks = _read(folder, f"{prefix}-images-idx3-ubyte", _IMAGES), _read(folder, f"{prefix}-labels-idx1-ubyte", _LABELS)
        if len(pixels) != len(marks):
            raise InputError(f"{str(folder)!r}: {len(pixels)} {prefix} images and {len(marks)} labels; allowed: as many of each")
        pairs[prefix] = pixels[:, None], marks.astype(np.int64)
    images, labels = pairs["train"]
    if train + validation > len(images):
        raise InputError(f"train + validation is {train + validation}; allowed: at most {len(images)}, all of {str(folder)!r}")
    rest = slice(train, train + validation)
    _, _, height, width = images.shape
    splits = (ArraySplit(images[:train], labels[:train]), ArraySplit(images[rest], labels[rest]), ArraySplit(*pairs["t10k"]))
    return Data(folder.name, classes, (1, height, width), *splits, flips=flips).check()


def _read(folder: Path, name: str, magic: int) -> NDArray[np.uint8]:
    found = [file for file in (folder / name, folder / f"{name}.gz") if file.is_file()]
    if not found:
        hint = "Fashion-MNIST: apt-get install dataset-fashion-mnist puts it into /usr/share/datasets/fashion-mnist"
        raise InputError(f"no file {name!r} or {name + '.gz'!r} in {str(folder)!r}. {hint}")
    try:
        raw = gzip.decompress(found[0].read_bytes()) if found[0].suffix == ".gz" else found[0].read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{str(found[0])!r} cannot be read: {error}") from None
    kind, axes = int.from_bytes(raw[:4], "big"), 3 if magic == _IMAGES else 1
    shape = tuple(int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes))
    if kind != magic or len(raw) != 4 + 4 * axes + int(np.prod(shape)):
        raise InputError(f"{str(found[0])!r} begins with {kind} and holds {len(raw)} bytes; allowed: an IDX file of kind {magic}, complete")
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)
