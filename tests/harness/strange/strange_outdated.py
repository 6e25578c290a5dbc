"""A plugin for another contract."""

from harness.contract import BackendSpec
from harness.hookspecs import hookimpl


@hookimpl
def breakeven_backends():
    return [BackendSpec("outdated", "strange_backends:Honest", "too new", 99)]
