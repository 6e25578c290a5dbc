"""Accuracies on the test set, each read once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.files import write_atomically

if TYPE_CHECKING:
    from gsl.data.split import Data
    from gsl.train import Trainer


def dense_accuracy(model: Any, data: Data, checkpoint: Path) -> float:
    """Of the dense network that ``checkpoint`` holds: read now and noted beside it, or as noted for that very file."""
    from gsl.train import evaluate

    note = checkpoint.with_suffix(".json")
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    try:
        noted = json.loads(note.read_text())
        if noted["checkpoint"] == digest:
            return float(noted["test_accuracy"])
    except (OSError, ValueError, TypeError, KeyError):
        pass  # none there, or not ours: made anew
    accuracy = evaluate(model, data.test)
    write_atomically(note, json.dumps({"checkpoint": digest, "test_accuracy": accuracy}) + "\n")
    return accuracy


def accuracies_on_test(trainer: Trainer) -> tuple[float, float]:
    """The last epoch's weights, and those of the epoch with the best validation accuracy; the model keeps the last."""
    import torch

    from gsl.train import evaluate

    model = trainer.model
    last = {name: value.clone() for name, value in model.state_dict().items()}
    accuracy = evaluate(model, trainer.data.test)
    if trainer.best is None or all(torch.equal(value, trainer.best[name]) for name, value in last.items()):
        return accuracy, accuracy
    model.load_state_dict(trainer.best)
    best = evaluate(model, trainer.data.test)
    model.load_state_dict(last)
    return accuracy, best
