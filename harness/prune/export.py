"""What a pruning run leaves for others: weights in four forms, epochs as CSV and for TensorBoard."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.contract import InputError, Problem
from harness.files import write_atomically

EPOCHS_NAME = "epochs.csv"


def export_weights(model: Any, problems: Mapping[str, Problem], shape: Sequence[int], folder: Path, notice: Callable[[str], None]) -> Path:
    """Write ``model.pt`` (state_dict), ``model.safetensors``, ``model.onnx`` and ``csr/LAYER.npz``; returns the folder of the last.

    What needs a package that is missing is left out, and ``notice`` hears it.
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().contiguous().clone() for name, value in model.state_dict().items()}
    _whole(folder / "model.pt", lambda path: torch.save(state, path))
    try:
        from safetensors.torch import save_file

        _whole(folder / "model.safetensors", lambda path: save_file(state, str(path)))
    except ImportError:
        notice("model.safetensors is left out: pip install safetensors")
    try:
        import onnx  # noqa: F401

        model.eval()
        example = torch.zeros((1, *shape))
        _whole(folder / "model.onnx", lambda path: torch.onnx.export(model, (example,), str(path), dynamo=False))
    except ImportError:
        notice("model.onnx is left out: pip install 'breakeven[onnx]'")
    modules = dict(model.named_modules())
    for name, problem in problems.items():
        write_csr(folder / "csr" / f"{name.replace('/', '_')}.npz", modules[name].weight.detach().contiguous().numpy(), problem)
    return folder / "csr"


def write_csr(path: Path, weight: np.ndarray, problem: Problem) -> None:
    """One layer as CSR over its output channels, columns (c * kh + r) * kw + s with c inside the group; read by ``weights=files``."""
    rows = weight.reshape(weight.shape[0], -1)
    kept = rows != 0
    indptr = np.concatenate([[0], np.cumsum(kept.sum(1))]).astype(np.int32)
    arrays = {"data": rows[kept].astype(np.float32), "indices": np.nonzero(kept)[1].astype(np.int32), "indptr": indptr}
    fields = {"shape": np.array(weight.shape, np.int64), "group": np.int64(problem.g), "in_channels": np.int64(problem.ic)}
    path.parent.mkdir(parents=True, exist_ok=True)

    def save(draft: Path) -> None:
        with draft.open("wb") as file:
            np.savez_compressed(file, **arrays, **fields)  # type: ignore[arg-type]

    _whole(path, save)


def write_epochs(folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write ``epochs.csv``, a line an epoch; ``density/LAYER`` columns where there are masks."""
    names = list(dict.fromkeys(name for line in history for name in line))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_atomically(folder / EPOCHS_NAME, text.getvalue())


def write_tensorboard(folder: Path, history: Sequence[Mapping[str, Any]]) -> bool:
    """Write the epochs for TensorBoard under ``tensorboard/``; False where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return False
    with SummaryWriter(str(folder / "tensorboard")) as writer:
        for line in history:
            for name, value in line.items():
                if name != "epoch":
                    writer.add_scalar(name, value, line["epoch"])
    return True


def _whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file under another name and rename it, so that none is ever half-written."""
    draft = path.with_name(f".draft-{path.name}")
    try:
        write(draft)
        draft.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}") from None
    finally:
        draft.unlink(missing_ok=True)
