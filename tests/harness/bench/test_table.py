"""The table as it is read: rows of the chosen backend, totals that name their baseline, reasons as they are."""

import io

import pytest
from rich.console import Console

from harness.bench.table import microseconds, print_table, short_problem
from harness.contract import Baseline, Problem, Row

BASE = Baseline("engine", "fast", 2e-3)


def row(layer="a", kernel="good", status="passed", seconds=1e-3, **fields):
    extra = {"end_to_end_s": seconds, "useful_gflops": 25.0, "peak_gflops": 100.0, "baseline": BASE, "speedup": 2e-3 / seconds}
    extra = extra if status in ("passed", "mistrusted") else {}
    text = 'g2mb1ic96ih27oc256oh27kh5ph2n"a"'
    return Row(layer, text, fields.pop("backend", "able"), kernel, "direct_sparse", 0.1, 1, 1, status, **extra, **fields)


def printed(*rows):
    console = Console(file=io.StringIO(), width=200)
    print_table(console, rows, "able")
    return console.file.getvalue()


def test_the_chosen_backends_rows_with_all_columns():
    text = printed(row(), row(backend="engine", kernel="fast"))
    (line,) = [line for line in text.splitlines() if line.strip().startswith("a ")]
    for cell in ("g2ic96ih27oc256kh5ph2", "0.100", "2,000", "engine fast", "good", "1,000", "2.00x", "25.0", "25%", "passed"):
        assert cell in line


def test_no_empty_column_and_no_empty_table():
    assert "over SGEMM" not in printed(row()) and "projected" not in printed(row())
    assert "over SGEMM" in printed(row(paper_speedup=7.0), row()) and "7.00x" in printed(row(paper_speedup=7.0))
    assert printed() == "" and "dense us" not in printed(row(status="skipped", reason="no density"))


def test_an_inexact_kernel_is_shown_with_its_error():
    text = printed(row(kernel="tucker2", approximation_error=0.0821), row("b", kernel="tucker2", approximation_error=0.04))
    assert "tucker2 (error 8.2%)" in text and "tucker2 (error 4.0%)" in text
    assert "weights off by up to 8.2%" in text


def test_totals_name_the_baseline_and_leave_out_what_is_not_trusted():
    text = printed(
        row(), row("b", seconds=4e-3), row("c", status="mistrusted", seconds=1e-9, reason="odd"), row("d", status="failed", reason="x")
    )
    (line,) = [line for line in text.splitlines() if line.startswith("good: ")]
    assert "0.80x over the fastest dense kernel of each layer (2 rows together; geometric mean 1.00x)" in line


@pytest.mark.parametrize("reason", ["say [bold]this[/bold] [0, 1] [/nothing]", "pip install 'breakeven[mkl]'"])
def test_reasons_are_no_markup(reason):
    assert reason in printed(row("x[y]", status="failed", reason=reason))
    assert "x[y]" in printed(row("x[y]"))


def test_many_skipped_layers_take_one_line():
    text = printed(*(row(f"layer{i}", status="skipped", kernel="", reason="no published density") for i in range(9)), row())
    assert text.count("no published density") == 1 and "layer0" in text


def test_no_rows():
    printed()


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ('g2mb1ic96ih27oc256oh27kh5ph2n"conv2"', "g2ic96ih27oc256kh5ph2"),
        ("mb16ic3ih227oc96kh11sh4", "mb16ic3ih227oc96kh11sh4"),
        ("ic3ih8iw9oc4kh3kw1", "ic3ih8iw9oc4kh3kw1"),
        ("ic3ih9oc4kh3dh1", "ic3ih9oc4kh3dh1"),
    ],
)
def test_short_problems_parse_to_the_same(text, short):
    problem = Problem.parse(text)
    assert short_problem(str(problem)) == short
    assert Problem.parse(short).input_shape == problem.input_shape and Problem.parse(short).output_shape == problem.output_shape


def test_microseconds():
    assert (microseconds(None), microseconds(1.2345678), microseconds(2e-6)) == ("-", "1,234,568", "2")
