"""What a backend is: kernels plus hardware numbers, behind four methods."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from harness.contract.checks import check_array, check_finite, check_kind
from harness.contract.kernel import KernelSpec, Support
from harness.contract.plan import Array, Plan, PlanRequest
from perfmodel.errors import InputError, MissingNumberError, UnsupportedError
from perfmodel.hardware import Hardware
from perfmodel.problem import Problem

CONTRACT_VERSION = 1


@dataclass
class BackendConfig:
    """Options of a backend as Hydra shows them; subclass it to add fields. ``name`` is filled in by the host."""

    name: str = ""


@dataclass(frozen=True)
class BackendSpec:
    """A backend as its plugin announces it, before anything heavy is imported.

    ``factory`` is ``"package.module:Class"``; ``config`` a dataclass of options; ``extra`` the pip extra
    that brings what it needs; ``requires`` the modules that must be importable. ``environment(threads)``
    gives variables for its worker process. ``role``: only an *engine* may serve as a baseline; the
    *oracle* checks results; a *recording* answers from a file. ``contract`` is the version written for.
    ``default``: the command line measures it where no backend is named.
    """

    name: str
    factory: str
    summary: str
    contract: int
    config: type[BackendConfig] = BackendConfig
    extra: str = ""
    requires: tuple[str, ...] = ()
    environment: Callable[[int], Mapping[str, str]] = field(default=lambda threads: {})
    role: Literal["engine", "oracle", "recording"] = "engine"
    default: bool = False


class Backend(ABC):
    """An engine with its kernels. Implementers give ``specs`` and ``_prepare``; the rest has defaults."""

    name: ClassVar[str]
    specs: ClassVar[tuple[KernelSpec, ...]]

    def __init__(self, config: BackendConfig, threads: int = 1) -> None:
        self.config, self.threads = config, threads

    @classmethod
    def available(cls, config: BackendConfig) -> Support:
        """Whether this backend can work on this machine, and if not, what is missing."""
        return Support(True)

    def kernels(self) -> tuple[KernelSpec, ...]:
        """Every kernel; the first is the default."""
        return self.specs

    def kernel(self, name: str | None) -> KernelSpec:
        """The kernel called ``name`` (None: the default); raises :class:`InputError` listing what exists."""
        found = self.kernels()[:1] if name is None else [k for k in self.kernels() if k.name == name]
        if not found:
            names = ", ".join(k.name for k in self.kernels())
            raise InputError(f"backend {self.name!r} has no kernel {name!r}; allowed: {names}")
        return found[0]

    def supports(self, kernel: str, problem: Problem) -> Support:
        """Whether ``kernel`` takes ``problem``; by default decided from the limits that it declares."""
        return self.kernel(kernel).limits.check(problem)

    def prepare(
        self,
        problem: Problem,
        weight: Array,
        kernel: str | None = None,
        *,
        bias: Array | None = None,
        relu: bool = False,
        **options: Any,
    ) -> Plan:
        """Bind float32 OIHW ``weight`` (with its zeros) to ``problem`` and return a :class:`Plan`.

        Raises :class:`InputError` for a wrong shape, type, NaN, unknown kernel or option, and its kind
        :class:`UnsupportedError` for a problem or weights that the kernel does not take.
        """
        spec = self.kernel(kernel)
        check_kind("problem", problem, Problem, "a Problem, such as Problem.parse gives")
        check_array("weight", weight, problem.weight_shape)
        check_finite("weight", weight)
        if bias is not None:
            check_array("bias", bias, (problem.oc,))
            check_finite("bias", bias)
        check_kind("relu", relu, bool, "True or False")
        if unknown := [name for name in options if name not in spec.options]:
            allowed = ", ".join(spec.options) or "none"
            raise InputError(f"kernel {spec.name!r} has no option {unknown[0]!r}; allowed: {allowed}")
        if not (support := self.supports(spec.name, problem)).ok:
            raise UnsupportedError(f"{self.name} {spec.name} does not support {problem}: {support.reason}")
        start = time.perf_counter()
        plan = self._prepare(PlanRequest(problem, spec, weight, bias, relu, options))
        plan.prepare_s = time.perf_counter() - start
        plan.peak_probe = self.fma_peak
        return plan

    @abstractmethod
    def _prepare(self, request: PlanRequest) -> Plan:
        """Build the plan; arguments are checked. Must copy what it keeps of ``request.weight``."""

    def hardware(self) -> Hardware:
        """Hardware numbers for the model; raises :class:`MissingNumberError` where the backend has none."""
        raise MissingNumberError(f"backend {self.name!r} exposes no hardware numbers")

    def calibrate(self) -> Hardware:
        """Measure :meth:`hardware` anew and store it; by default what :meth:`hardware` answers."""
        return self.hardware()

    def fma_peak(self) -> float | None:
        """FMA peak in FLOP/s of the cores in use at this moment (a few ms), or None if unknown."""
        return None

    def device(self) -> str:
        """The device in use, one line."""
        return "host CPU"

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        """Every device that this backend could use, one line each."""
        return ("host CPU",)

    def versions(self) -> dict[str, str]:
        """Versions of the libraries behind this backend."""
        return {}
