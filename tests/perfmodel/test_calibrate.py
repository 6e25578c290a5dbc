"""Calibration on a made-up kernel whose costs are known: design, fit, band, extrapolation, storage."""

from __future__ import annotations

import random

import numpy as np
import pytest

from perfmodel import Hardware, InputError, Problem, Quantity
from perfmodel.calibrate import Sample, calibrate
from perfmodel.kernel import KernelParameters
from perfmodel.kernel_file import as_record, from_record
from perfmodel.methods import Dense, DirectSparse, Fft, GeneratedSparse, LoweredSparse, LowRank, Winograd
from perfmodel.probes import probe_design
from perfmodel.quantities import outside

HARDWARE = Hardware(
    "v",
    "toaster",
    numbers={
        "peak_flops": Quantity(176e9, "FLOP/s"),
        "bandwidth": Quantity(14e9, "B/s"),
        "bandwidth_l2": Quantity(137e9, "B/s"),
        "call_overhead": Quantity(2e-6, "s"),
    },
)
KERNEL = KernelParameters(lanes=16, tile=28)
HELD_OUT = ["g2ic96ih27oc256kh5ph2", "ic256ih13oc384kh3ph1", "ic64ih56oc192kh3ph1", "ic192ih7oc384kh3ph1", "ic480ih14oc192kh1"]
MODELS = [
    DirectSparse(),
    GeneratedSparse(),
    LoweredSparse(),
    Dense("im2col"),
    Dense("direct"),
    Winograd(4),
    Fft(16),
    LowRank("tucker2", 16),
]


def truth(model, seed: int) -> dict[str, float]:
    draw = random.Random(seed)
    return {name: cost * draw.uniform(0.5, 2.0) for name, cost in model.first_costs(HARDWARE, KERNEL).items()}


def work(model, costs, problem: Problem, density: float) -> float:
    return sum(costs[name] * count for name, count in model.terms(problem, density, KERNEL).items())


def timed(model, costs, probes, noise=0.03, disturbed=0.08, seed=0) -> list[Sample]:
    """Samples under a drifting clock, with noise, and now and then a disturbance."""
    draw, found = random.Random(seed), []
    for problem, density in probes:
        peak = 176e9 * draw.uniform(0.6, 1.1)
        slow = draw.uniform(1.5, 2.0) if draw.random() < disturbed else 1.0
        found.append(Sample(problem, density, work(model, costs, problem, density) / peak * draw.lognormvariate(0, noise) * slow, peak))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_held_out_layers_are_predicted_within_the_goal(seed):
    """Goal: 10 % median and 25 % 90th percentile over layers, densities 0.02 to 0.5 and batches 1 and 16."""
    model = DirectSparse()
    costs = truth(model, seed)
    held_out = [Problem.parse(text) for text in HELD_OUT]
    probes = probe_design(model, KERNEL, HARDWARE, 48, exclude=held_out, seed=seed)
    found = calibrate(model, timed(model, costs, probes, seed=seed), KERNEL, HARDWARE)
    errors = []
    for problem in held_out:
        for batch in (1, 16):
            for density in (0.02, 0.05, 0.1, 0.2, 0.5):
                exact = work(model, costs, problem.with_batch(batch), density)
                errors.append(abs(work(model, found.costs, problem.with_batch(batch), density) / exact - 1))
    assert np.median(errors) < 0.03
    assert np.quantile(errors, 0.9) < 0.08
    assert 0.85 < found.band[0] < 1.0 < found.band[1] < 1.35


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{type(m).__name__}-{getattr(m, 'algorithm', '')}")
def test_every_method_calibrates(model):
    densities = (0.02, 0.5) if model.method in ("direct_sparse", "lowered_sparse") else (1.0, 1.0)
    probes = probe_design(model, KERNEL, HARDWARE, 24, densities=densities, most_s=1.0)
    costs = truth(model, 1)
    found = calibrate(model, timed(model, costs, probes, disturbed=0.0), KERNEL, HARDWARE)
    errors = [abs(work(model, found.costs, *probe) / work(model, costs, *probe) - 1) for probe in probes]
    assert np.median(errors) < 0.05


def test_shape_that_nobody_declared_is_found():
    model, costs = DirectSparse(), truth(DirectSparse(), 3)
    samples = timed(model, costs, probe_design(model, KernelParameters(), HARDWARE, 40))
    assert calibrate(model, samples, KernelParameters(alpha=1.5), HARDWARE).shape == KERNEL.shape
    declared = KernelParameters(lanes=4)
    assert calibrate(model, samples, declared, HARDWARE).shape == declared.shape


def test_few_samples_are_enough_to_scale_first_principles():
    model = DirectSparse()
    costs = {name: 2 * cost for name, cost in model.first_costs(HARDWARE, KERNEL).items()}
    samples = timed(model, costs, probe_design(model, KERNEL, HARDWARE, 8), disturbed=0.0)
    found = calibrate(model, samples, KERNEL, HARDWARE)
    assert [work(model, found.costs, s.problem, s.density) / s.work for s in samples] == pytest.approx([1.0] * 8, rel=0.15)


