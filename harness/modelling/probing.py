"""Time the probes of a calibration design in a worker, and fit the kernel's costs to them."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from harness import pace
from harness.bench.contenders import Stage, Team
from harness.bench.entry import Entry
from harness.bench.timing import sample
from harness.caches import evict
from harness.config import MeasureConfig
from harness.contract import Hardware, InputError, KernelSpec, Problem
from harness.modelling.patience import MOST_SHARED
from harness.modelling.store import ModelledKernel
from harness.networks import Layer
from harness.weights import RandomWeights
from harness.workers.service import NO_TRUTH
from perfmodel.calibrate import Sample, calibrate
from perfmodel.methods import find_model
from perfmodel.probes import Probe, probe_design

PROBES = 100
REPETITIONS = 5
BUDGET_S = 36.0
"""Seconds that the kernels of one backend may take together; what is left of the design then goes unmeasured."""
LEAST_PROBES = 24
DENSITIES = (0.02, 1.0)
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
            return probe_design(
                contender.model, contender.kernel, kernel.hardware, count, densities=DENSITIES, exclude=problems, supports=supported
            )
        except InputError as error:
            trouble = error
    raise trouble


def time_probe(team: Team, spec: KernelSpec, probe: Probe, measure: MeasureConfig) -> tuple[Sample, float]:
    """Time one probe: medians of interleaved samples and FMA peaks, of the calmest of up to three attempts.

    Also returns the share of its samples during which another program used the core. Where a setting stands in the place of the
    density, weights are zeros: the time does not depend on them, and zeros take no time to factorise.
    """
    setting = find_model(spec.model or spec.method).setting
    weights = RandomWeights().weights_for(Layer("probe", probe.problem), 0.0 if setting else probe.density, seed=1)
    settings = {setting: probe.density} if setting else {}
    entry = Entry(team, spec, Stage(probe.problem, weights.array, 1, NO_TRUTH, measure.timeout_s), settings=settings)
    entry.call("warm_up")
    attempts: list[Attempt] = []
    while not attempts or (len(attempts) < ATTEMPTS and not attempts[-1].calm):
        attempts.append(_attempt(entry, team, measure.patience_s or 0.0))
    best = min(attempts)
    return Sample(probe.problem, probe.density if setting else weights.density, best.seconds, best.peak_flops), best.shared


class Attempt(NamedTuple):
    """Share of the samples on a shared core, spread (quartiles over median), median seconds and median peak."""

    shared: float
    spread: float
    seconds: float
    peak_flops: float

    @property
    def calm(self) -> bool:
        """Whether there is no need for another attempt."""
        return self.spread <= CALM and self.shared <= MOST_SHARED


def _attempt(entry: Entry, team: Team, patience_s: float) -> Attempt:
    """Interleaved samples, with the peak before, in the middle and behind; before each the caches lose what they hold, as in a race."""
    clocks, peaks = [], []
    for number in range(REPETITIONS):
        if number % (REPETITIONS // 2) == 0:
            peaks.append(team.worker().call("fma_peak"))
        evict()
        clocks.append(sample(entry, patience_s))
    if any(peak is None for peak in peaks):
        raise InputError(f"backend {team.spec.name!r} gives no FMA peak, so its kernels cannot be calibrated; the paper's model is used")
    low, middle, high = (float(q) for q in np.percentile([c.end_to_end_s for c in clocks], (25, 50, 75)))
    shared = sum(c.pace > 0 and pace.shared(c.pace) for c in clocks) / len(clocks)
    return Attempt(shared, (high - low) / middle, middle, float(np.median(peaks)))


def calibrate_kernel(
    team: Team, spec: KernelSpec, hardware: Hardware, exclude: Sequence[Layer], measure: MeasureConfig, tick: Callable[[int, int], None]
) -> ModelledKernel:
    """Time the probes of ``spec`` and fit its costs; ``tick(done, total)`` is called after each probe.

    Probes taken on a shared core are left out where enough others remain.
    """
    declared = ModelledKernel.declared(team.spec.name, spec, team.threads, hardware)
    probes = design(declared, team, exclude)
    timed: list[tuple[Sample, float]] = []
    end = time.perf_counter() + BUDGET_S / len(team.kernels)
    for probe in random.Random(1).sample(probes, len(probes)):  # so that a design cut short is still a mixed one
        if time.perf_counter() > end and len(timed) >= LEAST_PROBES:
            break
        timed.append(time_probe(team, spec, probe, measure))
        tick(len(timed), len(probes))
    own = [found for found, shared in timed if shared <= MOST_SHARED]
    samples = own if len(own) >= LEAST_PROBES else [found for found, _ in timed]
    parameters = calibrate(declared.contender.model, samples, declared.parameters, hardware)
    left_out = len(timed) - len(samples)
    return dataclasses.replace(declared, parameters=parameters, date=datetime.now(UTC).date().isoformat(), left_out=left_out)
