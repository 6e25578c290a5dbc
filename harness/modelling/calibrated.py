"""Which kernels of a run were calibrated, each on the device that its worker uses."""

from __future__ import annotations

from harness.bench.contenders import Team
from harness.modelling import store
from harness.modelling.store import ModelledKernel


def calibrated(team: Team, timeout_s: float) -> dict[str, ModelledKernel]:
    """The kernels of ``team`` that were calibrated on its device, by kernel name; empty where it has no hardware numbers.

    Raises :class:`InputError` for a damaged file, :class:`WorkerError` when the worker dies.
    """
    if not store.any_of(team.spec.name, team.threads):
        return {}
    hardware = team.worker().call("hardware", timeout_s=timeout_s)
    if hardware is None:
        return {}
    found = ((spec.name, store.find(team.spec.name, spec, team.threads, hardware)) for spec in team.kernels)
    return {name: kernel for name, kernel in found if kernel is not None}
