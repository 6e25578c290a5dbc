"""Hardware records as files: the shipped ones, the round trip, and every message."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import perfmodel
from perfmodel import Hardware, InputError, Quantity, find_hardware, load_hardware, save_hardware, shipped_hardware
from perfmodel.hardware_file import DATA, expected_unit

GOOD = """schema: 1
vendor: Acme
device: Toaster
numbers:
  peak_flops: {value: 5 GFLOP/s, provenance: measured, date: 2026-01-31, spread: 0.02}
"""
CHOICES = "atom-c2750, xeon-e5-2697v4, xeon-phi-7250"
NAMES = ("peak_flops", "bandwidth", "bandwidth_l2", "call_overhead", "cores", "cache_l1", "alpha", "anything")


def quantities(name: str) -> st.SearchStrategy[Quantity]:
    return st.builds(
        Quantity,
        st.floats(min_value=1e-12, max_value=1e18),
        st.just(expected_unit(name) or "Hz"),
        st.sampled_from(("declared", "measured", "inherited")),
        st.sampled_from(("", "2026-01-31")),
        st.floats(0, 10),
        st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=10),
        st.sampled_from(("", "triad: own kernel", "yes", "1.5", "null")),
    )


@pytest.mark.parametrize("name", shipped_hardware())
def test_every_shipped_record_loads_and_says_where_its_numbers_come_from(name):
    hardware = load_hardware(name)
    for number, quantity in hardware.numbers.items():
        assert quantity > 0, number
        assert quantity.source, number
    assert hardware.peak_flops.unit == "FLOP/s"
    assert hardware.bandwidth.unit == "B/s"


def test_shipped_are_the_papers_platforms():
    assert shipped_hardware() == ("atom-c2750", "xeon-e5-2697v4", "xeon-phi-7250")
    found = [(h.peak_flops, h.bandwidth, h.number("alpha")) for h in map(load_hardware, shipped_hardware())]
    assert found == [(62e9, 15e9, 1.2), (2150e9, 122e9, 3.0), (4540e9, 480e9, 3.6)]


@given(st.data())
@settings(deadline=None, derandomize=True)
def test_round_trip(tmp_path_factory, data):
    names = data.draw(st.lists(st.sampled_from(NAMES), unique=True))
    hardware = Hardware("Ven dor: x", "Dévice #1", "no", {name: data.draw(quantities(name)) for name in names})
    path = save_hardware(hardware, tmp_path_factory.mktemp("hw") / "sub" / "record.yaml")
    found = load_hardware(path)
    assert found == hardware
    assert {name: vars(q) for name, q in found.numbers.items()} == {name: vars(q) for name, q in hardware.numbers.items()}


def test_file_reads_well(tmp_path):
    hardware = Hardware("Acme", "Toaster", "v1", {"peak_flops": Quantity(5e9, "FLOP/s", "measured", "2026-01-31", 0.02)})
    text = save_hardware(hardware, tmp_path / "a.yaml").read_text()
    assert "peak_flops: {value: 5 GFLOP/s, provenance: measured, date: '2026-01-31', spread: 0.02}" in text
    assert text.startswith("schema: 1\nvendor: Acme\ndevice: Toaster\ndriver: v1\n")


def test_failed_save_keeps_the_old_file_and_leaves_nothing(tmp_path, monkeypatch):
    path = save_hardware(Hardware("v", "old"), tmp_path / "a.yaml")
    monkeypatch.setattr(Path, "replace", lambda self, target: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_hardware(Hardware("v", "new"), path)
    assert load_hardware(path).device == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.yaml"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "atom",
            f"hardware 'atom' is unknown; allowed: {CHOICES}, or a path to a YAML file; did you mean 'atom-c2750'?",
        ),
        ("Xeon-E5-2697-v4", "did you mean 'xeon-e5-2697v4'?"),
        ("zzz", "hardware 'zzz' is unknown; allowed: atom-c2750, xeon-e5-2697v4, xeon-phi-7250, or a path to a YAML file"),
        ("not/there.yaml", "hardware file 'not/there.yaml' is not there or not a file; allowed: a path to a YAML file, or atom-c2750, "),
    ],
)
def test_unknown_name_lists_the_choices(name, message):
    with pytest.raises(InputError) as caught:
        load_hardware(name)
    assert message in str(caught.value)


def test_no_hint_where_nothing_is_near():
    with pytest.raises(InputError) as caught:
        load_hardware("zzz")
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("schema: 1", "schema: 2"), "schema is 2; allowed: 1"),
        (("vendor: Acme\n", ""), "the file lacks 'vendor'"),
        (("vendor: Acme", "vendor: 7"), "vendor is 7; allowed: text"),
        (
            ("vendor: Acme", "vendor: Acme\ncolour: red"),
            "the file has the unknown key 'colour'; allowed: schema, vendor, device, driver, numbers",
        ),
        (("5 GFLOP/s", "5 GB/s"), "peak_flops.value is '5 GB/s', in B/s; allowed: a value in FLOP/s"),
        (("5 GFLOP/s", "5"), "peak_flops.value is 5, in 1; allowed: a value in FLOP/s"),
        (("5 GFLOP/s", "5 GFLOPS"), "peak_flops.value is '5 GFLOPS' with the unknown unit 'GFLOPS'"),
        (("5 GFLOP/s", "-5 GFLOP/s"), "peak_flops.value is '-5 GFLOP/s'; allowed: a positive number"),
        (("5 GFLOP/s", "0 GFLOP/s"), "peak_flops.value is '0 GFLOP/s'; allowed: a positive number"),
        (("5 GFLOP/s", "1e999 GFLOP/s"), "peak_flops.value is '1e999 GFLOP/s'; allowed: a positive number"),
        (("5 GFLOP/s", "1e9999999 GFLOP/s"), "peak_flops.value is '1e9999999 GFLOP/s'; allowed: a finite number with a unit"),
        (("spread: 0.02", "date: 2026-13-01"), "cannot be read: month must be in 1..12"),
        (("provenance: measured", "provenance: guessed"), "peak_flops.provenance is 'guessed'; allowed: declared, measured, inherited"),
        (("provenance: measured, ", ""), "peak_flops lacks 'provenance'"),
        (("spread: 0.02", "spread: wide"), "peak_flops.spread is 'wide'; allowed: a relative spread, 0 or more"),
        (
            ("spread: 0.02", "sprad: 0.02"),
            "peak_flops has the unknown key 'sprad'; allowed: value, provenance, date, spread, mistrusted, source",
        ),
        (("{value", "[value"), "cannot be read: "),
    ],
)
def test_wrong_file_names_the_file_and_the_field(tmp_path, change, message):
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD.replace(*change))
    with pytest.raises(InputError) as caught:
        load_hardware(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"), [("", "the file is None; allowed: a mapping"), ("- 1", "the file is [1]; allowed: a mapping")]
)
def test_not_a_mapping(tmp_path, text, message):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        load_hardware(tmp_path / "bad.yaml")
    assert message in str(caught.value)


def test_numbers_must_be_a_mapping_of_mappings(tmp_path):
    (tmp_path / "bad.yaml").write_text(GOOD.partition("  peak")[0])
    with pytest.raises(InputError, match="numbers is None; allowed: a mapping"):
        load_hardware(tmp_path / "bad.yaml")
    (tmp_path / "bad.yaml").write_text(GOOD.partition("  peak")[0] + "  cores: 8\n")
    with pytest.raises(InputError, match="cores is 8; allowed: a mapping"):
        load_hardware(tmp_path / "bad.yaml")


def test_binary_file_is_refused(tmp_path):
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        load_hardware(tmp_path / "bad.yaml")


def test_a_truncated_or_garbled_file_is_read_or_refused_with_its_name(tmp_path):
    whole, path, chance = (DATA / "atom-c2750.yaml").read_bytes(), tmp_path / "bad.yaml", random.Random(7)
    garbled = [bytearray(whole) for _ in range(120)]
    for text in garbled:
        for _ in range(chance.randint(1, 4)):
            text[chance.randrange(len(text))] = chance.randrange(32, 127)
    refused = 0
    for text in [*(whole[:length] for length in range(0, len(whole), 11)), *garbled]:
        path.write_bytes(text)
        try:
            load_hardware(path)
        except InputError as error:
            refused += str(path) in str(error)
    assert refused > 100


def test_find_by_key_with_fallback_to_other_drivers(tmp_path):
    new = Hardware("Acme", "Toaster", "v2", {"cores": Quantity(4, "1", "measured")})
    old = Hardware("Acme", "Toaster", "v1", {"cores": Quantity(2, "1"), "bandwidth": Quantity(1e9, "B/s", "measured")})
    for hardware in (new, old, Hardware("Acme", "Kettle", "v2", {"alpha": Quantity(1, "1")})):
        save_hardware(hardware, tmp_path / f"{hardware.slug}.yaml")
    exact = find_hardware(tmp_path, "Acme", "Toaster", "v2")
    assert (exact.number("cores"), exact.number("cores").provenance) == (4, "measured")
    assert (exact.bandwidth, exact.bandwidth.provenance) == (1e9, "inherited")
    assert "alpha" not in exact.numbers
    borrowed = find_hardware(tmp_path, "Acme", "Toaster", "v3")
    assert borrowed.driver == "v3"
    assert {q.provenance for q in borrowed.numbers.values()} == {"inherited"}
    assert find_hardware(tmp_path, "Acme", "Fridge", "v2") is None
    assert find_hardware(tmp_path / "nowhere", "Acme", "Toaster") is None


def test_importing_perfmodel_loads_nothing_heavy():
    code = "import sys, perfmodel; print([m for m in ('yaml', 'torch', 'scipy', 'harness', 'backends', 'gsl') if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(perfmodel.__file__).parents[1]
    )
    assert found.stdout.strip() == "[]"
