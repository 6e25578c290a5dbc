"""What a pruning run leaves: whole files, also of networks that ONNX cannot hold, and one message for a full disk."""

import numpy as np
import pytest

from harness.contract import InputError, Problem

torch = pytest.importorskip("torch", reason="a pruned network is PyTorch's")

PROBLEM = Problem.parse("ic3ih8oc4kh3")


class Odd(torch.nn.Module):
    """Ends in an operator that ONNX does not have."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return torch.linalg.svdvals(self.conv(x))


def test_what_onnx_cannot_hold_is_left_out_and_said(tmp_path):
    pytest.importorskip("onnx", reason="the exporter needs onnx")
    from harness.prune.export import export_weights

    said: list[str] = []
    model = Odd()
    folder = export_weights(model, {"conv": PROBLEM}, (3, 8, 8), tmp_path, said.append)
    assert [text.partition(":")[0] for text in said] == ["model.onnx is left out"] and "svdvals" in said[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["csr", "model.pt", "model.safetensors"]
    with np.load(folder / "conv.npz") as held:
        assert np.array_equal(held["data"], model.conv.weight.detach().numpy().ravel()) and tuple(held["shape"]) == (4, 3, 3, 3)
    assert torch.load(tmp_path / "model.pt", weights_only=True).keys() == {"conv.weight", "conv.bias"}


def test_a_full_disk_is_told_by_its_name(tmp_path, monkeypatch):
    from harness.prune.export import export_weights

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match=r"cannot write '.*model\.pt': No space left on device"):
        export_weights(Odd(), {}, (3, 8, 8), tmp_path / "export", print)
    assert list((tmp_path / "export").iterdir()) == []
