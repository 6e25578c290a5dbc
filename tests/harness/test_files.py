"""Files that are whole or not there."""

import os

import pytest

from harness.contract import InputError
from harness.files import scratch_folder, write_atomically


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "a" / "b" / "file.txt"
    write_atomically(path, "one")
    write_atomically(path, "två")
    assert path.read_text(encoding="utf-8") == "två"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_failure_keeps_the_old_content_and_leaves_nothing(tmp_path, monkeypatch, fails):
    path = tmp_path / "file.txt"
    write_atomically(path, "old")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, fails, full)
        patch.setattr("pathlib.Path.replace", full) if fails == "replace" else None
        with pytest.raises(InputError, match=r"cannot write '.*file\.txt': No space left on device"):
            write_atomically(path, "new")
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file.txt", "new")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_atomically(tmp_path / "file" / "x", "new")


def test_a_scratch_folder_goes_and_what_was_made_for_it(tmp_path):
    with scratch_folder(tmp_path / "a" / "b", ".x-") as folder:
        (folder / "file").write_text("")
        assert folder.parent == tmp_path / "a" / "b"
    assert list(tmp_path.iterdir()) == []
    with scratch_folder(tmp_path / "a", ".x-") as folder:
        (tmp_path / "a" / "kept").write_text("")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["kept"]
    with pytest.raises(InputError, match="cannot make the folder"), scratch_folder(tmp_path / "a" / "kept" / "b", ".x-"):
        pass
