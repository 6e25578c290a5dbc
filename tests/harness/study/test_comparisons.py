"""Cells, comparisons and tables from made-up runs whose answers are known."""

from __future__ import annotations

import csv
import dataclasses
import math
from pathlib import Path

import pytest

from harness.study.cells import collect
from harness.study.choice import choose
from harness.study.comparisons import best, gains, ratios
from harness.study.pareto import plot_pareto
from harness.study.runs import Run
from harness.study.tables import best_sheet, cell_sheet, choice_sheet, gain_sheet, ratio_sheet, run_sheet

NOISE = {1: 0.001, 2: 0.0, 3: -0.001}


def run(pruner: str, guide: str, strength: float, seed: int, loss: float, speedup: float, **options: object) -> Run:
    """A run that loses ``loss`` against its control (90 % plus the seed's noise), 0.1 points more on the validation split."""
    own = {"guide.target": strength} if guide == "budget" else {"pruner.density": strength} if pruner != "dense" else {}
    level, recipe = 0.9 + NOISE[seed], {"train.prune_epochs": 9, "train.retrain_epochs": 9}
    at = (level - loss, level - loss - (0.001 if pruner != "dense" else 0.0))
    name = Path(f"{pruner}-{guide}-{strength}-{seed}")
    return Run(name, "net", pruner, guide, {**own, **recipe, **options}, seed, *at, 0.91, 2.0, speedup, speedup * 1.1, 0.1)


def runs(guide: str, factor: float, shift: float = 0.0) -> list[Run]:
    """A curve of three strengths and three seeds: losses 0.2, 0.6 and 1.2 points, speed-ups 2, 4 and 8 times ``factor``."""
    points = ((0.2, 0.002, 2.0), (0.1, 0.006, 4.0), (0.05, 0.012, 8.0))
    return [run("gmp", guide, d, seed, loss + shift, s * factor * (1 + NOISE[seed] * 50)) for d, loss, s in points for seed in NOISE]


CONTROLS = [run("dense", "none", 0.0, seed, 0.0, 1.0) for seed in NOISE]
WINDOW = (0.003, 0.01)


def test_a_cell_holds_its_seeds_and_their_losses_against_their_own_controls():
    cells = collect([*runs("gsl", 1.0), *CONTROLS])
    assert [(c.pruner, c.guide, c.strength, len(c.runs)) for c in cells] == [
        ("dense", "none", "", 3),
        ("gmp", "gsl", "density=0.05", 3),
        ("gmp", "gsl", "density=0.1", 3),
        ("gmp", "gsl", "density=0.2", 3),
    ]
    assert cells[1].losses == pytest.approx((0.012,) * 3) and cells[1].validation_loss == pytest.approx(0.013)
    assert cells[1].spread == pytest.approx(0.002)


def test_a_run_is_held_against_the_control_of_its_own_arithmetic():
    mixed = {"train.amp": True}
    controls = [run("dense", "none", 0.0, 1, loss, 1.0, **options) for loss, options in ((0.0, {}), (0.003, mixed))]
    cells = collect([*controls, run("gmp", "gsl", 0.1, 1, 0.006, 4.0), run("gmp", "none", 0.1, 1, 0.006, 4.0, **mixed)])
    assert [cell.losses[0] for cell in cells if cell.pruner == "gmp"] == pytest.approx([0.006, 0.003])


def test_runs_of_either_arithmetic_share_a_curve():
    options = {1: {"train.amp": False}, 2: {"train.amp": True}, 3: {"train.amp": True}}
    controls = [run("dense", "none", 0.0, seed, 0.0, 1.0, **options[seed]) for seed in NOISE]
    pruned = [run("gmp", "gsl", 0.1, seed, 0.006, 4.0, **options[seed]) for seed in NOISE]
    (cell,) = (cell for cell in collect([*controls, *pruned]) if cell.pruner == "gmp")
    assert cell.curve == "" and len(cell.runs) == 3 and cell.losses == pytest.approx((0.006,) * 3)


