"""The main job in processes of its own, with a backend that goes wrong in every way beside engines that work."""

import csv
import dataclasses
import re
import shlex

import pytest

from harness.contract.record import SCHEMA, Row, read_record

PROBLEM = 'g2mb2ic4ih6oc4kh3ph1n"odd:layer one"'
SETTINGS = ("measure.repetitions=2", "measure.cold=1")
FIELDS = (
    *("layer", "problem", "backend", "kernel", "method", "density", "batch", "threads", "status", "reason", "prepare_s", "kernel_s"),
    *("end_to_end_s", "spread", "useful_gflops", "effective_gflops", "peak_gflops", "baseline", "speedup", "projected_speedup", "repro"),
)
CLOCKS = ("prepare_s", "kernel_s", "end_to_end_s", "cold_s", "spread", "useful_gflops", "effective_gflops")


def only(record, **fields):
    """The one row in which ``fields`` have these values."""
    (row,) = [row for row in record["rows"] if all(row[name] == value for name, value in fields.items())]
    return row


@pytest.fixture(scope="module")
def whole(tmp_path_factory, make_command):
    """One run of every kernel, good and bad; gives the finished process and the command."""
    command = make_command(tmp_path_factory.mktemp("whole"))
    words = ["+backend=naughty", "backend.word=a b", "baselines=[honest,absent,crasher,lost,unsteady]", f"problem={PROBLEM}"]
    return command(*words, "density=[0.5]", "measure.timeout_s=1.5", "report=csv", "seed=3", "job=all", *SETTINGS), command


@pytest.fixture(scope="module")
def record(whole):
    (record,) = whole[1].records()
    return record


def test_a_failed_row_fails_the_run_and_the_rest_goes_on(whole, record):
    assert whole[0].returncode == 1
    assert record["status"] == "complete"
    good = only(record, backend="naughty", kernel="also_good")
    assert good["status"] in ("passed", "mistrusted"), good["reason"]


@pytest.mark.parametrize(
    ("kernel", "status", "words"),
    [
        ("segfault", "failed", ["killed by SIGSEGV", "during warm_up"]),
        ("hang", "failed", ["no answer to", "within 1.5 s"]),
        ("raise_error", "failed", ["RuntimeError: the device is on fire [/red]"]),
        ("exit", "failed", ["ended with status 7 during verify"]),
        ("wrong", "failed", ["output[0, 0, 0, 5] is", "should be", "allowed 1e-05"]),
        ("wrong_later", "failed", ["output[0, 0, 0, 0] is"]),
        ("nan", "failed", ["output[0, 0, 0, 3] is nan"]),
        ("do_nothing", "failed", ["is 0, should be"]),
        ("nan_clock", "mistrusted", ["the clock kernel_s says nan"]),
        ("noisy", "mistrusted", ["spread", "allowed 35%", "noisy"]),
        ("fast_clock", "mistrusted", [re.compile("device events 1000000 us exceed wall time|noisy")]),
        ("picky", "failed", ["colour is 'grey'; allowed: red"]),
        ("choosy", "unsupported", ["choosy does not take density 0.5"]),
        ("pointwise", "unsupported", ["kernel size 3x3; this kernel does 1x1"]),
    ],
)
def test_each_fault_is_told(record, kernel, status, words):
    row = only(record, backend="naughty", kernel=kernel)
    assert row["status"] == status
    for word in words:
        assert re.search(word if isinstance(word, re.Pattern) else re.escape(word), row["reason"])
    timed = status == "mistrusted"
    assert (row["end_to_end_s"] is not None) == timed


def test_kernels_after_a_crash_are_measured_in_a_new_worker(record):
    """Every kernel shares one worker with a segfault, an exit and a hang."""
    names = [row["kernel"] for row in record["rows"] if row["backend"] == "naughty"]
    assert names.index("good") < names.index("segfault") < names.index("also_good")
    for name in ("good", "also_good"):
        row = only(record, backend="naughty", kernel=name)
        assert row["status"] in ("passed", "mistrusted") and "not prepared" not in row["reason"]
        assert all(row[clock] is not None for clock in CLOCKS)


def test_rows_hold_every_field_and_numbers_that_fit_together(record):
    for row in record["rows"]:
        assert set(FIELDS) <= set(row) == {field.name for field in dataclasses.fields(Row)}
    row = only(record, backend="naughty", kernel="good")
    assert row["layer"] == "odd:layer one" and row["batch"] == 2 and row["density"] == 0.5 and row["threads"] == 1
    assert 1e-3 < row["kernel_s"] <= row["end_to_end_s"] * 1.5
    flop = 2 * 2 * 4 * 36 * 2 * 9
    assert row["effective_gflops"] == pytest.approx(flop / row["end_to_end_s"] / 1e9)
    assert row["useful_gflops"] == pytest.approx(flop / 2 / row["end_to_end_s"] / 1e9)
    assert row["max_error"] <= row["tolerance"] == 1e-5
    assert row["pattern"] == "uniform" and "seed 3" in row["weights"]


