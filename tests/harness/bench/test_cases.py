"""Layers x batches x densities, each with its weights, key and seed."""

import pytest

from harness.bench.cases import build_cases, choose_layers, coverage
from harness.config import RunConfig
from harness.contract import InputError

NETWORK = {
    "name": "n",
    "source": "s",
    "layers": [{"problem": 'ic4ih6oc8kh3n"a"', "density": 0.25}, {"problem": 'ic2ih3oc2kh1n"b"', "density": None}],
}


def config(**fields):
    return RunConfig(**{"network": NETWORK, "weights": {"kind": "random", "pattern": "uniform"}, **fields})


def test_published_densities_and_what_has_none():
    first, second = build_cases(config())
    assert (first.layer.name, first.density, first.skipped) == ("a", 0.25, "")
    assert second.weights is None and second.skipped.startswith("no published density")
    assert coverage([first, second]) == "1 of 2 convolutions, 99% of their FLOP"


def test_every_combination_once():
    cases = build_cases(config(density=[0.5, 1.0], batch=[1, 3]))
    assert [(c.layer.name, c.problem.mb, c.density) for c in cases] == [(n, b, d) for n in "ab" for b in (1, 3) for d in (0.5, 1.0)]
    assert len({case.key for case in cases}) == 8


def test_densities_that_round_to_one_count_are_two_cases():
    """A 1x1 layer of four weights cannot have 0.5 and 0.51."""
    cases = build_cases(config(layers="b", density=[0.5, 0.51]))
    assert [case.density for case in cases] == [0.5, 0.5] and len({case.key for case in cases}) == 2


def test_a_descriptors_batch_stays_unless_another_is_asked_for():
    text = 'mb5ic2ih3oc2kh1n"x"'
    assert [c.problem.mb for c in build_cases(config(problem=text, density=1))] == [5]
    assert [c.problem.mb for c in build_cases(config(problem=text, density=1, batch=[2, 7]))] == [2, 7]


def test_seeds_depend_on_layer_and_seed_alone():
    def seeds(**fields):
        return {case.layer.name: case.seed for case in build_cases(config(density=0.5, **fields))}

    assert seeds() == seeds(batch=2) != seeds(seed=1)
    assert seeds()["a"] != seeds()["b"] and seeds(layers="b")["b"] == seeds()["b"]


def test_precedence_and_choice_of_layers(tmp_path):
    file = tmp_path / "list"
    file.write_text('ic1ih2oc1kh1n"f"\n')
    assert [layer.name for layer in choose_layers(config(problem='ic1ih2oc1kh1n"p"'))] == ["p"]
    assert [layer.name for layer in choose_layers(config(problems=str(file)))] == ["f"]
    assert [layer.name for layer in choose_layers(config(layers=["b"]))] == ["b"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"layers": "c"}, "layers: no layer 'c'; allowed: a, b"),
        ({"layers": "b"}, "nothing to measure: b: no published density"),
        ({"weights": {"kind": "files", "path": "/no/such"}}, "/no/such"),
        ({"weights": {"kind": "nothing"}}, "weights.kind is 'nothing'; allowed: random, files"),
    ],
)
def test_refused(fields, words):
    with pytest.raises(InputError) as caught:
        build_cases(config(**fields))
    assert words in str(caught.value)


def test_weights_from_files_take_no_density(tmp_path):
    import numpy as np

    np.save(tmp_path / "a.npy", np.ones((8, 4, 3, 3), np.float32))
    files = {"kind": "files", "path": str(tmp_path)}
    first, second = build_cases(config(weights=files))
    assert first.density == 1 and second.skipped.startswith("no weights for it in")
    with pytest.raises(InputError, match=r"density is 0\.5, but these weights have their own"):
        build_cases(config(weights=files, density=0.5))
