"""A worker from the host's side: it answers, fails, dies and hangs, and never outlives its host."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.contract import BackendSpec, InputError, Problem
from harness.plugins import host
from harness.workers import WorkerError, WorkerProcess

PROBLEM = Problem.parse("ic2ih4oc2kh3")


@pytest.fixture
def worker(strangers, monkeypatch):
    """Starts workers of strange backends and ends them with the test."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(strangers), os.environ.get("PYTHONPATH", "")]))
    started = []

    def start(name="honest", threads=1, **fields):
        spec = BackendSpec(name, "strange_backends:X", "x", 1, **fields)
        started.append(WorkerProcess(spec, threads, {}))
        return started[-1]

    yield start
    for process in started:
        process.stop(at_once=True)


def test_environment_affinity_and_session(worker, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "77")
    process = worker("reference", environment=lambda threads: {"MY_THREADS": f"{threads}!"})
    process.open()
    pid = process._process.pid
    environment = dict(item.split("=", 1) for item in Path(f"/proc/{pid}/environ").read_text().split("\0") if item)
    assert environment["MY_THREADS"] == "1!" and environment["OMP_NUM_THREADS"] == "1"
    assert os.sched_getaffinity(pid) == {min(os.sched_getaffinity(0))}
    assert os.getsid(pid) == pid != os.getsid(0)
    assert Path(f"/proc/{pid}/fd/0").readlink() == Path("/dev/null")


def test_it_describes_and_answers(worker):
    process = worker("naughty")
    process.open()
    description = process.call("describe")
    assert description.device == "a [bold]strange[/] device" and description.versions == {"strange": "1.5"}
    assert description.kernels[0].name == "good"
    assert process.call("supports", "pointwise", PROBLEM).ok is False
    assert process.call("hardware") is None and process.call("fma_peak") is None


def test_input_errors_stay_input_errors_and_others_name_the_worker(worker):
    process = worker("naughty")
    process.open()
    with pytest.raises(InputError, match="kernel 'good' is not prepared"):
        process.call("sample", "good")
    with pytest.raises(InputError, match="backend 'naughty' has no kernel 'nope'"):
        process.call("supports", "nope", PROBLEM)
    with pytest.raises(WorkerError, match="naughty no_such_method: AttributeError"):
        process.call("no_such_method")
    assert process.alive


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("absent", InputError, r"'absent' is not available here: no module named absent"),
        ("nobody", InputError, "unknown backend 'nobody'"),
        ("crasher", WorkerError, "crasher worker was killed by SIGABRT during open: about to abort"),
    ],
)
def test_backends_that_do_not_open(worker, name, error, message):
    process = worker(name)
    with pytest.raises(error, match=message):
        process.open()


def test_a_hang_ends_after_the_timeout(worker, monkeypatch):
    monkeypatch.setattr("harness.workers.process.STOP_TIMEOUT_S", 600)
    process = worker("sleepy")
    start = time.monotonic()
    with pytest.raises(WorkerError, match=r"sleepy: no answer to open within 0\.5 s; worker stopped"):
        process.call("open", "sleepy", 1, {}, timeout_s=0.5)
    assert time.monotonic() - start < 100, "it was asked politely"
    assert not process.alive
    with pytest.raises(WorkerError, match="sleepy worker was stopped before describe"):
        process.call("describe")


def test_killed_from_outside(worker):
    process = worker("reference")
    process.open()
    os.kill(process._process.pid, signal.SIGKILL)
    with pytest.raises(WorkerError, match="reference worker was killed by SIGKILL during describe"):
        process.call("describe")


def test_stop_is_quick_and_may_come_twice(worker, monkeypatch):
    monkeypatch.setattr("harness.workers.process.STOP_TIMEOUT_S", 600)
    process = worker("reference")
    process.open()
    start = time.monotonic()
    process.stop()
    process.stop(at_once=True)
    assert time.monotonic() - start < 100 and not process.alive
    assert process._process.returncode == 0


def test_what_cannot_start(worker):
    with pytest.raises(WorkerError, match="honest: its worker cannot be started: ZeroDivisionError"):
        worker(environment=lambda threads: {"x": str(1 / 0)})
    with pytest.raises(WorkerError, match="cannot be started: TypeError"):
        worker(environment=lambda threads: {"x": 3})


def test_large_arrays_pass(worker):
    """Megabytes go through the pipe both ways."""
    import numpy as np

    problem = Problem.parse("ic64ih96oc64kh1")
    process = worker("reference")
    process.open()
    weight = np.eye(64, dtype=np.float32).reshape(problem.weight_shape)
    truth = process.call("truth", problem, weight, 3)
    assert truth.exact.shape == problem.output_shape and (truth.scale == abs(truth.exact)).all()
    process.call("load", problem, weight, 3, truth)
    process.call("prepare", "direct", {})
    assert process.call("verify", "direct").status == "passed"


def test_descriptors_do_not_leak(worker):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        process = worker("reference")
        process.stop(at_once=True)
        with pytest.raises(WorkerError):
            worker(environment=lambda threads: {"x": 3})
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells the worker of its parent's death")
@pytest.mark.parametrize("delay", [0, 0.1, 1.2])
def test_the_worker_dies_with_its_host(strangers, delay):
    """Even while it is busy for ever, or has not begun."""
    code = (
        "from harness.plugins import host; from harness.workers import WorkerProcess\n"
        "w = WorkerProcess(host().spec('sleepy'), 1, {}); print(w._process.pid, flush=True)\n"
        "w.open()"
    )
    path = os.pathsep.join([str(strangers), os.environ.get("PYTHONPATH", "")])
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path})
    pid = int(parent.stdout.readline())
    time.sleep(delay)
    parent.kill()
    parent.communicate()
    end = time.monotonic() + 60
    while not gone(pid):
        assert time.monotonic() < end, "the worker lives on"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Whether the process has ended; it may do so between two looks at it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_the_host_is_not_asked_for_the_strangers():
    """The strange backends are installed for the workers alone: they are found there by entry point."""
    assert "naughty" not in host().specs()
