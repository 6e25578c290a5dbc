"""The paper's model against the figures printed in the paper and those computed from its equations."""

from __future__ import annotations

import math

import pytest

from perfmodel import Hardware, InputError, MissingNumberError, Problem, Quantity, load_hardware, paper_projection, paper_useful_range

PLATFORMS = ("atom-c2750", "xeon-e5-2697v4", "xeon-phi-7250")
HARDWARE = {name: load_hardware(name) for name in PLATFORMS}

# layer: (descriptor, C in MFLOP, S_A in KB, S_W in KB, (x*, largest speed-up) for each platform), digits as printed.
TABLE = {
    "alexnet:conv1": ("ic3ih227oc96kh11sh4", "210.8", 1780, 139, ((".029", "28.7"), (".050", "6.7"), (".022", "12.5"))),
    "alexnet:conv2": ("g2ic96ih27oc256kh5ph2", "447.9", 1026, 1229, ((".008", "106"), (".014", "24.8"), (".006", "46"))),
    "alexnet:conv3": ("ic256ih13oc384kh3ph1", "299.0", 433, 3539, ((".005", "167"), (".010", "39.2"), (".004", "73"))),
    "alexnet:conv4": ("g2ic384ih13oc384kh3ph1", "224.3", 519, 2654, ((".009", "105"), (".016", "24.5"), (".006", "46"))),
    "alexnet:conv5": ("g2ic384ih13oc256kh3ph1", "149.5", 433, 1769, ((".011", "83.6"), (".020", "19.6"), (".008", "36.5"))),
    "inception_4a/5x5_reduce": ("ic480ih14oc16kh1", "3.0", 389, 31, ((".479", "1.9"), (".862", "0.4"), (".359", "0.8"))),
    "inception_4a/1x1": ("ic480ih14oc192kh1", "36.1", 527, 369, ((".054", "16.6"), (".097", "3.9"), (".040", "7.2"))),
    "inception_4a/3x3": ("ic96ih14oc208kh3ph1", "70.4", 238, 719, ((".013", "71.5"), (".023", "16.8"), (".009", "31"))),
    "inception_4a/5x5": ("ic16ih14oc48kh5ph2", "7.5", 50, 77, ((".025", "36"), (".044", "8.5"), (".019", "16"))),
    "googlenet:conv2/3x3": ("ic64ih56oc192kh3ph1", "693.6", 3211, 442, ((".016", "52"), (".027", "12.3"), (".012", "23"))),
    "resnet50:res2a_branch2b": ("ic64ih56oc64kh3ph1", "231.2", 1606, 147, ((".024", "35"), (".041", "8.2"), (".018", "15"))),
    "resnet50:res5a_branch2b": ("ic512ih7oc512kh3ph1", "231.2", 201, 9437, ((".004", "279"), (".010", "65"), (".003", "122"))),
}
CELLS = [(layer, platform, TABLE[layer][4][i]) for layer in TABLE for i, platform in enumerate(PLATFORMS)]
CONV5 = Problem.parse(TABLE["alexnet:conv5"][0])


def as_printed(value: float, text: str) -> str:
    """``value`` with as many decimals as ``text``, without a leading zero if ``text`` has none."""
    decimals = len(text.partition(".")[2])
    shown = f"{value:.{decimals}f}"
    return shown.removeprefix("0") if text.startswith(".") else shown


