"""Plugin of the replay backend."""

from __future__ import annotations

from dataclasses import dataclass

from harness.contract import BackendConfig, BackendSpec
from harness.hookspecs import hookimpl


@dataclass
class ReplayConfig(BackendConfig):
    """``path``: a run folder or its record.json; ``tolerance``: relative difference up to which a recorded density answers."""

    path: str = ""
    tolerance: float = 0.05


@hookimpl
def breakeven_backends() -> list[BackendSpec]:
    """One backend whose clocks come from a record."""
    return [
        BackendSpec(
            name="replay",
            factory="backends.replay.backend:ReplayBackend",
            summary="answers from a recorded run, so that model, pruning and reports need no device",
            contract=1,
            config=ReplayConfig,
            role="recording",
        )
    ]
