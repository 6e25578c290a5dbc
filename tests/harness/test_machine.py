"""The machine in a record: enough to tell two apart, nothing private."""

import getpass
import json
import os
import platform
import socket
from pathlib import Path

import harness
from harness.machine import allowed_cores, cpu_model, describe_machine, own_versions


def test_what_is_told():
    machine = describe_machine()
    assert machine["cpu"] == cpu_model() and machine["cpu"]
    assert machine["cores"] == allowed_cores() == len(os.sched_getaffinity(0))
    assert 0 < machine["memory_gib"] < 1e6
    assert machine["python"] == platform.python_version()


def test_nothing_private():
    values = [str(value) for value in describe_machine().values()]
    for private in (socket.gethostname(), getpass.getuser(), str(Path.home())):
        assert private not in values
    json.dumps(describe_machine(), allow_nan=False)


def test_versions():
    versions = own_versions()
    assert versions["breakeven"] == harness.__version__
    assert {"numpy", "pluggy", "hydra-core"} <= set(versions) and all(isinstance(v, str) for v in versions.values())


def test_without_proc(monkeypatch):
    def nothing(self, *arguments, **options):
        raise OSError

    monkeypatch.setattr(Path, "read_text", nothing)
    assert cpu_model() == (platform.processor() or platform.machine())
