"""What a caller gets: the rows themselves, pages and chunks of them, frames, a table."""

from __future__ import annotations

import sys
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from blackcore.minimal.query_engine import MissingExtraError
from blackcore.minimal.query_engine.data import Answer, QueryResult, Records
from blackcore.minimal.query_engine.query import projected
from tests.strategies import databases

ROWS: list[dict[str, Any]] = [
    {"a": 1, "b": {"c": "x"}},
    {"a": 2, "b": [{"c": "y"}, {"c": "z"}]},
    {"a": 3, "late": True},
]


def result(rows: list[dict[str, Any]], ids: list[int] | None = None, **parts: Any) -> QueryResult:
    chosen = list(range(len(rows))) if ids is None else ids
    parts.setdefault("total_count", len(chosen))
    return QueryResult(Records("db", rows), np.array(chosen, dtype=np.uint32), **parts)


def test_the_rows_are_the_loaders_own_in_the_order_chosen() -> None:
    chosen = result(ROWS, [2, 0])
    assert chosen.data[0] is ROWS[2]
    assert chosen.data[1] is ROWS[0]
    assert len(chosen) == 2
    assert list(chosen) == [ROWS[2], ROWS[0]]
    assert chosen[1] is ROWS[0]
    assert chosen[-1] is ROWS[0]
    with pytest.raises(IndexError):
        chosen[2]


def test_the_list_is_the_callers_own() -> None:
    one, other = result(ROWS), result(ROWS)
    one.data.clear()
    assert other.data == ROWS
    assert len(ROWS) == 3
    assert one.data is one.data


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        (("a",), [{"a": 1}, {"a": 2}, {"a": 3}]),
        (("late", "a"), [{"late": None, "a": 1}, {"late": None, "a": 2}, {"late": True, "a": 3}]),
        (("b.c",), [{"b.c": "x"}, {"b.c": ["y", "z"]}, {"b.c": None}]),
        (("a", "a"), [{"a": 1}, {"a": 2}, {"a": 3}]),
    ],
)
def test_a_projection_makes_new_rows_of_just_these_fields(
    select: tuple[str, ...], expected: list[dict[str, Any]]
) -> None:
    chosen = result(ROWS, select=select)
    assert chosen.data == expected
    assert [list(row) for row in chosen.data] == [list(row) for row in expected]
    chosen.data[0]["a"] = 99
    assert ROWS[0]["a"] == 1


@settings(max_examples=25)
@given(databases())
def test_a_projection_is_that_of_the_specification(rows: list[dict[str, Any]]) -> None:
    for select in (("a", "b"), ("a.x", "b.y", "a")):
        shown = result(rows, select=select).data
        assert repr(shown) == repr([projected(row, select) for row in rows])


@pytest.mark.parametrize(
    ("chunk_rows", "sizes"), [(1, [1, 1, 1]), (2, [2, 1]), (3, [3]), (99, [3])]
)
def test_chunks_are_the_rows_a_list_at_a_time(chunk_rows: int, sizes: list[int]) -> None:
    chunks = list(result(ROWS).chunks(chunk_rows))
    assert [len(chunk) for chunk in chunks] == sizes
    assert [row for chunk in chunks for row in chunk] == ROWS
    assert list(result([]).chunks(chunk_rows)) == []


def test_chunks_are_projected_and_picked_as_they_are_asked_for() -> None:
    chunks = result(ROWS, select=("a",)).chunks(1)
    assert next(chunks) == [{"a": 1}]
    assert "data" not in vars(result(ROWS))


def test_field_names_are_all_in_order_of_appearance_or_those_selected() -> None:
    assert result(ROWS).field_names == ["a", "b", "late"]
    assert result(ROWS, select=("late", "zzz")).field_names == ["late", "zzz"]
    assert result([]).field_names == []


def frame(*cells: Any) -> pl.Series:
    return result([{"x": cell} for cell in cells]).to_polars()["x"]


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        ([1, None, -(2**63)], pl.Int64),
        ([1.5, None], pl.Float64),
        (["a", None, ""], pl.String),
        ([True, None], pl.Boolean),
        ([[1], [2, 3], None], pl.List(pl.Int64)),
        ([date(2013, 1, 1), None], pl.Date),
    ],
    ids=repr,
)
def test_a_field_of_one_type_is_a_polars_column_of_it(cells: list[Any], dtype: Any) -> None:
    made = frame(*cells)
    assert made.dtype == dtype
    assert made.to_list() == cells


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        (["a", 1, None], ['"a"', "1", None]),
        ([True, 1], ["true", "1"]),
        ([1, "1", [2], {"k": None}], ["1", '"1"', "[2]", '{"k":null}']),
        ([10**400], [str(10**400)]),
        ([{"a": 1}, {"a": "x"}], ['{"a":1}', '{"a":"x"}']),
    ],
    ids=lambda part: repr(part)[:40],
)
def test_a_field_of_several_types_becomes_json_text(
    cells: list[Any], texts: list[str | None]
) -> None:
    made = frame(*cells)
    assert made.dtype == pl.String
    assert made.to_list() == texts


