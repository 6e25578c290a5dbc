"""Time the probes of a calibration design in a worker, and fit the kernel's costs to them."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np

from harness.bench.contenders import Stage, Team
from harness.bench.entry import Entry
from harness.contract import Hardware, InputError, KernelSpec, Problem
from harness.modelling.store import ModelledKernel
from harness.networks import Layer
from harness.weights import RandomWeights
from harness.workers.service import NO_TRUTH
from perfmodel.calibrate import Sample, calibrate
from perfmodel.probes import Probe, probe_design

PROBES = 100
REPETITIONS = 7
BUDGET_S = 36.0
"""Seconds that the kernels of one backend may take together; what is left of the design then goes unmeasured."""
LEAST_PROBES = 24
CALM = 0.1
ATTEMPTS = 3


def design(kernel: ModelledKernel, team: Team, exclude: Sequence[Layer]) -> tuple[Probe, ...]:
    """Probes for ``kernel``, no layer of ``exclude`` among them; fewer where the kernel supports little.

    Raises :class:`InputError` when too few problems suit it.
    """
    contender = kernel.contender
    problems = [layer.problem for layer in exclude]

    def supported(problem: Problem) -> bool:
        return bool(team.worker().call("supports", kernel.kernel, problem).ok)

    trouble = InputError("no probes")
    for count in (PROBES, PROBES // 2, PROBES // 4, PROBES // 10):
        try:
            return probe_design(contender.model, contender.kernel, kernel.hardware, count, exclude=problems, supports=supported)
        except InputError as error:
            trouble = error
    raise trouble


def time_probe(team: Team, spec: KernelSpec, probe: Probe, timeout_s: float) -> Sample:
    """Time one probe: medians of interleaved samples and FMA peaks, of the calmest of up to three attempts."""
    weights = RandomWeights().weights_for(Layer("probe", probe.problem), probe.density, seed=1)
    entry = Entry(team, spec, Stage(probe.problem, weights.array, 1, NO_TRUTH, timeout_s))
    entry.call("warm_up")
    attempts: list[tuple[float, float, float]] = []
    while not attempts or (len(attempts) < ATTEMPTS and min(attempts)[0] > CALM):
        attempts.append(_attempt(entry, team))
    _, seconds_s, peak = min(attempts)
    return Sample(probe.problem, weights.density, seconds_s, peak)


def _attempt(entry: Entry, team: Team) -> tuple[float, float, float]:
    """Spread (quartiles over median), median seconds and median peak of interleaved samples."""
    seconds, peaks = [], []
    for _ in range(REPETITIONS):
        seconds.append(entry.call("sample").end_to_end_s)
        peaks.append(team.worker().call("fma_peak"))
    if any(peak is None for peak in peaks):
        raise InputError(f"backend {team.spec.name!r} gives no FMA peak, so its kernels cannot be calibrated; the paper's model is used")
    low, middle, high = (float(q) for q in np.percentile(seconds, (25, 50, 75)))
    return (high - low) / middle, middle, float(np.median(peaks))


def calibrate_kernel(
    team: Team, spec: KernelSpec, hardware: Hardware, exclude: Sequence[Layer], timeout_s: float, tick: Callable[[int, int], None]
) -> ModelledKernel:
    """Time the probes of ``spec`` and fit its costs; ``tick(done, total)`` is called after each probe."""
    declared = ModelledKernel.declared(team.spec.name, spec, team.threads, hardware)
    probes = design(declared, team, exclude)
    samples: list[Sample] = []
    end = time.perf_counter() + BUDGET_S / len(team.kernels)
    for probe in random.Random(1).sample(probes, len(probes)):  # so that a design cut short is still a mixed one
        if time.perf_counter() > end and len(samples) >= LEAST_PROBES:
            break
        samples.append(time_probe(team, spec, probe, timeout_s))
        tick(len(samples), len(probes))
    parameters = calibrate(declared.contender.model, samples, declared.parameters, hardware)
    return dataclasses.replace(declared, parameters=parameters, date=datetime.now(UTC).date().isoformat())