def test_a_later_run_of_the_same_seed_replaces_the_earlier():
    twice = [run("gmp", "none", 0.1, 1, 0.05, 2.0), run("gmp", "none", 0.1, 1, 0.01, 2.0)]
    (cell,) = collect(twice)
    assert len(cell.runs) == 1 and cell.accuracies[0] == pytest.approx(0.891) and math.isnan(cell.loss)


def test_options_that_differ_make_curves_of_their_own():
    other = [run("gmp", "gsl", 0.1, seed, 0.006, 4.0, **{"guide.floor": 0.2}) for seed in NOISE]
    base = [run("gmp", "gsl", 0.1, seed, 0.006, 4.0, **{"guide.floor": 0.05}) for seed in NOISE]
    assert {c.curve for c in collect([*other, *base])} == {"guide.floor=0.2", "guide.floor=0.05"}
    assert {c.curve for c in collect([*other[:1], *base])} == {"guide.floor=0.2", ""}, "what more than half of the runs have goes unsaid"


def test_ratios_at_equal_accuracy_with_interval_and_both_scopes():
    cells = collect([*runs("gsl", 1.5), *runs("none", 1.0), *runs("skip_ends", 1.2), *CONTROLS])
    found = {(c.guide, c.other, c.scope): c.estimate for c in ratios(cells, WINDOW)}
    assert set(found) == {
        (a, b, scope) for a, b in (("gsl", "none"), ("gsl", "skip_ends"), ("skip_ends", "none")) for scope in ("all", "all but the first")
    }
    plain = found["gsl", "none", "all"]
    assert plain.value == pytest.approx(1.5) and plain.seeds == pytest.approx((1.5,) * 3) and plain.window == WINDOW
    assert (plain.low, plain.high) == pytest.approx((1.5, 1.5))
    assert found["gsl", "skip_ends", "all but the first"].value == pytest.approx(1.25)


def test_only_seeds_that_both_have_are_compared():
    lucky = [dataclasses.replace(r, accuracy=r.accuracy + 0.002) if r.seed == 1 else r for r in runs("none", 1.0)]
    few = [r for r in runs("gsl", 1.5, shift=-0.002) if r.seed == 1]
    (found,) = (c for c in ratios(collect([*few, *lucky, *CONTROLS]), WINDOW) if c.scope == "all")
    assert found.estimate.value == pytest.approx(1.5) and found.estimate.seeds == pytest.approx((1.5,)), "luck of a seed that both share"


def test_nothing_is_compared_without_overlap_or_control():
    assert ratios(collect([*runs("gsl", 1.5, shift=0.02), *runs("none", 1.0), *CONTROLS]), WINDOW) == []
    assert ratios(collect([*runs("gsl", 1.5), *runs("none", 1.0)]), WINDOW) == []


def test_a_budget_gains_accuracy_at_the_same_speed():
    planned = [run("gmp", "budget", t, seed, loss - 0.001, s) for t, loss, s in ((0.5, 0.002, 2.0), (0.2, 0.012, 8.0)) for seed in NOISE]
    ruled = [run("gmp", "gsl", d, seed, loss, s) for d, loss, s in ((0.2, 0.002, 2.0), (0.05, 0.012, 8.0)) for seed in NOISE]
    (gain,) = gains(collect([*planned, *ruled, *CONTROLS]))
    assert gain.estimate.value == pytest.approx(0.001) and len(gain.estimate.seeds) == 3


