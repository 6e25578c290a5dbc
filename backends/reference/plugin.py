"""Plugin of the NumPy backend."""

from __future__ import annotations

from harness.contract import BackendSpec
from harness.hookspecs import hookimpl


@hookimpl
def breakeven_backends() -> list[BackendSpec]:
    """One backend that is right rather than fast; it checks all the others."""
    return [
        BackendSpec(
            name="reference",
            factory="backends.reference.backend:ReferenceBackend",
            summary="NumPy in double precision: obviously right, never fast",
            contract=1,
            role="oracle",
        )
    ]
