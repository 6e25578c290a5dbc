"""The budget guide's solver against brute force, and its refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gsl import Budget, Loss, combined_outlook, measured_outlook
from gsl.guides.budget import solve
from perfmodel import InputError


def layer(name: str, dense_s: float = 1.0):
    return measured_outlook(name, dense_s, {0.01: 0.1 * dense_s, 0.1: 0.2 * dense_s, 1.0: 2.0 * dense_s})


def test_solution_is_close_to_brute_force(rng):
    for _ in range(10):
        layers = {name: layer(name, float(rng.uniform(0.2, 2))) for name in "abc"}
        grid = np.geomspace(0.01, 0.5, 12)
        weights = {name: rng.uniform(0.1, 2) for name in layers}
        choices = {
            name: (*((float(x), outlook.best_s(x), float(weights[name] * (1 - x) ** 6)) for x in grid), (1.0, outlook.dense_s, 0.0))
            for name, outlook in layers.items()
        }
        target = 0.4 * sum(outlook.dense_s for outlook in layers.values())
        found = solve(choices, {name: outlook.best_s for name, outlook in layers.items()}, target)
        seconds = sum(layers[name].best_s(x) for name, x in found.items())
        loss = sum(np.interp(x, [o[0] for o in choices[name]], [o[2] for o in choices[name]]) for name, x in found.items())
        best = min(
            sum(o[2] for o in combination)
            for combination in itertools.product(*choices.values())
            if sum(o[1] for o in combination) <= target
        )
        assert seconds <= target * (1 + 1e-9)
        assert loss <= best * 1.1 + 1e-9


def test_everything_stays_where_the_target_is_met_anyway():
    choices = {"a": ((0.1, 0.2, 1.0), (1.0, 1.0, 0.0))}
    assert solve(choices, {"a": lambda x: x}, 1.5) == {"a": 1.0}


def test_the_cheaper_layer_is_pruned_further():
    guide = Budget(target=0.3).open(["a", "b"], {"a": layer("a"), "b": layer("b")})
    grid = [0.01 * 1.2**i for i in range(25)]
    cheap, dear = Loss(grid, [0.1 * (1 - x) ** 6 for x in grid]), Loss(grid, [(1 - x) ** 6 for x in grid])
    guide.replan({"a": cheap, "b": dear}, 0)
    assert guide.plan["a"] < guide.plan["b"]
    assert guide.seconds(guide.plan) == pytest.approx(guide.target_s, rel=1e-3)
    again = Budget(target=0.3).open(["a", "b"], guide.layers)
    again.load_state_dict(guide.state_dict())
    assert again.plan == guide.plan and again.target("a", 1.0) == guide.plan["a"]


def test_a_target_out_of_reach_is_refused_with_what_can_be_had():
    with pytest.raises(InputError, match=r"target is 0.05 of the unpruned time; allowed: at least 0.100"):
        Budget(target=0.05).open(["a"], {"a": layer("a")})
    with pytest.raises(InputError, match="needs projections"):
        Budget().open(["a"], {})


def test_measured_outlook_interpolates_and_takes_the_sparse_kernel_unpruned_where_that_is_faster():
    outlook = measured_outlook("conv1", 3.0, {0.1: 0.4, 0.5: 1.2, 1.0: 2.2}, ("onednn conv", "cpu direct_sparse"))
    assert outlook.dense_s == 2.2 and outlook.kernel(1.0) == "cpu direct_sparse"
    assert outlook.seconds(0.3) == pytest.approx(0.8) and outlook.seconds(0.05) == pytest.approx(0.3)
    assert outlook.useful.high == 1.0
    with pytest.raises(InputError, match="allowed: positive seconds at two or more densities"):
        measured_outlook("conv1", 3.0, {0.1: 0.4})


def test_two_devices_at_once_add_up():
    both = combined_outlook([layer("a", 1.0), layer("a", 3.0)])
    assert both.dense_s == 4.0 and both.seconds(0.1) == pytest.approx(0.8) and both.seconds(1.0) == 4.0
    assert both.kernels == ("dense", "sparse"), "each name once"
    with pytest.raises(InputError, match="one layer, seen from several devices"):
        combined_outlook([layer("a"), layer("b")])
