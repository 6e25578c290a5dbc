"""Low-rank chains in projections: times at a stated rank, the error left open, never chosen unasked."""

from __future__ import annotations

import dataclasses

import pytest

from harness.contract import Hardware, InputError, KernelSpec, Quantity
from harness.modelling.low_rank import UNKNOWN_ERROR, Chain, open_chains
from harness.modelling.outlook import Dense, choose
from harness.modelling.store import ModelledKernel
from perfmodel import Problem
from perfmodel.methods import LowRank

HARDWARE = Hardware("v", "toaster", numbers={"peak_flops": Quantity(1e11, "FLOP/s"), "bandwidth": Quantity(1e10, "B/s")})
PROBLEM = Problem.parse("g2ic64ih28oc96kh3ph1")
TUCKER2 = KernelSpec("factored", "low_rank", "", exact=False, model="low_rank/tucker2")


def modelled(spec: KernelSpec) -> ModelledKernel:
    return ModelledKernel.declared("made-up", spec, 1, HARDWARE)


def test_calibrated_forms_stand_for_themselves_and_the_others_come_from_first_principles():
    chains = open_chains([modelled(TUCKER2), modelled(KernelSpec("conv", "dense", ""))], HARDWARE, 1, [0.1, 0.25])
    assert [(chain.kernel.name, chain.share) for chain in chains] == [
        ("made-up factored", 0.1),
        ("made-up factored", 0.25),
        ("any cp", 0.1),
        ("any cp", 0.25),
    ]
    assert open_chains([modelled(TUCKER2)], HARDWARE, 1, []) == ()


def test_a_chain_is_projected_at_its_rank_and_says_that_it_changes_the_result():
    chain = Chain(modelled(TUCKER2), 0.25)
    assert chain.ranks(PROBLEM) == (8, 12)
    found = chain.project(PROBLEM, 1.0)
    alone = LowRank("tucker2", (8, 12)).seconds(PROBLEM, 1.0, HARDWARE, chain.kernel.parameters).seconds
    assert found.median_s == pytest.approx(alone)
    assert (found.name, found.method) == ("made-up factored at 0.25 of the full rank (approximates)", "low_rank")
    assert found.note.startswith(f"rank 8 and 12: {UNKNOWN_ERROR}")


def test_the_method_choice_takes_a_chain_only_where_asked():
    spec, dense = KernelSpec("sparse", "direct_sparse", ""), Dense(1.0, "made-up dense")
    low_rank = modelled(TUCKER2)
    exact = choose(PROBLEM, 0.9, spec, modelled(spec), [low_rank], HARDWARE, dense)
    assert exact.best.name == "made-up sparse"
    chain = Chain(low_rank, 0.02)
    asked = choose(PROBLEM, 0.9, spec, modelled(spec), [low_rank], HARDWARE, dense, [chain.project(PROBLEM, dense.seconds)])
    assert asked.best.name == chain.name
    assert asked.margin == pytest.approx(exact.best.median_s / asked.best.median_s)


def test_only_low_rank_models_make_chains():
    dense = dataclasses.replace(modelled(TUCKER2), model="dense")
    with pytest.raises(InputError, match="made-up factored is no low-rank chain; allowed: kernels whose model is low_rank/tucker2"):
        Chain(dense, 0.1).ranks(PROBLEM)