def test_integers_beyond_64_bits_are_kept_exactly() -> None:
    assert [int(value) for value in frame(2**63, 1)] == [2**63, 1]
    assert [int(value) for value in frame(10**30)] == [10**30]


def test_a_lone_surrogate_does_not_stop_a_frame() -> None:
    assert frame("\ud800", "b").len() == 2


def test_fields_that_only_some_rows_have_are_in_the_frame() -> None:
    made = result([{"x": 1}, {"y": "a"}]).to_polars()
    assert made.to_dicts() == [{"x": 1, "y": None}, {"x": None, "y": "a"}]
    many = result([{"x": 1}] * 2_000 + [{"x": 1, "late": 5}]).to_polars()
    assert many["late"].to_list()[-1] == 5


def test_a_frame_of_no_rows_has_the_columns_selected() -> None:
    assert result([], select=("a", "b")).to_polars().shape == (0, 2)
    assert result([]).to_polars().shape == (0, 0)
    assert result(ROWS, select=("b.c",)).to_polars().columns == ["b.c"]


def test_pandas_gets_one_column_per_field() -> None:
    made = result(ROWS).to_pandas()
    assert list(made.columns) == ["a", "b", "late"]
    assert made["a"].tolist() == [1, 2, 3]
    assert made["b"][0] == {"c": "x"}
    assert list(result(ROWS, select=("a",)).to_pandas().columns) == ["a"]
    assert len(result([]).to_pandas()) == 0


def test_without_pandas_the_extra_that_brings_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"to_pandas\(\) needs .*query-engine\[pandas\]"):
        result(ROWS).to_pandas()


def test_a_notebook_shows_the_first_rows_as_a_table() -> None:
    many = result([{"n": n, "text": "x" * 500} for n in range(50)], total_count=1_234)
    html = many._repr_html_()
    assert html.count("<tr>") == 11
    assert "50 of 1,234 rows" in html
    assert "computed" in html
    assert "x" * 59 + "…" in html
    assert "x" * 61 not in html
    assert "from cache" in result(ROWS, from_cache=True)._repr_html_()
    assert '<td style="opacity:0.5">null</td>' in result([{"a": None}])._repr_html_()
    assert '<td style="text-align:right">7</td>' in result([{"a": 7}])._repr_html_()
    assert "<table>" in result([])._repr_html_()


def test_a_notebook_shows_so_many_fields_and_counts_the_rest() -> None:
    wide = result([{f"f{n}": n for n in range(20)}])._repr_html_()
    assert wide.count("<th>") == 12
    assert "8 more fields" in wide


@pytest.mark.parametrize(
    "hostile",
    [
        {"<script>alert(1)</script>": 1},
        {"a": "<script>alert(1)</script>"},
        {"a": {"<img src=x onerror=alert(1)>": "\"'<b>"}},
        {"a": ["</td><script>"]},
        {"a": "&lt;script&gt; & \" '"},
    ],
    ids=repr,
)
def test_what_records_hold_cannot_get_into_the_page(hostile: dict[str, Any]) -> None:
    html = result([hostile])._repr_html_()
    assert "<script" not in html
    assert "<img" not in html
    assert "<b>" not in html
    assert "&lt;" in html or "&amp;lt;" in html


def test_the_text_form_leaves_the_rows_out() -> None:
    assert len(repr(result([{"n": n} for n in range(1_000)]))) < 300


def test_an_answer_knows_what_it_covers() -> None:
    part = Answer(np.arange(10, dtype=np.uint32), 100)
    assert not part.is_complete
    assert part.covers(10)
    assert not part.covers(11)
    assert not part.covers(None)
    whole = Answer(np.arange(10, dtype=np.uint32), 10)
    assert whole.is_complete
    assert whole.covers(None)
    assert whole.covers(10**30)
    assert whole.cache_weight_bytes() >= 40
