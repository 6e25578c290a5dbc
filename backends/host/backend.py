"""Base class of every backend that runs on the host CPU: device line, FMA peak, hardware numbers."""

from __future__ import annotations

from harness.contract import Backend


class HostBackend(Backend):
    """A backend on the host CPU."""
