"""The typed records and base classes that pass between the host and its plugins."""

from harness.contract.backend import CONTRACT_VERSION, Backend, BackendConfig, BackendSpec
from harness.contract.kernel import KernelSpec, Limits, Method, Support
from harness.contract.measurement import Clocks, Measurement, Status
from harness.contract.plan import KernelClock, Plan, PlanRequest
from harness.contract.pruning import GuideSpec, PrunerSpec
from harness.contract.record import Baseline, Record, Row
from perfmodel.errors import BreakevenError, InputError, MissingNumberError, ProblemError, UnsupportedError
from perfmodel.hardware import Hardware, Quantity
from perfmodel.problem import Problem

__all__ = [
    "CONTRACT_VERSION",
    "Backend",
    "BackendConfig",
    "BackendSpec",
    "Baseline",
    "BreakevenError",
    "Clocks",
    "GuideSpec",
    "Hardware",
    "InputError",
    "KernelClock",
    "KernelSpec",
    "Limits",
    "Measurement",
    "Method",
    "MissingNumberError",
    "Plan",
    "PlanRequest",
    "Problem",
    "ProblemError",
    "PrunerSpec",
    "Quantity",
    "Record",
    "Row",
    "Status",
    "Support",
    "UnsupportedError",
]
