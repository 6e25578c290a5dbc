"""A plugin with a hook that nobody calls."""

from harness.hookspecs import hookimpl


@hookimpl
def breakeven_backend():
    return []
