"""Random weights: exact density, seeded by layer, and the imbalanced pattern against the statistics of real pruned weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.networks import layer_from_descriptor
from harness.weights import LayerWeights, open_source
from harness.weights.patterns import PATTERNS
from perfmodel import InputError

CONV2 = layer_from_descriptor('g2ic96ih27oc256oh27kh5ph2n"conv2" density=0.1435')
CONV3 = layer_from_descriptor('ic256ih13oc384oh13kh3ph1n"conv3" density=0.069')


def draw(layer, density=None, seed=1, pattern="uniform") -> LayerWeights:
    weights = open_source({"kind": "random", "pattern": pattern}).weights_for(layer, density, seed)
    assert weights is not None
    return weights


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("density", [0, 1e-6, 0.05, 0.0691, 0.5, 0.97, 1])
def test_density_is_exact(pattern, density):
    weights = draw(CONV3, density, pattern=pattern)
    assert weights.array.shape == (384, 256, 3, 3) and weights.array.dtype == np.float32
    assert np.count_nonzero(weights.array) == round(density * weights.array.size)
    assert weights.density == np.count_nonzero(weights.array) / weights.array.size
    assert weights.pattern == pattern


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 9), st.integers(1, 12), st.integers(1, 12)),
    density=st.floats(0, 1),
    pattern=st.sampled_from(sorted(PATTERNS)),
)
def test_density_is_exact_on_awkward_shapes(shape, density, pattern):
    g, oc, ic, kh, kw = shape
    layer = layer_from_descriptor(f"g{g}ic{g * ic}ih12iw12oc{g * oc}kh{kh}kw{kw}")
    assert np.count_nonzero(draw(layer, density, pattern=pattern).array) == round(density * layer.problem.weight_count)


def test_without_a_density_the_published_one_holds():
    assert draw(CONV2).density == pytest.approx(0.1435, abs=1e-5)
    with pytest.raises(InputError, match=r"layer 'layer1' has no published density; allowed: density=X"):
        draw(layer_from_descriptor("ic3ih8oc4kh3"))
    with pytest.raises(InputError, match=r"density is 1\.2; allowed: a number from 0 to 1"):
        draw(CONV2, 1.2)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_same_seed_and_name_give_the_same_weights(pattern):
    first, again = draw(CONV3, 0.1, pattern=pattern), draw(CONV3, 0.1, pattern=pattern)
    assert np.array_equal(first.array, again.array)
    renamed = layer_from_descriptor(str(CONV3.problem).replace("conv3", "other"))
    for other in (draw(CONV3, 0.1, seed=2, pattern=pattern), draw(renamed, 0.1, pattern=pattern)):
        assert not np.array_equal(first.array, other.array)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_values_are_ordinary_numbers(pattern):
    array = draw(CONV3, 0.3, pattern=pattern).array
    values = array[array != 0]
    assert np.abs(values).min() >= 1e-4 and np.abs(values).max() < 0.5
    assert abs(values.mean()) < 1e-3 and values.std() == pytest.approx(0.05, rel=0.02)
    assert array.flags.c_contiguous and not array.flags.writeable


def kernels_all_zero(weights: LayerWeights) -> float:
    return float((np.count_nonzero(weights.array, axis=(2, 3)) == 0).mean())


# Real pruned weights: density, then what a uniform pattern would leave of all-zero kernels, then what was counted.
@pytest.mark.parametrize(("layer", "density", "uniform", "real"), [(CONV2, 0.1139, 0.049, 0.376), (CONV3, 0.0489, 0.637, 0.759)])
def test_imbalanced_has_the_structure_of_real_pruned_weights(layer, density, uniform, real):
    even, uneven = draw(layer, density), draw(layer, density, pattern="imbalanced")
    assert kernels_all_zero(even) == pytest.approx(uniform, abs=0.01)
    assert kernels_all_zero(uneven) == pytest.approx(real, abs=0.04)
    rows = np.count_nonzero(uneven.array, axis=(1, 2, 3))
    assert 0 < (rows == 0).sum() <= 0.05 * len(rows)
    assert 0.4 < rows.std() / rows.mean() < 0.7
    assert 2.2 < rows.max() / rows.mean() < 4.2
    even_rows = np.count_nonzero(even.array, axis=(1, 2, 3))
    assert even_rows.std() / even_rows.mean() < 0.2
    taps = (uneven.array != 0).mean(axis=(0, 1))
    assert taps.max() == taps[taps.shape[0] // 2, taps.shape[1] // 2] > 1.7 * taps.mean()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"kind": "randm"}, ["weights.kind is 'randm'", "random, files", "Did you mean 'random'?"]),
        ({}, ["weights.kind is None"]),
        ("random", ["weights is 'random'", "random, files"]),
        ({"kind": "random", "patern": "uniform"}, ["weights=random has no field 'patern'", "Did you mean 'pattern'?"]),
        ({"kind": "random", "pattern": "unifrm"}, ["weights.pattern is 'unifrm'", "uniform, imbalanced", "Did you mean 'uniform'?"]),
    ],
)
def test_a_wrong_configuration_is_refused_by_field(config, words):
    with pytest.raises(InputError) as caught:
        open_source(config)
    for word in words:
        assert word in str(caught.value)


def test_nothing_configured_is_random():
    source = open_source(None)
    assert source.takes_density and source.description == "random weights, uniform pattern"
