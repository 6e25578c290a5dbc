"""Each pruner against its published formula, worked by hand or in NumPy, step by step."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gsl import DNS, GMP, L1, GroupLasso, Magnitude, Moment, Movement, RigL
from gsl.pruners.rigl import erk
from perfmodel import InputError


def moment(step: int, total: int = 100, target: float = 1.0, decay: float = 0.0, seed: int = 0) -> Moment:
    return Moment(step, total, 0.1, decay, seed, target)


def kept(layer) -> list[int]:
    return layer.mask.flatten().int().tolist()


def values(layer) -> list[float]:
    return layer.weight.detach().flatten().tolist()


def test_magnitude_at_once_keeps_the_largest(toy):
    layer, pruner = toy([0.3, -0.9, 0.1, 0.5]), Magnitude(density=0.5)
    pruner.after(layer, moment(1, target=0.5))
    assert kept(layer) == [0, 1, 0, 1]
    assert values(layer) == pytest.approx([0, -0.9, 0, 0.5])


def test_magnitude_in_rounds_removes_the_same_share_each_time(toy):
    layer, pruner = toy(list(range(1, 101))), Magnitude(density=0.125, rounds=3, begin=0.0, end=0.8)
    counts = []
    for step in range(1, 101):
        pruner.after(layer, moment(step, target=0.125))
        counts.append(sum(kept(layer)))
    assert pruner.steps(100) == [1, 40, 80]
    assert (counts[0], counts[38], counts[39], counts[78], counts[79], counts[-1]) == (50, 50, 25, 25, 12, 12)
    assert pruner.ramping(moment(79)) and not pruner.ramping(moment(80))


def test_gmp_follows_the_cubic(toy):
    layer, pruner = toy(list(range(1, 1001))), GMP(density=0.1, begin=0.1, end=0.9, every=10)
    for step in range(1, 101):
        pruner.after(layer, moment(step, target=0.1))
        t = min(max((step // 10 * 10 - 10) / 80, 0), 1)
        sparsity = 0.9 + (0.0 - 0.9) * (1 - t) ** 3
        assert sum(kept(layer)) == round(1000 * (1 - sparsity)), step
    assert pruner.ramping(moment(89)) and not pruner.ramping(moment(90))


def test_gmp_stops_where_the_guide_says(toy):
    layer = toy(list(range(1, 101)))
    GMP(density=0.1, end=0.5, every=1).after(layer, moment(50, target=0.4))
    assert sum(kept(layer)) == 40


def test_masked_weights_get_no_gradient(toy):
    layer = toy([1.0, 2.0], [5.0, 6.0])
    layer.set_mask(layer.weight > 1.5)
    GMP().before(layer, moment(3))
    assert layer.weight.grad.tolist() == [0.0, 6.0]


def test_l1_replaces_the_decay_and_zeroes_below_the_threshold(toy):
    layer, pruner = toy([0.5, -0.5, 0.0], [0.1, 0.1, 0.1]), L1(strength=0.01, threshold=0.2)
    pruner.before(layer, moment(0, decay=0.1))
    # the optimiser will add decay * w itself: what is left is gradient + strength * sign
    assert (layer.weight.grad + 0.1 * layer.weight.detach()).tolist() == pytest.approx([0.11, 0.09, 0.1])
    layer.weight.data.copy_(layer.weight.data.new_tensor([0.21, -0.2, 0.19]))
    pruner.after(layer, moment(1))
    assert values(layer) == pytest.approx([0.21, 0, 0])


@pytest.mark.parametrize("by", ["update", "gradient"])
def test_l1_threshold_falls_with_the_gradient(toy, by):
    before, gradient, step = np.array([0.0, 1e-3, 0.0]), np.array([0.0, 1e-4, 1.0]), np.array([9e-4, 0.0, 9e-4])
    layer, pruner = toy(before.tolist(), gradient.tolist()), L1(strength=0.0, threshold=1e-4, factor=10, scaled_by=by)
    pruner.before(layer, moment(0))
    layer.weight.data.copy_(layer.weight.data.new_tensor((before + step).tolist()))
    pruner.after(layer, moment(1))
    slope = np.abs(step if by == "update" else gradient)
    threshold = 1 / (slope / 1e-4 + 1 / (10 * 1e-4))
    assert kept(layer) == (np.abs(before + step) > threshold).astype(int).tolist()
    assert threshold[0 if by == "gradient" else 1] == pytest.approx(1e-3)


def test_dns_prunes_below_a_keeps_between_and_splices_above_b(toy):
    start = [0.1, 0.2, 0.3, 0.4]
    layer, pruner = toy(start, [0.0] * 4), DNS(strength=0.0, low=0.8, high=1.2, every=1, gamma=0.0)
    pruner.start([layer], [1.0])  # middle = mean = 0.25, a = 0.2, b = 0.3
    pruner.before(layer, moment(0))
    pruner.after(layer, moment(1))
    assert kept(layer) == [0, 1, 1, 1]
    pruner.before(layer, moment(1))
    assert values(layer) == pytest.approx(start)  # the optimiser steps from the dense copy
    layer.weight.data.copy_(layer.weight.data.new_tensor([0.25, 0.25, 0.15, 0.31]))
    pruner.after(layer, moment(2))
    assert kept(layer) == [0, 1, 0, 1]  # in between both stay what they were
    pruner.before(layer, moment(2))
    layer.weight.data.copy_(layer.weight.data.new_tensor([0.31, 0.25, 0.29, 0.1]))
    pruner.after(layer, moment(3))
    assert kept(layer) == [1, 1, 0, 0]
    assert values(layer) == pytest.approx([0.31, 0.25, 0, 0])


def test_dns_thresholds_use_mean_and_deviation_of_the_dense_weights(toy):
    weights = np.array([0.1, -0.4, 0.7, -1.2])
    layer = toy(weights.tolist())
    DNS(strength=1.5).start([layer], [1.0])
    middle = np.abs(weights).mean() + 1.5 * np.abs(weights).std()
    assert float(layer.tensors["low"]) == pytest.approx(0.9 * middle)
    assert float(layer.tensors["high"]) == pytest.approx(1.1 * middle)
    layer.pressure = 0.5
    DNS(strength=1.5).start([layer], [1.0])
    assert [float(layer.tensors[name]) for name in ("low", "high")] == pytest.approx([0.45 * middle, 0.55 * middle])


def test_dns_comes_to_the_density_that_a_guide_plans(toy):
    layer, pruner = toy([0.1, -0.2, 0.3, -0.4], [0.0] * 4), DNS(strength=9.0, low=0.8, high=1.2, every=1, gamma=0.0)
    pruner.start([layer], [0.5])
    pruner.before(layer, moment(0, target=0.5))
    pruner.after(layer, moment(1, target=0.5))
    assert kept(layer) == [0, 0, 1, 1]
    for first, mask in ((0.38, [0, 0, 0, 1]), (0.65, [1, 0, 0, 1])):  # a is the second largest, 0.38 and 0.4; b = 1.5 a
        pruner.before(layer, moment(1, target=0.5))
        layer.weight.data.copy_(layer.weight.data.new_tensor([first, 0.2, 0.3, -0.4]))
        pruner.after(layer, moment(2, target=0.5))
        assert kept(layer) == mask


def test_dns_looks_less_and_less_often_and_the_same_way_each_time():
    pruner = DNS(gamma=0.1)
    happened = [pruner._happens(moment(step, seed=4)) for step in range(2000)]
    assert happened == [pruner._happens(moment(step, seed=4)) for step in range(2000)]
    expected = sum(1 / (1 + 0.1 * step) for step in range(2000))
    assert abs(sum(happened) - expected) < 4 * math.sqrt(expected)


def test_a_stopped_layer_keeps_its_count_while_splicing_goes_on(toy):
    layer = toy([0.1, 0.2, 0.3, 0.4])
    layer.least = 3
    layer.set_mask(layer.weight > 0.35)
    assert kept(layer) == [0, 1, 1, 1]


@pytest.mark.parametrize(("group", "axes"), [("filter", (1, 2, 3)), ("channel", (0, 2, 3)), ("shape", (0,)), ("kernel", (2, 3))])
def test_group_lasso_pulls_along_the_group_and_zeroes_small_groups(toy, rng, group, axes):
    weights = rng.standard_normal((3, 2, 2, 2)).astype(np.float32) * np.geomspace(0.01, 1, 24).reshape(3, 2, 2, 2)
    layer, pruner = toy(weights.tolist(), np.zeros_like(weights).tolist()), GroupLasso(strength=0.5, threshold=0.1, group=group)
    pruner.before(layer, moment(0))
    norm = np.sqrt((weights**2).sum(axes, keepdims=True))
    assert np.allclose(layer.weight.grad.numpy(), 0.5 * weights / norm, atol=1e-6)
    pruner.after(layer, moment(1))
    rms = np.sqrt((weights**2).mean(axes, keepdims=True))
    assert np.array_equal(layer.mask.numpy(), np.broadcast_to(rms > 0.1, weights.shape))


def test_group_lasso_takes_linear_layers_and_leaves_zero_groups_alone(toy):
    layer = toy([[0.0, 1.0], [0.0, 2.0]], [0.0] * 4)
    GroupLasso(strength=1.0, group="channel").before(layer, moment(0))
    assert np.allclose(layer.weight.grad.numpy(), [[0, 1 / math.sqrt(5)], [0, 2 / math.sqrt(5)]])


def test_movement_scores_add_up_what_moves_away_from_zero(toy):
    weights, scores = np.array([1.0, -1.0, 2.0, 0.5]), np.zeros(4)
    layer, pruner = toy(weights.tolist()), Movement(density=0.5, rate=0.1, begin=0.0, end=0.5, every=1)
    pruner.start([layer], [0.5])
    mask = np.ones(4)
    for step, gradient in enumerate(np.array([[0.3, 0.3, 0.2, -0.5], [0.1, 0.4, -0.3, -0.4], [0.9, -0.4, 0.1, 0.1]])):
        layer.weight.grad = layer.weight.data.new_tensor(gradient.tolist())
        pruner.before(layer, moment(step, total=4, target=0.5))
        scores -= 0.1 * gradient * weights
        assert np.allclose(layer.weight.grad.numpy(), gradient * mask)
        assert np.allclose(layer.weight.detach().numpy(), weights)
        weights = weights - 0.1 * gradient * mask
        layer.weight.data.copy_(layer.weight.data.new_tensor(weights.tolist()))
        pruner.after(layer, moment(step + 1, total=4, target=0.5))
        count = round(4 * (1 - (0.5 - 0.5 * (1 - min(1, (step + 1) / 2)) ** 3)))
        mask = np.isin(np.arange(4), np.argsort(-scores)[:count]).astype(float)
        assert kept(layer) == mask.astype(int).tolist()
        assert np.allclose(layer.tensors["scores"].numpy(), scores, atol=1e-7)


def test_rigl_drops_the_smallest_and_grows_the_largest_gradient(toy):
    layer, pruner = toy([4.0, 3.0, 2.0, 1.0, 0.1, 0.2, 0.3, 0.4]), RigL(density=0.5, drop=0.8, every=2, end=1.0)
    pruner.start([layer], [0.5])
    assert kept(layer) == [1, 1, 1, 1, 0, 0, 0, 0]
    layer.weight.grad = layer.weight.data.new_tensor([0, 0, 0, 0, 1.0, -9.0, 3.0, 2.0])
    pruner.before(layer, moment(1, total=100))
    assert layer.weight.grad.tolist() == [0] * 8
    pruner.after(layer, moment(2, total=100))
    share = 0.4 * (1 + math.cos(math.pi * 2 / 100))
    assert int(share * 4) == 3
    assert kept(layer) == [1, 0, 0, 0, 0, 1, 1, 1]
    assert values(layer) == [4, 0, 0, 0, 0, 0, 0, 0]  # grown weights begin at zero


def test_rigl_moves_fewer_weights_as_time_goes_on():
    pruner = RigL(drop=0.3, end=0.75)
    assert [round(pruner.fraction(t, 100), 4) for t in (0, 37.5, 75)] == [0.3, 0.15, 0.0]


def test_erk_is_dense_in_small_layers_and_keeps_the_total():
    shapes = [(8, 1, 3, 3), (64, 32, 3, 3), (128, 64, 3, 3), (10, 128)]
    shares, sizes = erk(shapes, 0.1), [math.prod(s) for s in shapes]
    assert sum(a * n for a, n in zip(shares, sizes, strict=True)) == pytest.approx(0.1 * sum(sizes))
    assert shares[0] == 1.0 and max(shares) <= 1.0
    free = [i for i, share in enumerate(shares) if share < 1]
    ratios = [shares[i] / (sum(shapes[i]) / sizes[i]) for i in free]
    assert ratios == pytest.approx([ratios[0]] * len(free))
    assert erk(shapes, 1.0) == [1.0] * 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GMP(density=0.0), "density is 0.0; allowed: more than 0, at most 1"),
        (lambda: GMP(begin=0.9, end=0.5), "allowed: begin before end"),
        (lambda: L1(strength=-1.0), "strength is -1.0; allowed: at least 0"),
        (lambda: L1(factor=0.5), "factor is 0.5; allowed: at least 1"),
        (lambda: DNS(low=1.2), "allowed: low at most high"),
        (lambda: RigL(every=0), "every is 0; allowed: a whole number from 1"),
        (lambda: Magnitude(rounds=True), "rounds is True"),
    ],
)
def test_wrong_options_are_refused(make, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        make()
