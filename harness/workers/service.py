"""What a worker can do: prepare kernels for one layer at a time, check them, sample them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness import pace
from harness.contract import Backend, Clocks, Hardware, InputError, KernelSpec, MissingNumberError, Problem, Support
from harness.contract.plan import Array
from harness.data import check_input, timing_input
from harness.measuring import Sampler
from harness.plugins import host
from harness.verify import Verdict, compare


@dataclass(frozen=True)
class Description:
    """A backend as its worker sees it."""

    device: str
    versions: dict[str, str]
    kernels: tuple[KernelSpec, ...]


@dataclass(frozen=True)
class Prepared:
    """A plan's seconds of preparation, its words, and for an inexact kernel the error that it states and the weights it uses."""

    prepare_s: float
    explain: str
    approximation: float | None = None
    weight: Array | None = None


@dataclass(frozen=True)
class Truth:
    """What the check input must give, and the convolution of absolute values: the scale of rounding errors."""

    exact: Array
    scale: Array


NO_TRUTH = Truth(np.empty(0, np.float32), np.empty(0, np.float32))


class Service:
    """State of a worker: one backend, one layer, its plans by kernel name."""

    _backend: Backend
    _truth: Truth

    def __init__(self) -> None:
        self._samplers: dict[str, Sampler] = {}

    def open(self, name: str, threads: int, options: dict[str, Any]) -> None:
        """Open the backend that this worker serves."""
        self._backend = host().open(name, threads, **options)

    def describe(self) -> Description:
        """Device, versions and kernels."""
        versions = {str(name): str(version) for name, version in self._backend.versions().items()}
        return Description(str(self._backend.device()), versions, tuple(self._backend.kernels()))

    def devices(self) -> tuple[str, ...]:
        """Every device that the backend could use."""
        return self._backend.devices()

    def hardware(self) -> Hardware | None:
        """Hardware numbers, or None where the backend has none."""
        try:
            return self._backend.hardware()
        except MissingNumberError:
            return None

    def calibrate(self) -> Hardware | None:
        """Hardware numbers measured anew, or None where the backend has none."""
        try:
            return self._backend.calibrate()
        except MissingNumberError:
            return None

    def fma_peak(self) -> float | None:
        """FMA peak of this moment, FLOP/s."""
        return self._backend.fma_peak()

    def supports(self, kernel: str, problem: Problem) -> Support:
        """Whether the kernel takes the problem."""
        return self._backend.supports(kernel, problem)

    def load(self, problem: Problem, weight: Array, seed: int, truth: Truth) -> None:
        """Start a layer: its timing and check inputs come from ``seed``, ``truth`` is the oracle's answer."""
        self._samplers.clear()
        self._problem, self._weight, self._truth = problem, weight, truth
        self._timing, self._check = timing_input(problem, seed), check_input(problem, seed)

    def prepare(self, kernel: str, options: dict[str, Any]) -> Prepared:
        """Bind the layer's weights to ``kernel``."""
        plan = self._backend.prepare(self._problem, self._weight, kernel, **options)
        self._samplers[kernel] = Sampler(plan, self._timing)
        if plan.kernel.exact:
            return Prepared(plan.prepare_s, str(plan.explain()))
        return Prepared(plan.prepare_s, str(plan.explain()), plan.approximation, plan.effective_weight())

    def truth(self, problem: Problem, weight: Array, seed: int) -> Truth:
        """The oracle's answer for a layer, by its default kernel."""
        x = check_input(problem, seed)
        scale = self._backend.prepare(problem, np.abs(weight)).run(np.abs(x))
        return Truth(self._backend.prepare(problem, weight).run(x), scale)

    def verify(self, kernel: str, truth: Truth | None = None) -> Verdict:
        """Run the plan on the check input and compare with the oracle's result for the layer, or with ``truth``."""
        plan, truth = self._sampler(kernel).plan, truth or self._truth
        mean = float(np.abs(self._check).mean() * np.abs(self._weight).sum() / self._problem.oc)
        floor = mean if plan.kernel.transforms else 0.0
        return compare(plan.run(self._check), truth.exact, truth.scale, plan.kernel.rtol, floor)

    def warm_up(self, kernel: str) -> None:
        """Let the plan settle."""
        self._sampler(kernel).warm_up()

    def watch_pace(self, seconds: float) -> float:
        """The best pace of this core within ``seconds`` (:mod:`harness.pace`)."""
        return pace.watch(seconds)

    def sample(self, kernel: str, patience_s: float = 0.0, best_pace: float = 0.0) -> Clocks:
        """One hot sample; with patience it waits for a core that is not shared, whose pace may be known from elsewhere."""
        pace.learn(best_pace)
        return self._sampler(kernel).sample(patience_s)

    def cold_sample(self, kernel: str) -> Clocks:
        """One call with cold weights."""
        return self._sampler(kernel).cold_sample()

    def _sampler(self, kernel: str) -> Sampler:
        if kernel not in self._samplers:
            raise InputError(f"kernel {kernel!r} is not prepared")
        return self._samplers[kernel]
