"""Rows written from columns are, byte for byte, those written from dicts."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from blackcore.minimal.query_engine import CsvOptions, QueryEngine, StreamingExporter, field
from blackcore.minimal.query_engine.data import QueryResult, Records
from blackcore.minimal.query_engine.query.values import json_text

EXPORTER = StreamingExporter()
FORMATS = ("csv", "tsv", "json", "jsonl")
PLAIN: list[dict[str, Any]] = [
    {"i": 1, "f": 0.5, "s": "x", "b": True, "n.d": 7},
    {"i": -(2**63), "f": 1e300, "s": 'q"uo,te\n', "b": False, "n.d": None},
    {"i": 2**63 - 1, "f": -0.0, "s": "", "b": None, "n.d": 8},
    {"i": 0, "f": None, "s": None, "b": True, "n.d": 9},
]


def result_of(
    rows: list[dict[str, Any]],
    ids: list[int] | None = None,
    select: tuple[str, ...] | None = None,
    made: Any = None,
) -> QueryResult:
    """Return a result over rows whose columns were made, all or those named."""
    records = Records("db", rows)
    names = dict.fromkeys(key for row in rows for key in row if isinstance(key, str))
    for name in names if made is None else made:
        records.column(name)
    chosen = np.array(range(len(rows)) if ids is None else ids, dtype=np.uint32)
    return QueryResult(records, chosen, len(chosen), select=select)


def written(data: Any, format_name: str) -> bytes:
    file = io.BytesIO()
    EXPORTER.export(data, file, format_name)
    return file.getvalue()


def assert_written_alike(result: QueryResult) -> None:
    for name in FORMATS:
        assert written(result, name) == written(result.data, name)


@pytest.mark.parametrize("ids", [None, [3, 0, 2], [1, 2], [2, 2, 2], [1]])
@pytest.mark.parametrize("select", [None, ("s",), ("f", "n.d", "i")])
def test_rows_of_plain_fields_are_written_from_columns(ids: Any, select: Any) -> None:
    result = result_of(PLAIN, ids, select)
    columns = result.built_columns()
    assert columns is not None
    assert columns.columns == result.field_names
    assert columns.height == len(result)
    assert columns.to_polars().to_dicts() == result.data
    assert pl.DataFrame(columns).to_dicts() == result.data
    assert_written_alike(result)


def test_parts_are_the_rows_in_order_and_no_longer_than_asked() -> None:
    rows = [{"n": i, "s": str(i % 7)} for i in range(100)]
    ids = [*range(10, 60), *range(99, 60, -1)]
    columns = result_of(rows, ids).built_columns()
    assert columns is not None
    parts = list(columns.parts(32))
    assert [part.height for part in parts] == [32, 32, 25]
    assert [row for part in parts for row in part.to_dicts()] == [rows[i] for i in ids]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([{"a": 1}, {"a": 1.5}], "1 would become 1.0"),
        ([{"a": 1}, {"a": "1"}], "two types"),
        ([{"a": 1}, {"a": True}], "a bool is no number"),
        ([{"a": [1]}], "nested"),
        ([{"a": {"b": 1}}], "nested"),
        ([{"a": None}], "no type at all"),
        ([{"a": 2**63}], "beyond 64 bits"),
        ([{"a": "\ud800"}], "a lone surrogate"),
        ([{"a": 1.5}, {"a": math.nan}, {"a": None}], "NaN is no null in CSV"),
        ([{"a": 1.5}, {"a": math.nan}], "NaN without null"),
        ([{"a": 1}, {}], "a missing key is no null in JSON"),
        ([{"a": 1}, {"a": 1, "b": 2}], "a late key"),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], "keys in another order"),
        ([{"a": 1, 5: 2}], "a key that is no string"),
        ([{"": 1}], "a column without a name"),
        ([{"a\0b": 1}], "a name that ends early in C"),
        ([{}], "no fields"),
        ([], "no rows"),
    ],
)
def test_what_columns_cannot_say_is_written_from_the_rows(rows: Any, why: str) -> None:
    result = result_of([row.copy() for row in rows])
    assert result.built_columns() is None, why
    if 5 not in result.field_names:
        json_rows = EXPORTER.export_jsonl(result, io.BytesIO())
        assert json_rows == len(rows)


def test_nothing_is_made_that_does_not_exist() -> None:
    result = result_of(PLAIN, made=["i", "f", "s", "b"])
    assert result.built_columns() is None
    assert set(result.records.columns) == {"i", "f", "s", "b"}
    assert result_of(PLAIN, made=["i"], select=("i", "f")).built_columns() is None
    assert result_of(PLAIN, made=["i"], select=("i",)).built_columns() is not None


def test_a_projection_shows_missing_and_nan_as_null_from_columns_too() -> None:
    rows: list[dict[str, Any]] = [{"a": math.nan, "b": "x"}, {"b": "y"}, {"a": 0.5}]
    result = result_of(rows, select=("a", "b"))
    assert result.built_columns() is not None
    assert result.data[0] == {"a": None, "b": "x"}
    assert_written_alike(result)


@pytest.mark.parametrize("name", ["*", "^.*$", "^a$", "literal", "a b"])
def test_names_stand_for_themselves(name: str) -> None:
    rows: list[dict[str, Any]] = [{"a": 1, name: "x"}, {"a": 2, name: "y"}]
    for select in (None, (name,), (name, "a")):
        result = result_of(rows, [1, 0], select)
        assert result.built_columns() is not None
        assert_written_alike(result)
    written_out = []
    for data in (rows, pl.DataFrame(rows)):
        file = io.BytesIO()
        EXPORTER.export(data, file, "csv", options=CsvOptions(fieldnames=(name,)))
        written_out.append(file.getvalue())
    assert written_out[0] == written_out[1]


def test_paths_into_objects_are_written_from_columns_and_through_lists_are_not() -> None:
    rows: list[dict[str, Any]] = [{"a": {"b": 1}, "c": [{"d": 1}]}, {"a": {}, "c": []}]
    plain = result_of(rows, select=("a.b",), made=["a.b"])
    assert plain.built_columns() is not None
    assert_written_alike(plain)
    assert result_of(rows, select=("c.d",), made=["c.d"]).built_columns() is None


def test_frames_from_columns_are_those_from_rows() -> None:
    from_columns = result_of(PLAIN, [3, 1, 0])
    assert from_columns.built_columns() is not None
    assert_frame_equal(from_columns.to_polars(), result_of(PLAIN, [3, 1, 0], made=[]).to_polars())
    small: list[dict[str, Any]] = [{"n": n, "m": n or None} for n in range(3)]
    assert_frame_equal(result_of(small).to_polars(), result_of(small, made=[]).to_polars())


async def test_an_engine_exports_the_columns_its_filters_have_made(tmp_path: Any) -> None:
    rows: list[dict[str, Any]] = [{"n": i % 50, "s": f"{i},"} for i in range(60_000)]

    class Loader:
        def load_database(self, name: str) -> list[dict[str, Any]]:
            return rows

        def get_available_databases(self) -> list[str]:
            return ["db"]

        def refresh_cache(self, name: str | None = None) -> None:
            """Nothing is kept."""

    engine = QueryEngine(Loader())
    for path in ("n", "s"):
        engine.records("db").column(path)
    query = engine.query("db").where(field("n") > 40).sort("-n")
    result = query.run()
    expected = written(result.data, "jsonl")
    for row in result.data:
        row["s"] = "changed since"  # which only the rows can tell
    assert await query.export(tmp_path / "a.jsonl") == len(result)
    assert (tmp_path / "a.jsonl").read_bytes() == expected
    assert engine.export_sync(query, tmp_path / "b.jsonl") == len(result)
    assert (tmp_path / "b.jsonl").read_bytes() == expected


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**70), max_value=2**70),
    st.floats(),
    st.text(max_size=4),
    st.lists(st.integers(), max_size=2),
)


@st.composite
def cells_of_a_field(draw: st.DrawFn) -> st.SearchStrategy[object]:
    """Mostly of one kind, as fields are."""
    kind = draw(
        st.sampled_from(
            [
                st.integers(min_value=-(2**63), max_value=2**63 - 1),
                st.floats(),
                st.floats(allow_nan=False, allow_infinity=False),
                st.text(),
                st.booleans(),
                CELLS,
            ]
        )
    )
    return draw(st.sampled_from([kind, st.none() | kind]))


@given(st.data())
def test_whatever_the_rows_hold_columns_write_the_same_or_are_refused(data: Any) -> None:
    name_of_a_field = st.sampled_from(["*", "^.*$", "a.b"]) | st.text(max_size=3)
    names = data.draw(st.lists(name_of_a_field, min_size=1, max_size=3, unique=True))
    fields = {name: data.draw(cells_of_a_field()) for name in names}
    count = data.draw(st.integers(min_value=1, max_value=6))
    rows = [{name: data.draw(cells) for name, cells in fields.items()} for _ in range(count)]
    if data.draw(st.booleans()):
        data.draw(st.sampled_from(rows)).pop(data.draw(st.sampled_from(names)))
    ids = data.draw(st.lists(st.integers(min_value=0, max_value=count - 1), max_size=8))
    picked = data.draw(st.lists(st.sampled_from(names), max_size=3))
    result = result_of(rows, ids, tuple(picked) or None)
    columns = result.built_columns()
    if columns is None:
        return
    for name in ("csv", "jsonl", "json"):
        assert written(columns, name) == written(result.data, name)
    held = columns.to_polars().to_dicts()
    assert list(map(json_text, held)) == list(map(json_text, result.data))
