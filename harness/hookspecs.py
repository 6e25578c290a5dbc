"""The whole plugin contract: what a plugin may implement, on one screen.

A plugin is a module named by an entry point in the group ``breakeven``. It imports
``hookimpl`` from here, describes its backends, pruners and guides, and imports its engine only when one is opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from harness.contract import BackendSpec, GuideSpec, PrunerSpec

GROUP = "breakeven"

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def breakeven_backends() -> Iterable[BackendSpec]:  # type: ignore[empty-body]
    """Describe the backends that this plugin brings; cheap, imports no engine."""


@hookspec
def breakeven_pruners() -> Iterable[PrunerSpec]:  # type: ignore[empty-body]
    """Describe the pruners that this plugin brings: how weights go; cheap, imports no engine."""


@hookspec
def breakeven_guides() -> Iterable[GuideSpec]:  # type: ignore[empty-body]
    """Describe the guides that this plugin brings: which layers are pruned, and how far; cheap, imports no engine."""