def test_noise_widens_the_band():
    model, costs = DirectSparse(), truth(DirectSparse(), 2)
    probes = probe_design(model, KERNEL, HARDWARE, 48)
    calm, wild = (calibrate(model, timed(model, costs, probes, noise, 0.0), KERNEL, HARDWARE).band for noise in (0.01, 0.2))
    assert calm[1] / calm[0] < 1.15 < 1.3 < wild[1] / wild[0]


def test_every_probe_keeps_its_residual_and_the_band_comes_from_them():
    model = DirectSparse()
    found = calibrate(model, timed(model, truth(model, 2), probe_design(model, KERNEL, HARDWARE, 48), 0.2, 0.0), KERNEL, HARDWARE)
    assert len(found.residuals) == len(found.probes) == 48
    assert found.band == pytest.approx(np.quantile(found.residuals, [0.1, 0.9]), rel=1e-3)
    assert from_record(as_record(found)) == found


def test_unseen_term_keeps_its_first_cost():
    model = DirectSparse()
    first = model.first_costs(HARDWARE, KERNEL)
    problem = Problem.parse("ic64ih20oc64kh1")  # 1x1: nothing slides
    samples = [
        Sample(problem.with_batch(b), x, work(model, first, problem.with_batch(b), x) / 1e11, 1e11)
        for b in (1, 2, 4)
        for x in (0.05, 0.1, 0.2, 0.3, 0.5)
    ]
    found = calibrate(model, samples, KERNEL, HARDWARE)
    assert found.costs["slide"] == pytest.approx(first["slide"], rel=0.01)


def test_probes_are_recorded_and_none_is_held_out():
    model, held_out = DirectSparse(), [Problem.parse(text) for text in HELD_OUT]
    first = probe_design(model, KERNEL, HARDWARE, 48)
    excluded = probe_design(model, KERNEL, HARDWARE, 48, exclude=[first[0].problem.with_batch(7), *held_out])
    assert first[0].problem.with_batch(1) not in {probe.problem.with_batch(1) for probe in excluded}
    found = calibrate(model, timed(model, truth(model, 0), first), KERNEL, HARDWARE)
    assert found.probes[0] == f"{first[0].problem} density {first[0].density:.4g}"
    assert len(found.probes) == 48


def test_design_is_repeatable_and_keeps_to_its_limits():
    model = DirectSparse()
    probes = probe_design(model, KERNEL, HARDWARE, 20, most_s=0.002, supports=lambda p: p.g == 1 and p.sh == 1, densities=(0.1, 0.2))
    assert probes == probe_design(
        model, KERNEL, HARDWARE, 20, most_s=0.002, supports=lambda p: p.g == 1 and p.sh == 1, densities=(0.1, 0.2)
    )
    assert len(set(probes)) == 20
    for problem, density in probes:
        assert (problem.g, problem.sh) == (1, 1)
        assert 0.1 <= density <= 0.2
        assert 20e-6 <= model.seconds(problem, density, HARDWARE, KERNEL).seconds <= 0.002


def test_design_shows_every_term():
    model = DirectSparse()
    shares = [model.seconds(*probe, HARDWARE, KERNEL).shares for probe in probe_design(model, KERNEL, HARDWARE, 48)]
    for name in model.kinds:
        assert max(share[name] for share in shares) > 0.02, name


def test_design_only_takes_what_the_method_does():
    assert all((p.kh, p.sh) == (3, 1) for p, _ in probe_design(Winograd(2), KERNEL, HARDWARE, 16, densities=(1.0, 1.0)))


def test_whole_calibration_takes_a_few_seconds_of_kernel_time():
    probes = probe_design(DirectSparse(), KERNEL, HARDWARE, 48)
    assert sum(DirectSparse().seconds(*probe, HARDWARE, KERNEL).seconds for probe in probes) * 20 < 10


def test_extrapolation_is_named():
    found = calibrate(
        DirectSparse(),
        timed(DirectSparse(), truth(DirectSparse(), 0), probe_design(DirectSparse(), KERNEL, HARDWARE, 48)),
        KERNEL,
        HARDWARE,
    )
    inside = Problem.parse("ic128ih13oc128kh3ph1")
    assert outside(found.probed, inside, 0.1) == ()
    (density,) = outside(found.probed, inside, 0.9)
    assert density.startswith("density 0.9 outside 0.02")
    assert any(text.startswith("taps 121 outside") for text in outside(found.probed, Problem.parse("ic64ih55oc96kh11"), 0.1))
    assert outside({}, inside, 0.9) == ()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: calibrate(DirectSparse(), [], KERNEL, HARDWARE), "0 samples for direct_sparse; allowed: 8 or more"),
        (lambda: Sample(Problem.parse("ic3ih3oc3kh3"), 0.1, 0.0, 1.0), r"seconds of sample g1mb1ic3.* is 0\.0; allowed: a positive number"),
        (lambda: Sample(Problem.parse("ic3ih3oc3kh3"), 0.1, 1.0, float("nan")), "peak_flops of sample .* is nan"),
        (
            lambda: probe_design(Winograd(2), KERNEL, HARDWARE, 48, most_s=2e-5),
            r"only \d+ candidates for 48 probes of winograd of 2e-05 to 2e-05 s",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(InputError, match=message):
        call()
