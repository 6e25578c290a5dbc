"""Rows as CSV."""

import csv

from harness.contract import Baseline, Row
from harness.export import write_csv


def test_one_column_a_field_and_baselines_taken_apart(tmp_path):
    first = Row('a "b", c', "ic1ih1oc1kh1", "able", "good", "dense", 0.5, 1, 1, "passed", end_to_end_s=1e-7)
    second = Row("d", "p", "able", "good", "dense", None, 1, 1, "failed", "line one\nline two", baseline=Baseline("mkl", "sgemm", 0.25))
    path = write_csv(tmp_path, [first, second])
    assert path == tmp_path / "rows.csv"
    rows = list(csv.DictReader(path.open(newline="")))
    assert rows[0]["layer"] == 'a "b", c' and float(rows[0]["end_to_end_s"]) == 1e-7 and rows[0]["baseline_backend"] == ""
    assert rows[1]["reason"] == "line one\nline two" and rows[1]["density"] == ""
    assert (rows[1]["baseline_backend"], rows[1]["baseline_kernel"], rows[1]["baseline_end_to_end_s"]) == ("mkl", "sgemm", "0.25")
    assert "baseline" not in rows[0] and "paper_baseline_kernel" in rows[0]


def test_no_rows_no_trouble(tmp_path):
    assert write_csv(tmp_path, []).read_text().strip() == ""
