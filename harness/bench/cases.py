"""Which layers to measure, at which densities and batch sizes, with which weights."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from harness.config import RunConfig, as_list
from harness.contract import InputError, Problem
from harness.networks import Layer, layer_from_descriptor, layers_from_file, load_layers
from harness.suggest import did_you_mean
from harness.weights import LayerWeights, WeightSource, open_source


@dataclass(frozen=True)
class Case:
    """One layer at one density and batch; ``skipped`` says why it cannot be measured.

    ``density`` is counted in the weights, ``asked`` is the one wanted: small layers may have one count for two wishes.
    """

    layer: Layer
    problem: Problem
    density: float | None
    weights: LayerWeights | None
    seed: int
    skipped: str = ""
    asked: float | None = None

    @property
    def key(self) -> str:
        """What tells this case from the others of a run."""
        return f"{self.problem}@{self.asked}"


def choose_layers(config: RunConfig) -> tuple[Layer, ...]:
    """The layers that the configuration names: one problem, a file of them, or a network."""
    if config.problem:
        layers: Sequence[Layer] = (layer_from_descriptor(config.problem),)
    elif config.problems:
        layers = layers_from_file(config.problems)
    else:
        layers = load_layers(config.network)
    wanted = [str(name) for name in as_list(config.layers)]
    names = [layer.name for layer in layers]
    for name in wanted:
        if name not in names:
            raise InputError(f"layers: no layer {name!r}; allowed: {', '.join(names)}.{did_you_mean(name, names)}")
    return tuple(layer for layer in layers if not wanted or layer.name in wanted)


def build_cases(config: RunConfig) -> tuple[Case, ...]:
    """Every layer x batch x density; raises :class:`InputError` when nothing is left to measure."""
    layers = choose_layers(config)
    source = open_source(config.weights)
    densities = as_list(config.density) or [None]
    if any(d is not None for d in densities) and not source.takes_density:
        raise InputError(f"density is {config.density!r}, but these weights have their own; allowed: leave density out, or weights=random")
    cases = tuple(
        _case(layer, layer.problem.with_batch(batch), layer.density if density is None else float(density), source, config)
        for layer in layers
        for batch in batches(layer, config)
        for density in densities
    )
    if all(case.skipped for case in cases):
        mend = "density=, for example density=[0.05,0.1,0.3]" if source.takes_density else f"a file {cases[0].layer.name}.npz, say"
        raise InputError(f"nothing to measure: {cases[0].layer.name}: {cases[0].skipped}; give {mend}")
    return cases


def batches(layer: Layer, config: RunConfig) -> list[int]:
    """The batch sizes at which to measure ``layer``; the default of 1 leaves a problem its own."""
    return [layer.problem.mb] if config.batch == 1 else as_list(config.batch)


def _case(layer: Layer, problem: Problem, density: float | None, source: WeightSource, config: RunConfig) -> Case:
    seed = zlib.crc32(layer.name.encode(), config.seed) & 0x7FFFFFFF
    if source.takes_density and density is None:
        return Case(layer, problem, None, None, seed, "no published density; density= measures it")
    weights = source.weights_for(layer, density, config.seed)
    if weights is None:
        return Case(layer, problem, None, None, seed, f"no weights for it in {source.description}")
    return Case(layer, problem, weights.density, weights, seed, asked=density)


def case_at(layer: Layer, batch: int, density: float | None, source: WeightSource, config: RunConfig) -> Case:
    """``layer`` at one batch size and density; None: the density of the source's own weights."""
    return _case(layer, layer.problem.with_batch(batch), density, source, config)


def coverage(cases: Sequence[Case]) -> str:
    """How much of the network is measured, as text: layers and share of its FLOP."""
    flops = {case.layer.name: case.problem.flops for case in cases}
    measured = {case.layer.name for case in cases if not case.skipped}
    share = sum(flops[name] for name in measured) / sum(flops.values())
    return f"{len(measured)} of {len(flops)} convolutions, {share:.0%} of their FLOP"
