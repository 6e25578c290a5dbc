"""Killed, interrupted and out of disk: what was finished stays, and the run goes on."""

import contextlib
import json
import random
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

DENSITIES = [round(0.02 * i, 2) for i in range(1, 25)]
RUN = (
    *("+backend=naughty", "kernels=[good]", "baselines=none", "problem=ic4ih5oc4kh3n'k'".replace("'", '"')),
    *(f"density={DENSITIES}".replace(" ", ""), "measure.repetitions=1", "measure.cold=0"),
)


def children(process: subprocess.Popen) -> list[int]:
    """Processes that ``process`` has started."""
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    return []


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_for(condition, what: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"no {what} after {seconds} s"
        time.sleep(0.005)


def journal_lines(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("results/*/journal.jsonl"))


def start_and_wait(command, words, rows: int) -> subprocess.Popen:
    """Start a run and wait until so many rows are journaled, or it ends."""
    process = command.start(*words)
    wait_for(lambda: journal_lines(command.folder) >= rows or process.poll() is not None, "row")
    return process


def shares(record) -> list[float]:
    return [row["density"] for row in record["rows"]]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
def test_killed_at_any_moment_and_resumed_to_the_end(command, strict_json):
    """Again and again, a journal line or a few milliseconds further each time."""
    chance = random.Random(2017)
    words, finished = RUN, 0
    for _ in range(4):
        process = start_and_wait(command, words, rows=finished + 1)
        time.sleep(chance.uniform(0, 0.15))
        workers = children(process)
        process.kill()
        process.communicate()
        (path,) = command.folder.glob("results/*/record.json")
        record = strict_json(path)
        if record["status"] == "complete":
            break  # on a busy machine this process may sleep through the rest of the run
        assert record["status"] == "interrupted"
        assert all(row["status"] in ("passed", "mistrusted") for row in record["rows"])
        assert workers
        wait_for(lambda pids=workers: all(map(gone, pids)), "end of the workers")
        assert len(record["rows"]) >= finished, "a row was lost"
        finished = journal_lines(command.folder)
        words = (f"resume={path.parent}",)
    else:
        assert finished >= 4
    kept = [line for line in path.with_name("journal.jsonl").read_text().splitlines() if line]
    path.with_name("journal.jsonl").write_bytes("\n".join(kept).encode() + b'\n{"case": "half')
    result = command(*words)
    assert result.returncode == 0
    record = strict_json(path)
    assert record["status"] == "complete" and len(record["rows"]) == len(DENSITIES) == len(set(shares(record)))
    lines = [json.loads(line) for line in path.with_name("journal.jsonl").read_text().splitlines() if line.endswith("}")]
    assert [json.loads(line) for line in kept] == lines[: len(kept)]
    assert [row for line in lines[: len(kept)] for row in line["rows"]] == record["rows"][: len(kept)]


def test_a_run_folder_never_lacks_its_record(command):
    """Killed while it starts: there is no folder yet, or one with a whole record."""
    for delay in (0.3, 0.45, 0.6, 0.75):
        process = command.start(*RUN)
        time.sleep(delay)
        process.kill()
        process.communicate()
        runs = [folder for folder in command.folder.glob("results/*") if not folder.name.startswith(".")]  # a draft is no run yet
        assert all((folder / "record.json").is_file() for folder in runs)
    assert all(record["status"] in ("interrupted", "complete") for record in command.records())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_in_the_middle(command, number):
    """Also where the shell ignores SIGINT for what it starts in the background."""
    process = command.start(*RUN, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    wait_for(lambda: journal_lines(command.folder) >= 1, "row")
    process.send_signal(number)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130, output + errors
    (record,) = command.records()
    assert record["status"] == "interrupted" and 1 <= len(record["rows"]) < len(DENSITIES)
    lines = output.splitlines()
    assert "Traceback" not in output + errors
    assert lines[-1].endswith("/record.json") and lines[-2] == f"interrupted; go on with: python -m harness resume={lines[-1][:-12]}"


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
def test_interrupted_while_a_backend_opens(command):
    """No row yet, but a record that can be resumed; the worker that hangs is not waited for."""
    process = command.start("+backend=sleepy", "baselines=none", "problem=ic1ih3oc1kh1", "density=0.5")
    wait_for(lambda: command.records() and children(process), "worker")
    workers = children(process)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130, output + errors
    wait_for(lambda: all(map(gone, workers)), "end of the workers")
    (record,) = command.records()
    assert record["status"] == "interrupted" and record["rows"] == []


def test_a_full_disk_is_one_message_and_what_was_finished_is_kept(command):
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))

    result = command(*RUN, preexec_fn=small_files)
    assert result.returncode == 2
    assert "cannot write" in result.stderr and "File too large" in result.stderr
    assert "what was finished is kept; go on with: python -m harness resume=results/" in result.stderr
    (record,) = command.records()
    assert record["status"] == "interrupted" and len(record["rows"]) >= 1
    (run,) = (command.folder / "results").iterdir()
    assert sorted(path.name for path in run.iterdir()) == ["journal.jsonl", "record.json"]
    result = command(f"resume={run}")
    assert result.returncode == 0
    (record,) = command.records()
    assert record["status"] == "complete" and len(record["rows"]) == len(DENSITIES)


@pytest.mark.parametrize("results", ["/dev/full/x", "/proc/nowhere", "/dev/null"])
def test_a_folder_that_cannot_be_made(call, results):
    result = call("+backend=reference", f"results={results}", "problem=ic1ih3oc1kh1", "density=0.5", "baselines=none")
    assert result["code"] == 2
    assert result["err"].startswith("breakeven: results: cannot make a folder in") and results in result["err"]
