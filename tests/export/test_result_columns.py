"""A result is written the same whether or not its columns are built, on every kind of rows."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine.data import QueryResult, Records
from blackcore.minimal.query_engine.export import CsvOptions, JsonOptions, StreamingExporter
from blackcore.minimal.query_engine.export.frames import FrameColumns, bounded_parts
from blackcore.minimal.query_engine.settings import ExportSettings

EXPORTER = StreamingExporter(ExportSettings(durable=False))
TEXT = st.text(st.characters(codec="utf-8"), max_size=4) | st.sampled_from(
    ["", "a,b", 'q"q', "x\ny", "\r", "=1+1", "-5", "＝x", "NA", "null", "\\", "\x00", "\u2028"]
)
KINDS = {
    "text": TEXT,
    "surrogate": TEXT | st.just("\ud800"),
    "whole": st.integers(-(2**63), 2**63 - 1),
    "huge": st.integers(-(2**70), 2**70),
    "float": st.floats(),
    "number": st.integers(-5, 5) | st.floats(allow_nan=False),
    "bool": st.booleans(),
    "mixed": st.booleans() | st.integers(-5, 5) | TEXT,
    "nested": st.lists(st.integers(0, 9), max_size=2) | st.fixed_dictionaries({"x": TEXT}),
}


@st.composite
def results(draw: Any) -> QueryResult:
    """Draw a result, all columns of which are built: some of its rows, with fields missing."""
    names = draw(st.lists(st.sampled_from([*KINDS]), min_size=1, max_size=4, unique=True))
    always = draw(st.booleans())
    row = st.fixed_dictionaries(
        {name: st.none() | KINDS[name] for name in names} if always else {},
        optional={} if always else {name: st.none() | KINDS[name] for name in names},
    )
    rows = draw(st.lists(row, min_size=1, max_size=6))
    records = Records("drawn", rows)
    for name in names:
        records.column(name)
    last = len(rows) - 1
    ids = draw(st.just([*range(len(rows))]) | st.lists(st.integers(0, last), max_size=6))
    fields = list(dict.fromkeys(name for row in rows for name in row))
    some = st.lists(st.sampled_from(fields), min_size=1, unique=True) if fields else st.none()
    select = draw(st.none() | some)
    chosen = np.array(ids, dtype=np.uint32)
    return QueryResult(records, chosen, len(ids), select=None if select is None else tuple(select))


CSV = st.builds(
    CsvOptions,
    delimiter=st.sampled_from([",", ";"]),
    quoting=st.sampled_from(["minimal", "strings", "all"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    null_text=st.sampled_from(["", "NA"]),
    escape_formulas=st.booleans(),
    float_format=st.sampled_from([None, ".2f"]),
    encoding_errors=st.just("backslashreplace"),
    flatten=st.sampled_from([None, "."]),
    late_columns=st.sampled_from(["error", "gather"]),
)
JSON = st.builds(JsonOptions, sort_keys=st.booleans(), indent=st.booleans())
LINES = st.builds(JsonOptions, sort_keys=st.booleans(), count_key=st.sampled_from([None, "n"]))


def written(data: Any, format_name: str, options: Any = None) -> bytes:
    file = io.BytesIO()
    EXPORTER.export(data, file, format_name, options=options)
    return file.getvalue()


@given(results(), CSV, JSON, LINES)
def test_bytes_are_those_of_the_dicts(result: Any, csv: Any, json: Any, lines: Any) -> None:
    rows = result.data
    if result.select is not None:
        replacing = CsvOptions(encoding_errors="backslashreplace")
        given_names = dataclasses.replace(replacing, fieldnames=result.select)
        assert written(result, "csv", replacing) == written(rows, "csv", given_names)
    elif rows:
        assert written(result, "csv", csv) == written(rows, "csv", csv)
    assert written(result, "json", json) == written(rows, "json", json)
    assert written(result, "jsonl", lines) == written(rows, "jsonl", lines)


def test_plain_rows_do_take_the_way_of_columns() -> None:
    records = Records("plain", [{"a": n, "b": "x", "c": n / 2, "d": True} for n in range(5)])
    result = QueryResult(records, np.arange(5, dtype=np.uint32), 5)
    assert result.built_columns() is None
    before = [written(result, name) for name in ("csv", "json", "jsonl")]
    for name in "abcd":
        records.column(name)
    assert result.built_columns() is not None
    assert [written(result, name) for name in ("csv", "json", "jsonl")] == before


def test_floats_have_the_text_that_they_have_in_dicts() -> None:
    floats = [1e-5, 9.99e-5, 1e-4, 5e-324, 0.1 + 0.2, -0.0, 1e15, 1e16, 1.5e16, 1e22, 1.7e308, None]
    for value in floats:
        records = Records("floats", [{"f": value, "n": 1}, {"f": 0.5, "n": 2}])
        for name in ("f", "n"):
            records.column(name)
        result = QueryResult(records, np.arange(2, dtype=np.uint32), 2)
        assert result.built_columns() is not None
        for name in ("csv", "json", "jsonl"):
            assert written(result, name) == written(result.data, name)


@pytest.mark.parametrize("built", [False, True])
def test_field_that_no_row_has_is_an_empty_cell_with_columns_or_without(built: Any) -> None:
    records = Records("plain", [{"a": 1, "b": 2}])
    for name in "ab" if built else "":
        records.column(name)
    result = QueryResult(records, np.arange(1, dtype=np.uint32), 1)
    assert (result.built_columns() is not None) == built
    assert written(result, "csv", CsvOptions(fieldnames=("b", "z"))) == b"b,z\r\n2,\r\n"


def test_record_batches_are_read_one_by_one() -> None:
    made: list[int] = []

    def batches() -> Any:
        for n in range(30):
            made.append(n)
            yield pa.record_batch({"n": [n] * 100, "text": ["x" * 1_000] * 100})

    ahead: list[int] = []

    class Noting(io.BytesIO):
        def write(self, block: Any) -> int:
            ahead.append(len(made) - len(ahead))
            return super().write(block)

    file = Noting()
    schema = pa.schema({"n": pa.int64(), "text": pa.string()})
    reader = pa.RecordBatchReader.from_batches(schema, batches())
    assert EXPORTER.export_csv(reader, file) == 3_000
    assert file.getvalue().count(b"\r\n") == 3_001
    assert max(ahead) <= 3


def test_batches_that_fail_midway_leave_the_old_file(tmp_path: Any, only: Any) -> None:
    def batches() -> Any:
        yield pa.record_batch({"n": [1] * 100})
        raise LookupError("gone")

    (tmp_path / "a.csv").write_bytes(b"old")
    reader = pa.RecordBatchReader.from_batches(pa.schema({"n": pa.int64()}), batches())
    with pytest.raises(LookupError, match="gone"):
        EXPORTER.export_csv(reader, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == b"old"
    assert only(tmp_path) == ["a.csv"]


def test_parts_are_bounded_in_bytes_also_where_they_share_memory() -> None:
    frame = pl.DataFrame({"text": ["x" * 1_000] * 1_000, "n": range(1_000)})
    heights = [part.height for part in bounded_parts(FrameColumns(frame), 100_000)]
    assert sum(heights) == 1_000
    assert 50 < max(heights) <= 100
    # a slice is as small as it looks, whatever it was cut from
    cut = FrameColumns(frame[:50])
    assert [part.height for part in bounded_parts(cut, 100_000)] == [50]
