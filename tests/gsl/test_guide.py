"""The guide's decisions, replayed on short made-up and recorded density curves."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gsl import Guide, GuideRules, LayerOutlook, State, paper_outlook
from perfmodel import InputError, Problem, UsefulRange, load_hardware

SIZES = {"small": 1.0, "large": 10.0}
XEON = load_hardware("xeon-e5-2697v4")


def outlook(name: str, low: float = 0.1, high: float = 0.5, dense_s: float = 1.0) -> LayerOutlook:
    """A layer whose sparse time is ``density / high`` of the dense one, levelling off at ``low``."""
    return LayerOutlook(name, dense_s, lambda x: dense_s * max(x, low) / high, UsefulRange(low, high, "made up", high / low))


def hopeless(name: str, dense_s: float = 1.0) -> LayerOutlook:
    return LayerOutlook(name, dense_s, lambda x: 2.0 * dense_s, UsefulRange(None, None, "bandwidth bound", 0.5))


def replay(guide: Guide, curves: dict[str, list[float]], **kwargs) -> list[tuple[int, str, str]]:
    """Feed the curves check by check; return (check number, layer, state) of each decision."""
    found = []
    for number, row in enumerate(zip(*curves.values(), strict=True), start=1):
        for decision in guide.check(number * 100, dict(zip(curves, row, strict=True)), **kwargs):
            found.append((number, decision.layer, str(decision.state)))
    return found


def test_layer_without_range_is_dropped_at_the_start_with_its_reason():
    guide = Guide([outlook("a"), hopeless("b")])
    assert guide.states == {"a": State.PRUNING, "b": State.DROPPED}
    assert guide.pruning == ("a",)
    (decision,) = guide.log
    assert (decision.iteration, decision.layer, decision.density) == (0, "b", 1.0)
    assert decision.reason == "no useful range: bandwidth bound"
    assert (decision.seconds, decision.speedup) == (2.0, 0.5)


def test_layer_below_the_floor_is_dropped():
    guide = Guide([outlook("small", dense_s=0.01), outlook("large")])
    assert guide.states["small"] is State.DROPPED
    assert guide.log[0].reason == "saves at most 0.79% of the time of all layers; the floor is 2.00%"
    assert Guide([outlook("small", dense_s=0.01), outlook("large")], GuideRules(floor=0.0)).log == []


def test_a_small_layer_is_pruned_only_as_far_as_the_whole_gains():
    """At their own low ends both take 1.21 together; a layer stops where the rest of its time to save is 0.07 of that."""
    small, large = (LayerOutlook(name, s, lambda x, s=s: s * (0.1 + x), UsefulRange(0.01, 0.9, "made up", 10)) for name, s in SIZES.items())
    guide = Guide([small, large], GuideRules(floor=0.0, spare=0.07))
    spare_s = 0.07 * 0.11 * (1.0 + 10.0)
    assert guide.layers["small"].useful.low == pytest.approx(spare_s / 1.0, rel=1e-3)
    assert guide.layers["large"].useful.low == 0.01, "its own range ends before"
    assert guide.target("small", 0.02) == guide.layers["small"].useful.low
    assert guide.layers["small"].useful.reason == "made up; below 0.0847 less than 0.085 s is left to save"
    assert Guide([small, large], GuideRules(floor=0.0, spare=0.0)).layers["small"] is small
    assert Guide([small, large], GuideRules(floor=0.0, spare=1.0)).layers["small"].useful.low == 0.9, "break-even at most"


def test_a_layer_is_pressed_by_the_root_of_what_it_can_save():
    layers = [LayerOutlook(name, s, lambda x, s=s: s * (0.1 + x), UsefulRange(0.1, 0.9, "made up", 5)) for name, s in SIZES.items()]
    guide = Guide([*layers, hopeless("none")], GuideRules(floor=0.0, spare=0.0))
    savings = np.array([0.8 * s for s in SIZES.values()])
    mean = (savings**2).sum() / savings.sum()
    assert [guide.pressure(name) for name in SIZES] == pytest.approx(np.sqrt(savings / mean))
    assert guide.pressure("none") == 1.0, "dropped"
    paper = Guide(layers, GuideRules(floor=0.0, spare=0.0, pressure=0.0))
    assert [paper.pressure(name) for name in SIZES] == [1.0, 1.0]


def test_layer_never_faster_than_its_dense_kernel_is_dropped_even_without_floor():
    slow = LayerOutlook("a", 1.0, lambda x: 1.0 + x, UsefulRange(0.1, 0.5, "of another baseline", 2.0))
    guide = Guide([slow], GuideRules(floor=0.0))
    assert guide.log[0].reason == "no density is faster than the unpruned kernel"


def test_layer_at_the_low_end_stops_after_enough_checks_in_a_row():
    guide = Guide([outlook("a")], GuideRules(bound_checks=3, spare=0.0))
    assert replay(guide, {"a": [0.6, 0.09, 0.12, 0.1, 0.09, 0.08, 0.01]}) == [(6, "a", "stopped")]
    assert guide.pruning == ()
    assert guide.log[0].reason == "at or below the low end 0.1 in 3 checks: more zeros save little"
    assert (guide.log[0].density, guide.log[0].speedup) == (0.08, pytest.approx(5.0))


def test_overshoot_of_surgery_does_not_stop_a_layer():
    """dns undershoots at the first check and splices back; stopping there cost the pilot 2.5 points."""
    assert replay(Guide([outlook("a")]), {"a": [0.06, 0.13, 0.17, 0.2, 0.21]}) == []


def test_one_check_stops_at_once_if_asked():
    assert replay(Guide([outlook("a")], GuideRules(bound_checks=1)), {"a": [0.3, 0.1]}) == [(2, "a", "stopped")]


def test_layer_that_stabilised_above_break_even_is_restored():
    guide = Guide([outlook("a", high=0.5)])
    assert replay(guide, {"a": [0.8, 0.7, 0.65, 0.64, 0.645, 0.64]}) == [(6, "a", "restored")]
    assert guide.log[0].reason == "changed less than 0.03 in 3 checks, above break-even 0.5: zeros do not pay"
    assert guide.log[0].speedup == pytest.approx(0.5 / 0.64)


def test_recorded_first_layer_under_l1_is_restored_late_and_jitter_counts_by_size():
    """conv1 of the pilot jitters by 0.02 about 0.95: a signed test would wait for ever, an absolute one fires."""
    assert replay(Guide([outlook("conv1")]), {"conv1": [0.99, 0.98, 0.96, 0.97, 0.95, 0.96, 0.95]}) == [(5, "conv1", "restored")]


def test_recorded_conv2_under_l1_goes_on():
    curve = [0.70, 0.48, 0.37, 0.31, 0.31, 0.27, 0.26, 0.26, 0.26]
    assert replay(Guide([outlook("conv2", low=0.04, high=0.5)]), {"conv2": curve}) == []


def test_no_zeros_yet_is_not_stable():
    assert replay(Guide([outlook("a")]), {"a": [1.0, 1.0, 1.0, 1.0, 0.98, 0.98, 0.98]}) == []


def test_ramp_of_a_schedule_is_not_stable_but_its_bound_counts():
    curves = {"a": [0.8, 0.8, 0.8, 0.8], "b": [0.1, 0.1, 0.1, 0.1]}
    assert replay(Guide([outlook("a"), outlook("b")]), curves, ramping=True) == [(3, "b", "stopped")]


def test_stable_inside_the_range_goes_on():
    assert replay(Guide([outlook("a")]), {"a": [0.3] * 6}) == []


def test_decided_layers_are_left_alone():
    guide = Guide([outlook("a"), outlook("b"), hopeless("c")])
    curves = {"a": [0.05] * 8, "b": [0.9] * 8, "c": [0.01] * 8}
    assert replay(guide, curves) == [(3, "a", "stopped"), (4, "b", "restored")]
    assert [str(state) for state in guide.states.values()] == ["stopped", "restored", "dropped"]


def test_densities_of_layers_not_pruned_are_not_needed():
    assert Guide([outlook("a"), hopeless("b")]).check(100, {"a": 0.5}) == []


def test_totals_count_unpruned_layers_dense():
    guide = Guide([outlook("a"), hopeless("b", dense_s=0.5)], GuideRules(spare=0.0))
    assert guide.seconds({"a": 0.25}) == pytest.approx(0.5 + 0.5)
    assert guide.seconds({"a": 0.9}) == pytest.approx(1.0 + 0.5)
    assert guide.ceiling == pytest.approx(1.5 / (0.2 + 0.5))


def test_target_is_floored_at_the_low_end_and_one_for_layers_left_dense():
    guide = Guide([outlook("a", low=0.1), hopeless("b")], GuideRules(spare=0.0))
    assert (guide.target("a", 0.05), guide.target("a", 0.3), guide.target("b", 0.05)) == (0.1, 0.3, 1.0)


def test_due_every_period_but_not_at_the_start():
    guide = Guide([outlook("a")], GuideRules(period=50))
    assert [i for i in range(160) if guide.due(i)] == [50, 100, 150]
    guide.check(100, {"a": 0.5})
    assert not guide.due(100)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: g.check(100, {}), "densities lack layer 'a'; found: none"),
        (lambda g: g.check(100, {"a": 1.5}), r"density of layer 'a' is 1\.5; allowed: 0 to 1"),
        (lambda g: g.check(100, {"a": float("nan")}), "density of layer 'a' is nan; allowed: 0 to 1"),
        (lambda g: g.check(0, {"a": 0.5}), "iteration is 0; allowed: later than the last check at 0"),
        (lambda g: Guide([]), r"layers are \[\]; allowed: one or more, each name once"),
        (lambda g: Guide([outlook("a"), outlook("a")]), r"layers are \['a', 'a'\]; allowed"),
        (lambda g: g.load_state_dict(Guide([outlook("b")]).state_dict()), "layers of the guide are a; the checkpoint has b"),
        (lambda g: g.load_state_dict(Guide([outlook("a")], GuideRules(period=7)).state_dict()), "rules of the guide are .*'period': 100"),
        (lambda g: outlook("a", dense_s=0.0), r"dense_s of layer 'a' is 0\.0; allowed: positive seconds"),
    ],
)
def test_wrong_calls_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call(Guide([outlook("a")]))


def test_refused_check_changes_nothing():
    guide = Guide([outlook("a"), outlook("b")])
    before = guide.state_dict()
    with pytest.raises(InputError):
        guide.check(100, {"a": 0.05, "b": 7.0})
    assert guide.state_dict() == before


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"period": 0}, "period is 0; allowed: a whole number from 1"),
        ({"bound_checks": 1.5}, r"bound_checks is 1\.5; allowed: a whole number from 1"),
        ({"stable_checks": True}, "stable_checks is True; allowed: a whole number from 1"),
        ({"floor": -0.1}, r"floor is -0\.1; allowed: 0 to 1"),
        ({"stable_change": float("nan")}, "stable_change is nan; allowed: 0 to 1"),
        ({"armed_below": 2}, "armed_below is 2; allowed: 0 to 1"),
        ({"hold": "tight"}, "hold is 'tight'; allowed: auto, mask, floor"),
        ({"restore": "zeros"}, "restore is 'zeros'; allowed: original, keep"),
    ],
)
def test_wrong_rules_are_named(settings_, message):
    with pytest.raises(InputError, match=message):
        GuideRules(**settings_)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30), st.integers(0, 29))
@settings(deadline=None, derandomize=True)
def test_resumed_from_json_it_decides_the_same(curve, cut):
    whole, first, second = (Guide([outlook("a"), outlook("b", low=0.3)]) for _ in range(3))
    for i, (a, b) in enumerate(curve, start=1):
        whole.check(i, {"a": a, "b": b})
    for i, (a, b) in enumerate(curve[:cut], start=1):
        first.check(i, {"a": a, "b": b})
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for i, (a, b) in enumerate(curve[cut:], start=cut + 1):
        second.check(i, {"a": a, "b": b})
    assert second.log == whole.log
    assert second.states == whole.states


@given(st.lists(st.floats(0, 1), max_size=40))
@settings(deadline=None, derandomize=True)
def test_a_layer_leaves_pruning_at_most_once(curve):
    guide = Guide([outlook("a")])
    for i, density in enumerate(curve, start=1):
        guide.check(i, {"a": density})
    assert len(guide.log) <= 1


def test_papers_network_on_its_xeon_prunes_conv2_to_5_and_drops_the_reduce_layer():
    texts = {
        "conv2": "g2ic96ih27oc256kh5ph2",
        "conv3": "ic256ih13oc384kh3ph1",
        "conv4": "g2ic384ih13oc384kh3ph1",
        "conv5": "g2ic384ih13oc256kh3ph1",
        "5x5_reduce": "ic480ih14oc16kh1",
    }
    guide = Guide([paper_outlook(name, Problem.parse(text), XEON) for name, text in texts.items()], GuideRules(floor=0.05))
    assert guide.pruning == ("conv2", "conv3", "conv4", "conv5")
    assert guide.ceiling > 15
    assert guide.log[0].layer == "5x5_reduce"
