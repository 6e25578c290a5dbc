"""The layout of written-out code: by hand on small layers, and its invariants on awkward ones."""

from __future__ import annotations

import dataclasses

import pytest

from perfmodel import Problem
from perfmodel.strips import LANES, SUMS, frame, strips

AWKWARD = [
    "ic256ih13oc384kh3ph1",
    "g2ic96ih27oc256kh5ph2",
    "mb3ic7ih9iw5oc5kh3kw3ph1pw1",
    "ic3ih227oc96kh11sh4",
    "ic512ih14oc128kh1",
    "ic64ih56oc32kh1sh2",
    "ic8ih20oc6kh3ph2dh1",
    "ic1ih3oc1kh3",
    "g6ic6ih12oc6kh3ph1",
]


def test_a_3x3_layer_by_hand():
    f = frame(Problem.parse("ic256ih13oc384kh3ph1"))
    # Rows of 13 share one zero of padding: 14 apart; 12 * 14 + 13 = 181 outputs make 12 vectors; 384 channels make 14 blocks of 27.4.
    assert (f.pitch, f.tiles, f.vectors, f.blocks, f.phases) == (14, 12, 1, 14, 1)
    assert f.reach == 2 * 14 + 2
    # Lanes 0 to 15 read with offsets 0-2, 14-16 and 28-30: lines 0, 1 and 2, of which the last is new to a tile.
    assert (f.read, f.fresh) == (3, 1)


def test_a_1x1_layer_is_one_row():
    f = frame(Problem.parse("ic512ih14oc128kh1"))
    assert (f.pitch, f.tiles, f.reach, f.read, f.fresh, f.touched) == (196, 13, 0, 1, 1, 1.0)


def test_few_channels_take_more_vectors():
    f = frame(Problem.parse("ic16ih28oc3kh3ph1"))
    assert f.blocks == 1
    assert 1 < f.vectors <= SUMS // 3


def test_a_stride_takes_one_plane_for_each_phase_in_use():
    assert frame(Problem.parse("ic3ih227oc96kh11sh4")).phases == 16
    assert frame(Problem.parse("ic64ih56oc32kh1sh2")).phases == 1


@pytest.mark.parametrize("text", AWKWARD)
@pytest.mark.parametrize("density", [0.0, 0.02, 0.5, 1.0])
def test_planes_hold_every_tile_and_what_its_taps_reach(text, density):
    problem = Problem.parse(text)
    f, s = frame(problem), strips(problem, density * problem.weight_count)
    assert f.tiles * f.vectors * LANES >= problem.oh * problem.ow
    assert 1 <= s.strips <= f.tiles
    assert 1 <= s.parts <= f.inputs
    assert s.plane >= -(-f.tiles // s.strips) * f.vectors * LANES + f.reach
    assert s.plane // LANES % 2 == 1
    assert 1 <= f.fresh <= f.read
    assert frame(dataclasses.replace(problem, mb=problem.mb + 3)).tiles == f.tiles


def test_more_weights_make_fewer_strips():
    problem = Problem.parse("ic64ih56oc192kh3ph1")
    counts = [strips(problem, density * problem.weight_count).strips for density in (0.01, 0.1, 0.3, 1.0)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]
