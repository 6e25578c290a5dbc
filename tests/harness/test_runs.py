"""A run's folder: journal and record, whole at any moment."""

import json
import os
import subprocess
import sys

import pytest

from harness.contract import InputError, Record, Row
from harness.contract.record import read_record
from harness.runs import RunFolder

RECORD = Record("bench", "interrupted", "2026-01-01T00:00:00+00:00", {"cpu": "x"}, {"numpy": "2"}, {"task": "bench"})


def row(name, **fields):
    return Row(name, "ic1ih1oc1kh1", "able", "good", "dense", 0.5, 1, 1, "passed", **fields)


@pytest.fixture
def run(tmp_path):
    return RunFolder.create(tmp_path / "deep" / "results", "bench-able", RECORD)


def test_a_new_folder_has_a_record_at_once(run):
    record = read_record(run.folder)
    assert record.status == "interrupted" and record.rows == ()
    assert [path.name for path in run.folder.parent.iterdir()] == [run.folder.name]
    assert run.folder.stat().st_mode & 0o777 == 0o755


def test_folders_of_the_same_second_get_numbers(tmp_path, monkeypatch):
    import harness.runs

    class Clock:
        @staticmethod
        def now():
            from datetime import datetime

            return datetime(2026, 1, 2, 3, 4, 5)

    monkeypatch.setattr(harness.runs, "datetime", Clock)
    names = [RunFolder.create(tmp_path, "bench-able", RECORD).folder.name for _ in range(3)]
    assert names == ["20260102-030405-bench-able", "20260102-030405-bench-able-2", "20260102-030405-bench-able-3"]


def test_every_case_is_in_journal_and_record(run):
    run.append("one", [row("a"), row("b")])
    run.append("two", [row("c", reason="x" * 5000)])
    assert [r.layer for r in read_record(run.folder).rows] == ["a", "b", "c"]
    assert read_record(run.folder).status == "interrupted"
    assert run.has("one") and not run.has("three")
    path = run.finish("complete")
    assert path.name == "record.json" and read_record(path).status == "complete"
    lines = (run.folder / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["case"] for line in lines] == ["one", "two"]


@pytest.mark.parametrize("cut", [2, 7, 40, 400])
def test_resume_after_a_kill_loses_only_the_line_that_was_cut(run, cut):
    run.append("one", [row("a")])
    run.append("two", [row("b")])
    journal = run.folder / "journal.jsonl"
    os.truncate(journal, journal.stat().st_size - cut)
    (run.folder / ".record.json.abcd").write_text('{"half": ')
    again = RunFolder.resume(run.folder / "record.json")
    assert again.has("one") and not again.has("two")
    again.append("two", [row("b2")])
    again.append("three", [row("c")])
    assert [r.layer for r in read_record(run.folder).rows] == ["a", "b2", "c"]
    assert [r.layer for r in RunFolder.resume(run.folder).record.rows] == ["a", "b2", "c"]
    assert sorted(path.name for path in run.folder.iterdir()) == [".lock", "journal.jsonl", "record.json"], "it is still open"


def test_a_line_that_lacks_only_its_end_is_whole(run):
    run.append("one", [row("a")])
    journal = run.folder / "journal.jsonl"
    os.truncate(journal, journal.stat().st_size - 1)
    again = RunFolder.resume(run.folder)
    again.append("two", [row("b")])
    assert [json.loads(line)["case"] for line in journal.read_text().splitlines()] == ["one", "two"]


def test_a_line_of_anything_is_a_case_to_measure_again(run):
    """What a file system may leave of the last line after a loss of power."""
    run.append("one", [row("a")])
    with (run.folder / "journal.jsonl").open("ab") as journal:
        journal.write(b"\x00\xff\xfe\x00")
    again = RunFolder.resume(run.folder)
    again.append("two", [row("b")])
    assert [r.layer for r in RunFolder.resume(run.folder).record.rows] == ["a", "b"]


def test_resume_when_the_record_lags_behind_the_journal(run):
    """The kill came between the two."""
    run.append("one", [row("a")])
    before = (run.folder / "record.json").read_bytes()
    run.append("two", [row("b")])
    (run.folder / "record.json").write_bytes(before)
    assert [r.layer for r in RunFolder.resume(run.folder).record.rows] == ["a", "b"]


@pytest.mark.parametrize(
    "line", ['{"case": "one"}', "[1]", '{"rows": []}', '{"case": "one", "rows": [{"layer": "a"}]}', '{"case": 1, "rows": []}']
)
def test_a_journal_that_is_none(run, line):
    (run.folder / "journal.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=r"journal\.jsonl:1"):
        RunFolder.resume(run.folder)


def test_nan_never_gets_into_a_file(run):
    with pytest.raises(ValueError, match="not JSON compliant"):
        run.append("one", [row("a", spread=float("nan"))])
    assert read_record(run.folder).rows == ()


def test_discard_leaves_no_trace_of_an_empty_run(run, tmp_path):
    run.discard()
    assert list(tmp_path.iterdir()) == []


def test_discard_keeps_what_was_finished_and_what_others_made(run, tmp_path):
    (run.folder.parent / "other").mkdir()
    run.discard()
    assert [path.name for path in (tmp_path / "deep" / "results").iterdir()] == ["other"]
    second = RunFolder.create(tmp_path / "deep" / "results", "x", RECORD)
    second.append("one", [row("a")])
    second.discard()
    assert read_record(second.folder).rows
    resumed = RunFolder.resume(RunFolder.create(tmp_path, "y", RECORD).folder)
    resumed.discard()
    assert read_record(resumed.folder).status == "interrupted"


def test_discard_keeps_the_record_beside_a_tasks_own_files(run):
    (run.folder / "checkpoint.pt").write_bytes(b"weights")
    run.discard()
    assert read_record(run.folder).status == "interrupted" and RunFolder.resume(run.folder)


def test_no_record_no_resume(tmp_path):
    with pytest.raises(InputError, match="no record at"):
        RunFolder.resume(tmp_path)


def test_a_folder_belongs_to_one_process_at_a_time(run):
    code = f"from harness.runs import RunFolder; RunFolder.resume({str(run.folder)!r})"

    def other():
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr

    message = f"another process is at work in {str(run.folder)!r}; allowed: wait until it ends, or stop it first"
    assert message in other()
    run.finish("complete")
    assert other() == ""


def test_rows_added_to_a_run_that_has_ended_leave_it_complete(run):
    run.finish("complete")
    again = RunFolder.resume(run.folder, status="complete")
    again.append("late", [row("a")])
    again.note("prune", "time", {})
    assert read_record(run.folder).status == "complete" and len(read_record(run.folder).rows) == 1
