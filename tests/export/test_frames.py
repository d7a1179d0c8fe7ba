"""Columns are written as the same rows would be."""

from __future__ import annotations

import datetime
import decimal
import io
import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine.errors import ExportOptionError, ExportValueError
from blackcore.minimal.query_engine.export import CsvOptions, JsonOptions, StreamingExporter
from blackcore.minimal.query_engine.export.frames import FrameColumns
from blackcore.minimal.query_engine.settings import ExportSettings

if TYPE_CHECKING:
    from pathlib import Path

TEXT = st.sampled_from(
    ["", "a", "a,b", 'q"q', "x\ny", "x\ry", " lead", "\x00", "\x1f", "é", "\u2028", "=1+1", "-5"]
) | st.sampled_from(["\\", "null", "NA", ";", "'"])
COLUMNS = {
    "text": (TEXT | st.text(st.characters(codec="utf-8"), max_size=4), pl.String),
    "whole": (st.integers(-(2**63), 2**63 - 1), pl.Int64),
    "large": (st.integers(0, 2**64 - 1), pl.UInt64),
    "small": (st.integers(-128, 127), pl.Int8),
    "float": (st.floats(), pl.Float64),
    "plain_float": (st.floats(1.0, 1e6), pl.Float64),
    "bool": (st.booleans(), pl.Boolean),
    "date": (st.dates(), pl.Date),
    "datetime": (st.datetimes(), pl.Datetime("us")),
    "utc": (
        st.datetimes(
            datetime.datetime(1970, 1, 2),
            datetime.datetime(2100, 1, 1),
            timezones=st.just(datetime.UTC),
        ),
        pl.Datetime("us", "UTC"),
    ),
    "time": (st.times(), pl.Time),
    "list": (st.lists(st.integers(0, 9), max_size=2), pl.List(pl.Int64)),
    "struct": (st.fixed_dictionaries({"x": st.integers(0, 9)}), pl.Struct({"x": pl.Int64})),
    "bytes": (st.binary(max_size=3), pl.Binary),
    "null": (st.none(), pl.Null),
}  # fmt: skip


@st.composite
def frames(draw: Any, names: Any = tuple(COLUMNS)) -> pl.DataFrame:
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True))
    height = draw(st.integers(0, 5))
    data = {
        name: draw(st.lists(st.none() | COLUMNS[name][0], min_size=height, max_size=height))
        for name in chosen
    }
    return pl.DataFrame(data, schema={name: COLUMNS[name][1] for name in chosen})


