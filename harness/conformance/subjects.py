"""What is under test: a kernel of a backend, with options."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.contract import Backend, KernelSpec, Plan, Problem
from harness.contract.plan import Array
from harness.plugins import host

Options = tuple[tuple[str, Any], ...]


@functools.cache
def _open(backend: str, threads: int, options: Options) -> Backend:
    return host().open(backend, threads, **dict(options))


@dataclass(frozen=True)
class Subject:
    """One kernel, opened with ``options`` and prepared with ``prepare_options``; the backend opens once a process."""

    backend_name: str
    kernel_name: str
    threads: int = 1
    options: Options = ()
    prepare_options: Options = ()

    def __str__(self) -> str:
        extra = "".join(f"-{value}" for _, value in (*self.options, *self.prepare_options))
        return f"{self.backend_name}-{self.kernel_name}{extra}-{self.threads}t"

    @property
    def backend(self) -> Backend:
        """The opened backend; raises :class:`InputError` when its engine is missing."""
        return _open(self.backend_name, self.threads, self.options)

    @property
    def spec(self) -> KernelSpec:
        """The kernel's declaration."""
        return self.backend.kernel(self.kernel_name)

    def prepare(self, problem: Problem, weight: Array, *, bias: Array | None = None, relu: bool = False) -> Plan:
        """A plan of this kernel."""
        return self.backend.prepare(problem, weight, self.kernel_name, bias=bias, relu=relu, **dict(self.prepare_options))


def subjects(
    backend: str,
    threads: int = 1,
    options: Mapping[str, Any] | None = None,
    prepare_options: Mapping[str, Any] | None = None,
) -> list[Subject]:
    """Every kernel of ``backend`` as a subject; ``prepare_options`` go to the kernels that declare them.

    Raises :class:`InputError` for an unknown backend or option, or when the engine is missing.
    """
    opened = tuple(sorted((options or {}).items()))
    return [
        Subject(backend, spec.name, threads, opened, tuple((k, v) for k, v in (prepare_options or {}).items() if k in spec.options))
        for spec in _open(backend, threads, opened).kernels()
    ]
