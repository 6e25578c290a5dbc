"""``task=project`` inside this process: the table, the fastest method, and what is refused."""

from __future__ import annotations

import pytest

ATOM = ("task=project", "hardware=atom-c2750", "problem=ic64ih14oc64kh3ph1")


def test_the_papers_model_on_hardware_that_is_not_here(call):
    result = call(*ATOM, "density=[0.1,1.0]")
    assert result["code"] == 0
    assert "direct_sparse on" not in result["err"]
    assert "the paper's model" in result["out"]
    for words in ("fastest at 0.1", "fastest at 1", "paper x8.33", "C / F (paper) x1.20"):
        assert words in result["out"], result["out"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("hardware=toaster",), "toaster"),
        (("hardware=atom-c2750", "density=1.5"), "density is 1.5; allowed: numbers from 0 to 1"),
        (("hardware=atom-c2750", "share=0"), "share is 0; allowed: numbers above 0 and up to 1 (share of the full rank)"),
    ],
)
def test_refusals(call, words, message):
    result = call("task=project", "problem=ic64ih14oc64kh3ph1", *words)
    assert result["code"] == 2
    assert message in result["err"]


def test_a_backend_without_sparse_kernels_is_refused(call):
    result = call("task=project", "+backend=reference", "problem=ic4ih6oc4kh3ph1")
    assert result["code"] == 2
    assert "backend 'reference' has no" in result["err"]


def test_the_useful_range_is_told_with_bands_and_reason(call):
    result = call("task=project", "hardware=xeon-e5-2697v4", "problem=g2ic384ih13oc256kh3ph1", "density=0.1")
    words = " ".join(result["out"].split())
    for told in ("0.0197 (0.0125-0.0322) to", "(0.222-0.5)", "67% (50% to 78%)", "compute reaches", "bandwidth"):
        assert told in words, result["out"]


def test_low_rank_chains_appear_at_a_share_marked_as_approximations(call):
    result = call(*ATOM, "density=1.0", "share=[0.1,0.25]")
    assert result["code"] == 0
    assert "low rank on Intel Atom C2750: an approximation; the error of the weights is known when they are factorised" in result["out"]
    rows = [line.split() for line in result["out"].splitlines() if " first principles" in line]
    found = [tuple(row[row.index("any") + 1 : row.index("any") + 3]) for row in rows]
    assert found == [("tucker2", "0.1"), ("tucker2", "0.25"), ("cp", "0.1"), ("cp", "0.25")]
    assert rows[1][rows[1].index("0.25") + 1 : rows[1].index("0.25") + 3] == ["16,", "16"]
    assert "(approximates)" in " ".join(result["out"].split())
    assert "approximat" not in call(*ATOM, "density=1.0")["out"]


RECORD = """
schema: 1
vendor: V
device: D
numbers:
  peak_flops: {value: 100 GFLOP/s, provenance: declared}
"""


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ("  bandwidth: {value: 10 GB/s, provenance: declared}\n", 0, "alpha unknown: 2 assumed, band of factor 2"),
        ("", 2, "hardware 'D' has no bandwidth; known numbers: peak_flops"),
        (
            "  bandwidth: {value: 10 GFLOP/s, provenance: declared}\n",
            2,
            "bandwidth.value is '10 GFLOP/s', in FLOP/s; allowed: a value in B/s",
        ),
    ],
)
def test_what_is_unknown_is_said_or_refused_by_name(call, tmp_path, more, code, message):
    file = tmp_path / "d.yaml"
    file.write_text(RECORD + more)
    result = call("task=project", f"hardware={file}", "problem=ic64ih14oc64kh3ph1", "density=0.1")
    assert result["code"] == code
    assert message in " ".join((result["out"] + result["err"]).split()), result
