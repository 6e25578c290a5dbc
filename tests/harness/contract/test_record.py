"""The record: everything there and back, and a name for what is not one."""

import dataclasses
import json

import pytest

from harness.contract import Baseline, InputError, Record, Row
from harness.contract.record import SCHEMA, read_record

ROW = Row("a", "ic1ih1oc1kh1", "able", "good", "dense", 0.5, 1, 1, "passed", end_to_end_s=1e-3, baseline=Baseline("b", "k", 2e-3))
RECORD = Record("bench", "complete", "now", {"cpu": "x"}, {"numpy": "2"}, {"task": "bench"}, "all", (ROW,), extra={"prune": {"x": 1}})


@pytest.fixture
def written(tmp_path):
    def write(data):
        (tmp_path / "record.json").write_text(data if isinstance(data, str) else json.dumps(data))
        return tmp_path

    return write


def test_there_and_back(written):
    folder = written(RECORD.to_json())
    assert read_record(folder) == read_record(str(folder / "record.json")) == RECORD


def test_every_field_is_written_even_without_a_value():
    data = RECORD.to_json()
    assert next(iter(data)) == "schema" and data["schema"] == SCHEMA and data["prune"] == {"x": 1}
    assert set(data["rows"][0]) == {field.name for field in dataclasses.fields(Row)}
    assert data["rows"][0]["speedup"] is None


def test_unknown_fields_of_a_later_minor_version_are_passed_over(written):
    data = RECORD.to_json()
    data["rows"][0]["novel"] = 1
    assert read_record(written({**data, "novel": 2})).rows == (ROW,)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "breakeven.record/2"}, f"has schema 'breakeven.record/2'; allowed: {SCHEMA}"),
        ({"schema": None}, "has schema None"),
        ({"machine": ...}, "lacks machine"),
        ({"rows": ...}, "lacks rows"),
        ({"rows": [3]}, "rows[0] is a int; allowed: an object"),
        ({"rows": [{"layer": "a"}]}, "rows[0] lacks problem, backend"),
        ({"rows": None}, "rows"),
        ({"config": []}, "config"),
        ({"machine": 3}, "machine"),
    ],
)
def test_what_is_no_record(written, change, words):
    data = {name: value for name, value in {**RECORD.to_json(), **change}.items() if value is not ...}
    with pytest.raises(InputError) as caught:
        read_record(written(data))
    assert words in str(caught.value) and "record.json" in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"x"', "\x00"])
def test_what_is_no_json_object(written, text):
    with pytest.raises(InputError, match=r"record\.json"):
        read_record(written(text))


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="no record at"):
        read_record(tmp_path / "nowhere")
    (tmp_path / "record.json").mkdir()
    with pytest.raises(InputError):
        read_record(tmp_path)
