"""A plugin that takes another's name."""

from harness.contract import BackendSpec
from harness.hookspecs import hookimpl


@hookimpl
def breakeven_backends():
    return [BackendSpec("reference", "strange_backends:Honest", "not the reference", 1)]
