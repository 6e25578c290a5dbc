"""Results are computed with NumPy, clocks are those of the record."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.replay.plugin import ReplayConfig
from backends.replay.recording import Recording, Timed
from harness.contract import Backend, BackendConfig, Clocks, Hardware, InputError, KernelSpec, Plan, PlanRequest, Problem, Quantity, Support
from harness.contract.plan import Array


def convolve_image(problem: Problem, image: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """One image (CHW) through ``weight`` (groups, oc/g, ic/g * kh * kw): a matrix product on lowered windows."""
    p = problem
    padded = np.pad(image, ((0, 0), (p.ph, p.end_padding[0]), (p.pw, p.end_padding[1])))
    window = ((p.kh - 1) * (p.dh + 1) + 1, (p.kw - 1) * (p.dw + 1) + 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, window, (1, 2))
    taps = windows[:, :: p.sh, :: p.sw, :: p.dh + 1, :: p.dw + 1][:, : p.oh, : p.ow]
    lowered = taps.transpose(0, 3, 4, 1, 2).reshape(p.g, -1, p.oh * p.ow)
    return (weight @ lowered).reshape(p.oc, p.oh, p.ow)


class ReplayPlan(Plan):
    """Computes honestly, reports recorded seconds."""

    def __init__(self, request: PlanRequest, backend: str, threads: int, timed: Timed, path: str) -> None:
        super().__init__(request, backend, threads)
        self._weight = request.weight.astype(np.float64).reshape(request.problem.g, request.problem.oc // request.problem.g, -1)
        self._bias = None if request.bias is None else request.bias.copy()
        self._timed, self._path = timed, path
        self.approximation = timed.row.approximation_error

    def run_clocked(self, x: Array, out: Array | None = None) -> tuple[Array, Clocks]:
        """The result for ``x``, with the recorded clocks; errors as :meth:`Plan.run`."""
        return super().run_clocked(x, out)[0], self._timed.clocks

    def _run(self, x: Array, y: Array) -> None:
        for image, result in zip(x, y, strict=True):
            exact = convolve_image(self.problem, image.astype(np.float64), self._weight)
            if self._bias is not None:
                exact += self._bias[:, None, None]
            result[...] = np.maximum(exact, 0) if self.relu else exact

    def explain(self) -> str:
        """Which row answers, and how sure it was."""
        row = self._timed.row
        spread = "" if row.spread is None else f", spread {row.spread:.1%}"
        said = f"; then: {row.explain}" if row.explain else ""
        return (
            f"replay of {row.backend} {row.kernel} on {row.layer} at density {self._timed.density:.4g} from {self._path}: "
            f"median of {row.repetitions} repetitions{spread}{said}"
        )


class ReplayBackend(Backend):
    """Kernels ``backend.kernel`` of a record, on its problems, batch sizes and thread counts."""

    name = "replay"

    def __init__(self, config: BackendConfig, threads: int = 1) -> None:
        super().__init__(config, threads)
        assert isinstance(config, ReplayConfig)
        if not 0 <= config.tolerance < 1:
            raise InputError(f"backend.tolerance is {config.tolerance!r}; allowed: from 0 to less than 1 (relative difference of density)")
        self._tolerance = config.tolerance
        self._recording = Recording(config.path)

    @classmethod
    def available(cls, config: BackendConfig) -> Support:
        """A record must be named."""
        if isinstance(config, ReplayConfig) and not config.path:
            return Support(False, "it needs a recorded run; give backend.path=FOLDER, a run's folder or its record.json")
        return Support(True)

    def kernels(self) -> tuple[KernelSpec, ...]:
        """Every kernel that was timed; the first is the default."""
        return self._recording.kernels()

    def supports(self, kernel: str, problem: Problem) -> Support:
        """Whether the record has ``kernel`` on ``problem`` with this number of threads."""
        return self._recording.supports(self.kernel(kernel).name, problem, self.threads)

    def prepare(self, problem: Problem, weight: Array, kernel: str | None = None, **arguments: Any) -> Plan:
        """As :meth:`Backend.prepare`, with the recorded preparation time and FMA peak.

        Raises :class:`UnsupportedError` also when no recorded density is near that of ``weight``.
        """
        plan = super().prepare(problem, weight, kernel, **arguments)
        row = self._find(plan.problem, plan.kernel, plan.density).row
        plan.prepare_s = row.prepare_s or 0.0
        plan.peak_probe = lambda: row.peak_gflops * 1e9 if row.peak_gflops else None
        return plan

    def _prepare(self, request: PlanRequest) -> Plan:
        timed = self._find(request.problem, request.kernel, request.density)
        return ReplayPlan(request, self.name, self.threads, timed, self._recording.path)

    def _find(self, problem: Problem, kernel: KernelSpec, density: float) -> Timed:
        return self._recording.find(kernel, problem, self.threads, density, self._tolerance)

    def fma_peak(self) -> float | None:
        """The recorded FMA peak, FLOP/s."""
        return self._recording.peak(self.threads)

    def hardware(self) -> Hardware:
        """The recorded machine with its FMA peak; a record holds no other numbers."""
        record, peak = self._recording.record, self.fma_peak()
        origin = f"record {self._recording.path}"
        numbers = {"peak_flops": Quantity(peak, "FLOP/s", "inherited", record.created[:10], source=origin)} if peak else {}
        return Hardware("recorded", self._machine(), "", numbers)

    def device(self) -> str:
        """The recorded machine and the day of the record."""
        return f"{self._machine()}, recorded {self._recording.record.created[:10]}"

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        """A record stands for its machine."""
        return ("the machine of a recorded run",)

    def versions(self) -> dict[str, str]:
        """Versions that the record names."""
        return {name: str(version) for name, version in self._recording.record.versions.items()}

    def _machine(self) -> str:
        return str(self._recording.record.machine.get("cpu", "unknown machine"))
