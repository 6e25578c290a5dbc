"""An image folder: ``train/CLASS/*.png`` and ``test/CLASS/*.png``, as ImageNet is usually laid out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsl.data.split import Data, Labels, check_counts
from perfmodel import InputError

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


@dataclass(frozen=True)
class FolderSplit:
    """Images read from their files when they are needed."""

    files: tuple[Path, ...]
    labels: Labels
    shape: tuple[int, int, int]

    def __len__(self) -> int:
        return len(self.files)

    def take(self, places: NDArray[np.int64]) -> tuple[NDArray[np.float32], Labels]:
        """As of :class:`gsl.data.split.Split`."""
        return np.stack([self._image(self.files[i]) for i in places]), self.labels[places]

    def _image(self, file: Path) -> NDArray[np.float32]:
        """Scaled so that the shorter side fits, the middle cut out, -1 to 1."""
        from PIL import Image, UnidentifiedImageError

        channels, height, width = self.shape
        try:
            with Image.open(file) as opened:
                image = opened.convert("L" if channels == 1 else "RGB")
        except (OSError, UnidentifiedImageError) as error:
            raise InputError(f"image {str(file)!r} cannot be read: {error}") from None
        scale = max(width / image.width, height / image.height)
        image = image.resize((max(width, round(image.width * scale)), max(height, round(image.height * scale))))
        left, top = (image.width - width) // 2, (image.height - height) // 2
        pixels: NDArray[Any] = np.asarray(image.crop((left, top, left + width, top + height)), np.float32) / np.float32(127.5) - 1
        return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def folder(path: str, size: int = 224, channels: int = 3, validation: float = 0.1, flips: bool = True) -> Data:
    """Classes are the sub-folders of ``path``/train in order; ``validation`` is the share of the training images that is held back.

    The test images lie in ``path``/test or ``path``/val. Raises :class:`InputError` for missing folders, no images, other classes
    in the test set, and numbers that cannot be.
    """
    check_counts(size=size, channels=channels)
    if not 0.0 < validation < 1.0:
        raise InputError(f"dataset.validation is {validation!r}; allowed: a share between 0 and 1")
    root = Path(path).expanduser()
    tests = [root / name for name in ("test", "val") if (root / name).is_dir()]
    if not (root / "train").is_dir() or not tests:
        raise InputError(f"dataset.path is {path!r}; allowed: a folder with train/CLASS/ and test/CLASS/ (or val/CLASS/)")
    classes = sorted(entry.name for entry in (root / "train").iterdir() if entry.is_dir())
    if extra := sorted(entry.name for entry in tests[0].iterdir() if entry.is_dir() and entry.name not in classes):
        raise InputError(f"{str(tests[0])!r} has class {extra[0]!r}; allowed: those of train: {', '.join(classes[:8])}")
    shape = (channels, size, size)
    files, labels = _listed(root / "train", classes)
    held = np.zeros(len(files), bool)
    held[np.random.default_rng(0).permutation(len(files))[: round(validation * len(files))]] = True

    def part(wanted: bool) -> FolderSplit:
        chosen = np.flatnonzero(held == wanted)
        return FolderSplit(tuple(files[i] for i in chosen), labels[chosen], shape)

    test = FolderSplit(*_listed(tests[0], classes), shape)
    return Data(root.name, len(classes), shape, part(False), part(True), test, flips).check()


def _listed(root: Path, classes: list[str]) -> tuple[tuple[Path, ...], Labels]:
    found = [(f, i) for i, name in enumerate(classes) for f in sorted((root / name).glob("*")) if f.suffix.lower() in _SUFFIXES]
    if not found:
        raise InputError(f"no images in {str(root)!r}; allowed: CLASS/*{', CLASS/*'.join(_SUFFIXES)}")
    return tuple(f for f, _ in found), np.array([i for _, i in found], np.int64)
