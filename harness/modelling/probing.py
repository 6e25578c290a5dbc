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
REPETITIONS = 3
BUDGET_S = 42.0
"""Seconds that the kernels of one backend may take together; what is left of the design then goes unmeasured."""
LEAST_PROBES = 24
DENSITIES = (0.02, 1.0)
APART = 0.1
"""Visits to a probe that differ by more than this share call for a third."""


class Visit(NamedTuple):
    """One timing of a probe, and the share of its samples during which another program used the core."""

    sample: Sample
    shared: float

    @property
    def own(self) -> bool:
        """Whether the core was ours alone often enough."""
        return self.shared <= MOST_SHARED

    @property
    def rank(self) -> tuple[bool, float]:
        """Least for the visit to believe: what disturbs a kernel slows it, often for seconds, in ways that nothing else shows."""
        return not self.own, self.sample.work


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


def time_probe(team: Team, spec: KernelSpec, probe: Probe, measure: MeasureConfig) -> Visit:
    """Time one probe: the median of a few samples, and the best FMA peak seen before and behind them.

    Before each sample the caches lose what they hold, as in a race. Where a setting stands in the place of the density, weights are
    zeros: the time does not depend on them, and zeros take no time to factorise.
    """
    setting = find_model(spec.model or spec.method).setting
    weights = RandomWeights().weights_for(Layer("probe", probe.problem), 0.0 if setting else probe.density, seed=1)
    settings = {setting: probe.density} if setting else {}
    entry = Entry(team, spec, Stage(probe.problem, weights.array, 1, NO_TRUTH, measure.timeout_s), settings=settings)
    entry.call("warm_up")
    clocks, peaks = [], [team.worker().call("fma_peak")]
    for _ in range(REPETITIONS):
        evict()
        clocks.append(sample(entry, measure.patience_s or 0.0))
    peaks.append(team.worker().call("fma_peak"))
    if any(peak is None for peak in peaks):
        raise InputError(f"backend {team.spec.name!r} gives no FMA peak, so its kernels cannot be calibrated; the paper's model is used")
    shared = sum(c.pace > 0 and pace.shared(c.pace) for c in clocks) / len(clocks)
    seconds = float(np.median([c.end_to_end_s for c in clocks]))
    return Visit(Sample(probe.problem, probe.density if setting else weights.density, seconds, max(peaks)), shared)


def _visits(probes: Sequence[Probe], visit: Callable[[Probe], Visit], seconds: float, tick: Callable[[int, int], None]) -> list[Visit]:
    """The best visit to each of ``probes``, or to as many of the first ones as half the ``seconds`` allow (24 at least).

    Each is visited twice, a pass over all others apart, since what slows a kernel may last for seconds; those whose visits differ a third
    time, as long as there is time.
    """
    start, found = time.perf_counter(), list[list[Visit]]()
    for probe in probes:
        if time.perf_counter() > start + seconds / 2 and len(found) >= LEAST_PROBES:
            break
        found.append([visit(probe)])
        tick(len(found), 2 * len(probes))
    done, total = len(found), 2 * len(found)
    for again in (lambda visits: True, _apart):
        for probe, visits in zip(probes, found, strict=False):
            if again(visits) and time.perf_counter() < start + seconds:
                visits.append(visit(probe))
                done += 1
                tick(min(done, total), total)
    return [min(visits, key=lambda visit: visit.rank) for visits in found]


def _apart(visits: Sequence[Visit]) -> bool:
    """Whether two visits to a probe do not agree."""
    works = [visit.sample.work for visit in visits]
    return max(works) > (1 + APART) * min(works)


def calibrate_kernel(
    team: Team, spec: KernelSpec, hardware: Hardware, exclude: Sequence[Layer], measure: MeasureConfig, tick: Callable[[int, int], None]
) -> ModelledKernel:
    """Time the probes of ``spec`` and fit its costs; ``tick(done, total)`` is called after each visit to a probe.

    Probes taken on a shared core are left out where enough others remain.
    """
    declared = ModelledKernel.declared(team.spec.name, spec, team.threads, hardware)
    probes = design(declared, team, exclude)
    mixed = random.Random(1).sample(probes, len(probes))  # so that a design cut short is still a mixed one
    timed = _visits(mixed, lambda probe: time_probe(team, spec, probe, measure), BUDGET_S / len(team.kernels), tick)
    own = [visit.sample for visit in timed if visit.own]
    samples = own if len(own) >= LEAST_PROBES else [visit.sample for visit in timed]
    parameters = calibrate(declared.contender.model, samples, declared.parameters, hardware)
    left_out = len(timed) - len(samples)
    return dataclasses.replace(declared, parameters=parameters, date=datetime.now(UTC).date().isoformat(), left_out=left_out)
