"""Hardware records in memory: quantities, keys, missing numbers, the fallback chain."""

from __future__ import annotations

import copy
import pickle

import pytest

from perfmodel import Hardware, InputError, MissingNumberError, Quantity

PEAK = Quantity(176e9, "FLOP/s", "measured", "2026-01-31", 0.02, "", "own microkernel")
FAST = Hardware("Intel", "Xeon 8592+", "linux 6.1", {"peak_flops": PEAK})


def test_quantity_is_a_float_that_remembers():
    assert PEAK == 176e9
    assert PEAK / 2 == 88e9
    assert (PEAK.value, PEAK.unit, PEAK.provenance, PEAK.spread, PEAK.source) == (176e9, "FLOP/s", "measured", 0.02, "own microkernel")
    assert str(PEAK) == "176 GFLOP/s"


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda q: pickle.loads(pickle.dumps(q))])
def test_quantity_survives_copies(clone):
    assert vars(clone(PEAK)) == vars(PEAK)
    assert clone(PEAK) == PEAK


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, "GFLOPS"), "unit is 'GFLOPS'; allowed: FLOP/s, B/s, FLOP, B, Hz, s, 1"),
        ((1, "s", "guessed"), "provenance is 'guessed'; allowed: declared, measured, inherited"),
    ],
)
def test_quantity_refuses(arguments, message):
    with pytest.raises(InputError) as caught:
        Quantity(*arguments)
    assert str(caught.value) == message


def test_missing_number_is_named_with_what_is_known():
    with pytest.raises(MissingNumberError, match=r"^hardware 'Xeon 8592\+' has no bandwidth; known numbers: peak_flops$"):
        FAST.bandwidth  # noqa: B018
    with pytest.raises(MissingNumberError, match=r"^hardware 'd' has no peak_flops; known numbers: none$"):
        Hardware("v", "d").peak_flops  # noqa: B018


def test_key_and_slug():
    assert FAST.key == ("Intel", "Xeon 8592+", "linux 6.1")
    assert FAST.slug == "intel--xeon-8592--linux-6.1"
    assert Hardware("", "../../etc", "").slug == "etc"
    assert Hardware("", "", "").slug == "unknown"


def test_fallback_takes_the_nearest_and_says_so():
    near = Hardware("Intel", "Xeon 8592", numbers={"bandwidth": Quantity(15e9, "B/s", "measured", "2025-12-01", 0.1, "", "triad")})
    far = Hardware(
        "Intel", "any Xeon", numbers={"bandwidth": Quantity(1e9, "B/s"), "cores": Quantity(2, "1"), "peak_flops": Quantity(1, "FLOP/s")}
    )
    found = FAST.with_fallback(near, far)
    assert found.peak_flops is PEAK
    assert (found.bandwidth, found.bandwidth.provenance, found.bandwidth.source) == (15e9, "inherited", "Xeon 8592: triad")
    assert (found.bandwidth.date, found.bandwidth.spread) == ("2025-12-01", 0.1)
    assert (found.number("cores"), found.number("cores").source) == (2, "any Xeon")
    assert found.key == FAST.key
    assert "bandwidth" not in FAST.numbers


def test_with_numbers_leaves_the_original():
    found = FAST.with_numbers(cores=Quantity(2, "1"))
    assert set(found.numbers) == {"peak_flops", "cores"}
    assert set(FAST.numbers) == {"peak_flops"}