OPTIONS = st.builds(
    CsvOptions,
    delimiter=st.sampled_from([",", ";"]),
    quote=st.sampled_from(['"', "'"]),
    quoting=st.sampled_from(["minimal", "strings", "all"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    null_text=st.sampled_from(["", "NA"]),
    escape_formulas=st.booleans(),
    float_format=st.sampled_from([None, ".2f"]),
)
EXPORTER = StreamingExporter(ExportSettings(durable=False))


def written(data: Any, format_name: Any, options: Any) -> bytes:
    file = io.BytesIO()
    EXPORTER.export(data, file, format_name, options=options)
    return file.getvalue()


@given(frames(), OPTIONS)
def test_csv_of_columns_is_the_csv_of_their_rows(frame: Any, options: Any) -> None:
    rows = frame.to_dicts()
    expected = written(rows, "csv", options) if rows else None
    found = written(frame, "csv", options)
    if expected is None:
        assert found.count(b"\n") <= 1
    else:
        assert found == expected


@given(frames(), st.booleans(), st.booleans())
def test_json_of_columns_is_the_json_of_their_rows(frame: Any, sort_keys: Any, indent: Any) -> None:
    rows = frame.to_dicts()
    options = JsonOptions(sort_keys=sort_keys, indent=indent)
    assert written(frame, "json", options) == written(rows, "json", options)


@given(frames(), st.booleans())
def test_json_lines_of_columns_are_those_of_their_rows(frame: Any, sort_keys: Any) -> None:
    options = JsonOptions(sort_keys=sort_keys)
    assert written(frame, "jsonl", options) == written(frame.to_dicts(), "jsonl", options)


@pytest.fixture
def frame() -> pl.DataFrame:
    return pl.DataFrame({"a": [1, 2, None], "b": ["x", "", None], "c": [0.5, 1e-7, None]})


def test_every_kind_of_table_serves(frame: Any) -> None:
    expected = written(frame, "csv", None)
    table = frame.to_arrow()
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    for data in (table, reader, table.to_batches()[0]):
        assert written(data, "csv", None) == expected
    pandas = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert written(pandas, "json", None) == b'[{"a":1,"b":"x"},{"a":2,"b":"y"}]'


async def test_columns_beside_a_loop_know_their_total(frame: Any, tmp_path: Path) -> None:
    heard = []
    count = await EXPORTER.export_async(frame, tmp_path / "a.csv.gz", on_progress=heard.append)
    assert count == 3
    assert heard[-1].total_rows == 3
    assert b"".join([block async for block in EXPORTER.stream_jsonl(frame)]).count(b"\n") == 3


def test_fields_can_be_chosen_and_renamed(frame: Any) -> None:
    options = CsvOptions(fieldnames=("b", "a"), rename={"b": "B"}, last_line="# {rows}")
    assert written(frame, "csv", options) == b"B,a\r\nx,1\r\n,2\r\n,\r\n# 3\r\n"


def test_field_that_is_no_column_is_named(frame: Any, tmp_path: Path, only: Any) -> None:
    with pytest.raises(
        ExportOptionError, match="'aa', which the columns do not have; did you mean"
    ):
        EXPORTER.export(frame, tmp_path / "a.csv", options=CsvOptions(fieldnames=("aa",)))
    assert only(tmp_path) == []


def test_structs_can_become_columns() -> None:
    nested = pl.DataFrame({"a": [{"x": 1}], "b": [2]})
    assert written(nested, "csv", CsvOptions(flatten=".")) == b"a.x,b\r\n1,2\r\n"


def test_large_frames_are_written_in_parts(frame: Any) -> None:
    large = pl.concat([frame] * 30_000)
    rows = [{"a": 1, "b": "x", "c": 0.5}, {"a": 2, "b": "", "c": 1e-7}, dict.fromkeys("abc")]
    assert json.loads(written(large, "json", None)) == rows * 30_000
    assert written(large, "csv", None) == b"a,b,c\r\n" + b"1,x,0.5\r\n2,,1e-07\r\n,,\r\n" * 30_000


def test_decimals_and_durations_take_the_way_of_rows() -> None:
    rich = pl.DataFrame(
        {"d": [decimal.Decimal("1.50")], "t": [datetime.timedelta(seconds=5)], "n": [1]}
    )
    assert written(rich, "csv", None) == b"d,t,n\r\n1.50,PT5S,1\r\n"
    assert written(rich, "jsonl", None) == b'{"d":"1.50","t":"PT5S","n":1}\n'


def test_value_without_text_is_named_by_row_and_column() -> None:
    odd = pl.DataFrame({"n": [1, 2], "o": pl.Series([None, object()], dtype=pl.Object)})
    with pytest.raises(ExportValueError, match=r"row 2, field 'o': .* has no JSON"):
        written(odd, "csv", None)
    with pytest.raises(ExportValueError, match=r"row 2, field 'o': .* has no JSON"):
        written(odd, "json", None)


class Result:
    """A result such as a query gives: rows in chunks, and perhaps columns."""

    def __init__(self, rows: Any, columns: Any) -> None:
        self._rows, self._columns = rows, columns

    def __len__(self) -> int:
        return len(self._rows)

    def chunks(self, chunk_rows: int) -> Any:
        for start in range(0, len(self._rows), chunk_rows):
            yield self._rows[start : start + chunk_rows]

    def built_columns(self) -> Any:
        return self._columns


@pytest.mark.parametrize("format_name", ["csv", "json", "jsonl"])
def test_columns_that_are_built_are_written_and_otherwise_the_rows(
    format_name: Any, frame: Any
) -> None:
    rows = frame.to_dicts()
    expected = written(rows, format_name, None)
    assert written(Result(rows, None), format_name, None) == expected
    columns = FrameColumns(frame)
    assert written(Result([{"never": "read"}], columns), format_name, None) == expected


def test_result_in_chunks_can_be_read_twice_and_knows_its_rows() -> None:
    rows = [{"a": 1}] * 30 + [{"b": 2}]
    heard: list[Any] = []
    file = io.BytesIO()
    options = CsvOptions(late_columns="gather")
    EXPORTER.export_csv(Result(rows, None), file, 10, options=options, on_progress=heard.append)
    assert file.getvalue() == b"a,b\r\n" + b"1,\r\n" * 30 + b",2\r\n"
    assert heard[-1].total_rows == 31