def test_a_speed_up_names_its_baseline(record):
    """The baseline is an exact dense kernel of an engine: neither the low-rank one nor the sparse ones."""
    honest = only(record, backend="honest")
    assert honest["kernel"] == "good" and honest["method"] == "dense"
    row = only(record, backend="naughty", kernel="good")
    if honest["status"] == "passed":
        assert row["baseline"] == {"backend": "honest", "kernel": "good", "end_to_end_s": honest["end_to_end_s"]}
        assert row["speedup"] == pytest.approx(honest["end_to_end_s"] / row["end_to_end_s"])
        assert honest["peak_gflops"] == 1000 and honest["speedup"] == 1
    else:
        assert row["baseline"] is None and row["speedup"] is None


def test_the_record_says_where_and_how(record):
    assert record["schema"] == SCHEMA and record["task"] == "bench"
    assert {"cpu", "cores", "memory_gib", "os", "python"} <= set(record["machine"])
    assert record["versions"]["naughty:strange"] == "1.5" and "numpy" in record["versions"]
    assert record["config"]["backend"] == {"name": "naughty", "word": "a b"}
    assert record["config"]["measure"] == {"repetitions": 2, "cold": 1, "timeout_s": 1.5, "patience_s": None}
    assert record["coverage"] == "1 of 1 convolutions, 100% of their FLOP"


def test_output_begins_with_the_machine_and_ends_with_the_path(whole, record):
    lines = whole[0].stdout.splitlines()
    assert record["machine"]["cpu"] in lines[0] and "backend naughty on a [bold]strange[/] device" in lines[0] and "1 thread" in lines[0]
    assert re.fullmatch(r"results/\d{8}-\d{6}-bench-naughty-all/record\.json", lines[-1])
    assert (whole[1].folder / lines[-1]).is_file()


def test_engines_that_do_not_open_are_named_with_the_reason(whole):
    text = " ".join(whole[0].stdout.split())
    assert "absent: backend 'absent' is not available here: no module named absent (pip install 'breakeven[absent-extra]')" in text
    assert "crasher: crasher worker was killed by SIGABRT during open: about to abort" in text
    assert "lost: backend 'lost' cannot be loaded from 'strange_nowhere:Nothing'" in text
    assert "unsteady: unsteady: its worker cannot be started: KeyError: 1" in text


def test_reasons_are_printed_as_they_are(whole):
    """Brackets in a reason are no markup."""
    assert "the device is on fire [/red]" in whole[0].stdout


def test_csv_holds_the_rows(whole, record):
    (path,) = whole[1].folder.glob("results/*/rows.csv")
    rows = list(csv.DictReader(path.open(newline="")))
    assert [row["kernel"] for row in rows] == [row["kernel"] for row in record["rows"]]
    for mine, theirs in zip(rows, record["rows"], strict=True):
        assert mine["problem"] == theirs["problem"] and mine["reason"] == theirs["reason"]
        assert mine["end_to_end_s"] == ("" if theirs["end_to_end_s"] is None else str(theirs["end_to_end_s"]))
        assert "baseline_backend" in mine


def test_nothing_but_the_run_is_left(whole):
    folder = whole[1].folder
    assert sorted(path.name for path in folder.iterdir()) == ["results"]
    (run,) = (folder / "results").iterdir()
    assert sorted(path.name for path in run.iterdir()) == ["journal.jsonl", "record.json", "rows.csv"]


def test_the_record_reads_back(whole, record):
    (path,) = whole[1].folder.glob("results/*")
    assert read_record(path).to_json() == record == read_record(path / "record.json").to_json()


@pytest.mark.parametrize(("backend", "kernel"), [("naughty", "good"), ("honest", "good")])
def test_the_repro_line_measures_the_row_again(record, command, backend, kernel):
    row = only(record, backend=backend, kernel=kernel)
    words = shlex.split(row["repro"])
    assert words[:3] == ["python", "-m", "harness"]
    result = command(*words[3:], "baselines=none", *SETTINGS)
    assert result.returncode == 0, result.stdout + result.stderr
    (again,) = command.records()
    again = only(again, backend=backend, kernel=kernel)
    for name in ("layer", "problem", "density", "batch", "threads", "pattern", "weights", "repro"):
        assert again[name] == row[name], name


def test_a_sweep_runs_every_job_and_leaves_nothing_else(command):
    words = ["-m", "+backend=naughty,absent", "kernels=[good]", "baselines=none", "problem=ic2ih4oc2kh3", "density=0.5", *SETTINGS]
    result = command(*words)
    assert result.returncode == 2
    assert "backend 'absent' is not available here" in result.stderr
    (record,) = command.records()
    assert record["status"] == "complete" and record["config"]["job"] == "0"
    assert sorted(path.name for path in command.folder.iterdir()) == ["results"]
    assert len(list((command.folder / "results").iterdir())) == 1
