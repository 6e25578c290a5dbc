"""breakeven: from which sparsity on does a sparse convolution beat the best dense one?

The public names load on first use, so that ``import harness`` stays cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import open_backend, project, useful_range
    from harness.contract import Backend, Hardware, KernelSpec, Measurement, Plan, Problem, Support
    from harness.measuring import measure

_HOMES = {
    "open_backend": "harness.api",
    "project": "harness.api",
    "useful_range": "harness.api",
    "measure": "harness.measuring",
    "Backend": "harness.contract",
    "Hardware": "harness.contract",
    "KernelSpec": "harness.contract",
    "Measurement": "harness.contract",
    "Plan": "harness.contract",
    "Problem": "harness.contract",
    "Support": "harness.contract",
}

__version__ = "0.1.0"
__all__ = [
    "Backend",
    "Hardware",
    "KernelSpec",
    "Measurement",
    "Plan",
    "Problem",
    "Support",
    "measure",
    "open_backend",
    "project",
    "useful_range",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
