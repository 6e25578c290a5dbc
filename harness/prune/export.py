"""What a pruning run leaves for others: weights in four forms, epochs as CSV and for TensorBoard."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.contract import Problem
from harness.files import write_atomically

EPOCHS_NAME = "epochs.csv"


def export_weights(model: Any, problems: Mapping[str, Problem], shape: Sequence[int], folder: Path, notice: Callable[[str], None]) -> Path:
    """Write ``model.pt`` (state_dict), ``model.safetensors``, ``model.onnx`` and ``csr/LAYER.npz``; returns the folder of the last.

    What needs a package that is missing is left out, and ``notice`` hears it. Raises :class:`InputError` where a file cannot be written.
    """
    import torch

    state = {name: value.detach().contiguous().clone() for name, value in model.state_dict().items()}
    content = io.BytesIO()
    torch.save(state, content)
    write_atomically(folder / "model.pt", content.getbuffer())
    try:
        from safetensors.torch import save

        write_atomically(folder / "model.safetensors", save(state))
    except ImportError:
        notice("model.safetensors is left out: pip install safetensors")
    _write_onnx(model, shape, folder / "model.onnx", notice)
    modules = dict(model.named_modules())
    for name, problem in problems.items():
        write_csr(folder / "csr" / f"{name.replace('/', '_')}.npz", modules[name].weight.detach().contiguous().numpy(), problem)
    return folder / "csr"


def _write_onnx(model: Any, shape: Sequence[int], path: Path, notice: Callable[[str], None]) -> None:
    """Write the network as ONNX, or tell ``notice`` why not: a network of one's own may hold what ONNX has no operator for."""
    import torch

    try:
        import onnx  # noqa: F401
    except ImportError:
        notice("model.onnx is left out: pip install 'breakeven[onnx]'")
        return
    model.eval()
    content = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # its successor needs one more package
            torch.onnx.export(model, (torch.zeros((1, *shape)),), content, dynamo=False)
    except Exception as error:  # an exporter of many authors: whatever it raises, the other files and the timing go on
        notice(f"model.onnx is left out: {(str(error).strip() or type(error).__name__).splitlines()[0]}")
        return
    write_atomically(path, content.getbuffer())


def write_csr(path: Path, weight: np.ndarray, problem: Problem) -> None:
    """One layer as CSR over its output channels, columns (c * kh + r) * kw + s with c inside the group; read by ``weights=files``."""
    rows = weight.reshape(weight.shape[0], -1)
    kept = rows != 0
    indptr = np.concatenate([[0], np.cumsum(kept.sum(1))]).astype(np.int32)
    arrays = {"data": rows[kept].astype(np.float32), "indices": np.nonzero(kept)[1].astype(np.int32), "indptr": indptr}
    fields = {"shape": np.array(weight.shape, np.int64), "group": np.int64(problem.g), "in_channels": np.int64(problem.ic)}
    content = io.BytesIO()
    np.savez_compressed(content, **arrays, **fields)  # type: ignore[arg-type]
    write_atomically(path, content.getbuffer())


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