def crossing(problem: Problem, platform: str) -> float:
    """x*, found by bisecting the projection itself."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if paper_projection(problem, middle, HARDWARE[platform]).bound == "bandwidth" else (low, middle)
    return high


@pytest.mark.parametrize("layer", TABLE)
def test_sizes_are_the_tables(layer):
    text, mflop, activations, weights, _ = TABLE[layer]
    problem = Problem.parse(text)
    assert as_printed(problem.flops / 1e6, mflop) == mflop
    assert round(4 * (math.prod(problem.input_shape) + math.prod(problem.output_shape)) / 1e3) == activations
    assert round(4 * problem.weight_count / 1e3) == weights


@pytest.mark.parametrize(("layer", "platform", "printed"), CELLS)
def test_crossing_and_largest_speedup_are_the_tables(layer, platform, printed):
    problem = Problem.parse(TABLE[layer][0])
    star, largest = printed
    assert as_printed(crossing(problem, platform), star) == star
    assert as_printed(paper_projection(problem, 0.0, HARDWARE[platform]).speedup, largest) == largest


@pytest.mark.parametrize(("layer", "platform", "printed"), CELLS)
def test_useful_range_is_from_the_crossing_to_one_over_alpha(layer, platform, printed):
    hardware = HARDWARE[platform]
    found = paper_useful_range(Problem.parse(TABLE[layer][0]), hardware)
    star, largest = printed
    assert as_printed(found.max_speedup, largest) == largest
    if float(largest) < 1:
        assert (found.low, found.high, found.exists) == (None, None, False)
        assert found.reason.startswith("bandwidth bound: moving input and output alone takes")
        return
    assert as_printed(found.low, star) == star
    assert found.high == pytest.approx(1 / hardware.number("alpha"))
    assert found.low in found
    assert found.high + 1e-9 not in found


@pytest.mark.parametrize(("platform", "ratio"), [("atom-c2750", "4.1"), ("xeon-e5-2697v4", "17.6"), ("xeon-phi-7250", "9.5")])
def test_platforms_have_the_printed_flop_per_byte(platform, ratio):
    hardware = HARDWARE[platform]
    assert as_printed(hardware.peak_flops / hardware.bandwidth, ratio) == ratio


def test_alphas_follow_from_the_printed_rates():
    assert round(62 / 51, 1) == HARDWARE["atom-c2750"].number("alpha")
    assert round(2.15 / 0.76) == HARDWARE["xeon-e5-2697v4"].number("alpha")
    assert round(4.54 / (0.09 * 13.9), 1) == HARDWARE["xeon-phi-7250"].number("alpha")


@pytest.mark.parametrize(
    ("platform", "density", "speedup"),
    [
        ("xeon-e5-2697v4", 0.09, "3.70"),
        ("atom-c2750", 0.09, "9.26"),
        ("xeon-phi-7250", 0.09, "3.1"),
        ("xeon-e5-2697v4", 0.15, "2.2"),
        ("xeon-e5-2697v4", 0.05, "6.7"),
        # The paper's text says 4 to 14 here, which its own alpha of 1.2 does not give.
        ("atom-c2750", 0.15, "5.6"),
        ("atom-c2750", 0.05, "16.7"),
    ],
)
def test_conv5_speedups(platform, density, speedup):
    found = paper_projection(CONV5, density, HARDWARE[platform])
    assert as_printed(found.speedup, speedup) == speedup
    assert found.bound == "compute"


def test_atom_range_of_the_text_needs_another_alpha():
    atom = HARDWARE["atom-c2750"]
    assert paper_projection(CONV5, 0.05, atom, alpha=1.43).speedup == pytest.approx(14, abs=0.05)
    assert paper_projection(CONV5, 0.15, atom, alpha=1.6).speedup == pytest.approx(4.2, abs=0.05)


@pytest.mark.parametrize(("platform", "one", "shared"), [("xeon-e5-2697v4", ".0198", ".017"), ("atom-c2750", ".0109", ".010")])
def test_conv5_crossing_per_image_and_with_weights_shared_by_a_batch(platform, one, shared):
    per_image = paper_useful_range(CONV5, HARDWARE[platform])
    weights_free = paper_useful_range(CONV5, HARDWARE[platform], beta=1e-12)
    assert per_image.low == pytest.approx(float(one), abs=1e-4)  # the notes divide rounded kilobytes
    assert as_printed(weights_free.low, shared) == shared


def test_reduce_layer_never_pays_on_xeon():
    problem = Problem.parse(TABLE["inception_4a/5x5_reduce"][0])
    found = paper_projection(problem, 0.0, HARDWARE["xeon-e5-2697v4"])
    assert found.speedup == pytest.approx(0.43, abs=0.01)
    assert as_printed(found.t_bandwidth / found.t_dense, "2.3") == "2.3"


def test_equations_by_hand():
    hardware = Hardware("v", "d", numbers={"peak_flops": Quantity(1e9, "FLOP/s"), "bandwidth": Quantity(1e9, "B/s")})
    problem = Problem.parse("mb7ic2ih4oc3kh3")  # 2 x 3 x 2 x 2 x 2 x 9 = 432 FLOP, 32 + 12 floats, 54 weights
    found = paper_projection(problem, 0.5, hardware, alpha=4.0, beta=3.0)
    assert found.t_dense == pytest.approx(432e-9)
    assert found.t_compute == pytest.approx(4 * 0.5 * 432e-9)
    assert found.t_bandwidth == pytest.approx((4 * 44 + 3 * 0.5 * 4 * 54) * 1e-9)
    assert (found.bound, found.t_sparse, found.speedup) == ("compute", found.t_compute, pytest.approx(0.5))


def test_seconds_are_for_one_image():
    xeon = HARDWARE["xeon-e5-2697v4"]
    assert paper_projection(CONV5.with_batch(16), 0.1, xeon) == paper_projection(CONV5, 0.1, xeon)


def test_given_alpha_goes_before_the_hardwares():
    assert paper_useful_range(CONV5, HARDWARE["xeon-e5-2697v4"], alpha=2).high == pytest.approx(0.5)


def test_missing_alpha_is_named():
    bare = Hardware("v", "toaster", numbers={"peak_flops": Quantity(1e9, "FLOP/s"), "bandwidth": Quantity(1e9, "B/s")})
    with pytest.raises(MissingNumberError, match=r"hardware 'toaster' has no alpha; known numbers: bandwidth, peak_flops"):
        paper_projection(CONV5, 0.1, bare)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"density": 1.01}, r"density is 1\.01; allowed: 0 to 1"),
        ({"density": math.nan}, "density is nan; allowed: 0 to 1"),
        ({"alpha": 0.0}, r"alpha is 0\.0; allowed: a positive number"),
        ({"alpha": math.nan}, "alpha is nan; allowed: a positive number"),
        ({"beta": -1}, "beta is -1; allowed: a positive number"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        paper_projection(CONV5, **{"density": 0.1, "hardware": HARDWARE["atom-c2750"], **arguments})


def test_alpha_below_one_pays_already_when_dense():
    assert paper_useful_range(CONV5, HARDWARE["atom-c2750"], alpha=0.5).high == 1.0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ic512ih4oc512kh1", "weights' bytes reach the dense time at 0.196; bandwidth bound throughout"),
        ("ic512ih7oc512kh1", "compute reaches the dense time at 0.333; bandwidth bound below 0.0882"),
    ],
)
def test_break_even_of_the_range_is_where_the_speedup_is_one(text, reason):
    xeon, problem = HARDWARE["xeon-e5-2697v4"], Problem.parse(text)
    found = paper_useful_range(problem, xeon)
    assert found.reason == reason
    assert paper_projection(problem, found.high, xeon).speedup == pytest.approx(1.0)
    assert paper_projection(problem, found.high * 0.9, xeon).speedup > 1.0