def test_the_best_strength_is_chosen_on_validation_and_the_curve_read_on_test():
    cells = collect([*runs("gsl", 1.0), *CONTROLS])
    (strict,) = best(cells, 0.0065)
    assert strict.cell.strength == "density=0.2", "0.6 points on the test set, but 0.7 on the validation split"
    assert strict.at_most["all"] > strict.cell.speedup(lambda r: r.measured)
    (loose,) = best(cells, 0.007 + 1e-9)
    assert loose.cell.strength == "density=0.1" and loose.cell.loss == pytest.approx(0.006)
    (none,) = best(cells, 0.0025)
    assert none.cell is None and 2 < none.at_most["all"] < 4, "no strength keeps within it on the validation split; the test curve does"
    assert best_sheet([none], 0.0025).rows[0][4] == "none"
    assert best(cells, 0.001) == []


def test_tables_hold_plain_numbers_as_csv_and_print(tmp_path):
    cells = collect([*runs("gsl", 1.5), *runs("none", 1.0), *CONTROLS])
    sheets = [
        cell_sheet(cells),
        run_sheet(cells),
        ratio_sheet(ratios(cells, WINDOW), WINDOW),
        gain_sheet(gains(cells)),
        best_sheet(best(cells, 0.01), 0.01),
    ]
    for sheet in sheets:
        sheet.write(tmp_path)
        assert sum(table.row_count for table in sheet.tables()) == len(sheet.rows)
    (table,) = cell_sheet(cells).tables()
    headers = [str(column.header) for column in table.columns]
    assert cells[0].net in str(table.title) and "net" not in headers and "options" not in headers, "what says nothing takes no room"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        ["study.csv", "study-runs.csv", "study-ratios.csv", "study-gains.csv", "study-best.csv"]
    )
    ratio = next(iter(csv.DictReader((tmp_path / "study-ratios.csv").read_text().splitlines())))
    assert float(ratio["ratio"]) == pytest.approx(1.5) and ratio["over"] == "none" and float(ratio["from loss"]) == 0.003
    assert len((tmp_path / "study-runs.csv").read_text().splitlines()) == 1 + 9 + 9 + 3


def test_the_pareto_plot_is_drawn_where_something_is_measured(tmp_path):
    pytest.importorskip("matplotlib", reason="the plot needs matplotlib")
    cells = collect([*runs("gsl", 1.5), *runs("none", 1.0), *CONTROLS])
    path = plot_pareto(cells, lambda r: r.measured, "all", tmp_path / "pareto.svg")
    assert path is not None and "<svg" in path.read_text()
    single = collect([run("gmp", "gsl", 0.1, 1, 0.01, 1 / x) for x in (0.31, 0.33, 0.7)])
    assert plot_pareto(single, lambda r: r.measured, "all", tmp_path / "single.svg") is not None
    assert plot_pareto(cells, lambda r: math.nan, "all", tmp_path / "none.svg") is None and not (tmp_path / "none.svg").exists()


def test_strengths_are_chosen_by_validation_losses_alone(tmp_path):
    curve = runs("gsl", 1.0)  # validation losses 0.3, 0.7 and 1.3 points
    wrong = [dataclasses.replace(r, accuracy=r.validation) for r in curve]
    for given in (curve, wrong):
        found = choose(collect([*given, *CONTROLS]), (0.012, 0.005))
        assert [(c.aim, c.cell.strength) for c in found] == [(0.005, "density=0.2"), (0.012, "density=0.05")]
    choice_sheet(found).write(tmp_path)
    first, _ = csv.DictReader((tmp_path / "study-choice.csv").read_text().splitlines())
    assert (first["guide"], first["strength"], first["aim"], first["seeds"]) == ("gsl", "density=0.2", "0.005", "3")
    assert float(first["validation loss"]) == pytest.approx(0.003)


def test_a_strength_is_chosen_once_and_a_short_curve_not_at_all():
    cells = collect([*runs("gsl", 1.0), *CONTROLS])
    assert [c.cell.strength for c in choose(cells, (0.0, 0.0, 0.0))] == ["density=0.2", "density=0.1", "density=0.05"]
    assert choose(cells, (0.002, 0.004, 0.006, 0.008)) == []
    assert choose(collect(runs("gsl", 1.0)), (0.002,)) == [], "without controls nothing is known of losses"
