"""The Python in docs/pruning.md does what the page says."""

from __future__ import annotations

import re


def block(repository, mark: str) -> str:
    blocks = re.findall(r"```python\n(.*?)```", (repository / "docs" / "pruning.md").read_text(), re.DOTALL)
    (found,) = [text for text in blocks if mark in text]
    return found


def test_the_loop_of_the_page_runs(torch, task, repository, capsys):
    model, optimizer, train_steps = task()
    loader = [None] * 20

    def train(model, optimizer, loader):
        train_steps(10 * len(loader))

    names = {"model": model, "optimizer": optimizer, "loader": loader, "train": train}
    exec(block(repository, "gsl.Pruning("), names)
    pruning = names["pruning"]
    low = pruning.guide.layers["conv2"].useful.low
    assert pruning.densities["conv2"] == max(low, 0.1) or abs(pruning.densities["conv2"] - max(low, 0.1)) < 0.01
    assert pruning.densities["conv1"] == pruning.densities["fc"] == 1.0 and "conv2" in capsys.readouterr().out
    assert float((model.conv2.weight == 0).float().mean()) > 0.5 and not list(model.buffers())
    assert [d.layer for d in pruning.log][:2] == ["conv1", "fc"]


def test_saving_and_going_on_as_the_page_says(torch, task, repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, optimizer, train = task()
    names = {"model": model, "optimizer": optimizer, "torch": torch}
    exec("import gsl; pruning = gsl.Pruning(model, optimizer, gsl.GMP(density=0.3, every=5), prune_steps=40, linear=False)", names)
    train(20)
    exec(block(repository, "torch.save("), names)
    train(40)
    expected = [parameter.detach().clone() for parameter in model.parameters()]
    other, optimizer2, train2 = task()
    names |= {"model": other, "optimizer": optimizer2}
    exec("pruning = gsl.Pruning(model, optimizer, gsl.GMP(density=0.3, every=5), prune_steps=40, linear=False)", names)
    exec(block(repository, "torch.load("), names)
    train2(40)
    assert all(torch.equal(a, b) for a, b in zip(expected, other.parameters(), strict=True))
    assert set(names["pruning"].finish()) == {"conv1", "conv2"}, "linear=False: convolutions only"
