"""Units: each prefix once by hand, and the round trip of any number."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfmodel import InputError
from perfmodel.units import UNITS, format_quantity, parse_quantity


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("176 GFLOP/s", 176e9, "FLOP/s"),
        ("1.5TFLOP/s", 1.5e12, "FLOP/s"),
        ("2 PFLOP/s", 2e15, "FLOP/s"),
        ("3 MFLOP/s", 3e6, "FLOP/s"),
        ("3 kFLOP/s", 3e3, "FLOP/s"),
        ("3 FLOP/s", 3.0, "FLOP/s"),
        ("149.5 MFLOP", 149.5e6, "FLOP"),
        ("15 GB/s", 15e9, "B/s"),
        ("15 GiB/s", 15 * 2.0**30, "B/s"),
        ("48 KiB", 49152.0, "B"),
        ("2 MiB", 2097152.0, "B"),
        ("1 TiB", 2.0**40, "B"),
        ("433 kB", 433e3, "B"),
        ("2.3 GHz", 2.3e9, "Hz"),
        ("3 s", 3.0, "s"),
        ("5 ms", 5e-3, "s"),
        ("5 us", 5e-6, "s"),
        ("5 µs", 5e-6, "s"),
        ("5 ns", 5e-9, "s"),
        ("5 ps", 5e-12, "s"),
        ("1.2", 1.2, "1"),
        ("1.2 1", 1.2, "1"),
        (8, 8.0, "1"),
        (1.2, 1.2, "1"),
        ("-1e3 B", -1000.0, "B"),
        (".5 s", 0.5, "s"),
    ],
)
def test_parse(text, value, unit):
    assert parse_quantity(text) == (value, unit)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (176e9, "FLOP/s", "176 GFLOP/s"),
        (2.15e12, "FLOP/s", "2.15 TFLOP/s"),
        (999e9, "FLOP/s", "999 GFLOP/s"),
        (5e-6, "s", "5 us"),
        (0.25, "s", "250 ms"),
        (1e-15, "s", "0.001 ps"),
        (32768.0, "B", "32.768 kB"),
        (1.2, "1", "1.2"),
        (68.0, "1", "68"),
        (0.0, "s", "0 s"),
    ],
)
def test_format(value, unit, text):
    assert format_quantity(value, unit) == text


@given(st.floats(min_value=0, allow_infinity=False, allow_nan=False), st.sampled_from(UNITS))
@settings(deadline=None, derandomize=True, max_examples=500)
def test_round_trip_is_exact(value, unit):
    assert parse_quantity(format_quantity(value, unit)) == (value, unit)


@pytest.mark.parametrize(
    "text", ["3 GFLOPS", "3 mFLOP/s", "3 ks", "3 Gs", "3 KB", "3 Kis", "3 mB", "3 furlongs", "3 kHz/s", "1 k", "3 GiFLOP/s"]
)
def test_unknown_unit_is_named_with_what_is_allowed(text):
    with pytest.raises(InputError) as caught:
        parse_quantity(text, "peak_flops.value")
    symbol = text.split()[1]
    assert str(caught.value) == (
        f"peak_flops.value is {text!r} with the unknown unit {symbol!r}; allowed: FLOP/s, B/s, FLOP, B, Hz, s "
        "with a prefix: p n u m for s, k M G T P or (bytes) Ki Mi Gi Ti for the rest"
    )


@pytest.mark.parametrize("text", ["", "fast", "nan", "inf s", "1,5 s", "--3 s", "0x10 B"])
def test_not_a_number(text):
    with pytest.raises(InputError, match=r"^value is .*; allowed: "):
        parse_quantity(text)


@pytest.mark.parametrize("wrong", [None, True, [1], {"a": 1}])
def test_not_text(wrong):
    with pytest.raises(InputError, match="allowed: a number with a unit, such as 176 GFLOP/s"):
        parse_quantity(wrong)
