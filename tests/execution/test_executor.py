"""The executor within its bound on columns, from one thread and from several."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from blackcore.minimal.query_engine import QueryEngine, StructuredQuery, field
from blackcore.minimal.query_engine.query import Condition, evaluate
from blackcore.minimal.query_engine.settings import EngineSettings, ExecutionSettings

ROWS: list[dict[str, Any]] = [
    {
        "number": n * 7_919 % 1_000,
        "fraction": (n % 37) / 8 if n % 11 else None,
        "text": f"t{n % 13}",
        "unlike": f"note {n}",
        "tags": ["even"] if n % 2 == 0 else ["odd", f"t{n % 5}"],
        "parts": [{"size": n % 3}, {"size": n % 4}],
    }
    for n in range(400)
]


class Rows:
    def load_database(self, name: str) -> list[dict[str, Any]]:
        return ROWS

    def get_available_databases(self) -> list[str]:
        return ["db"]

    def refresh_cache(self, name: str | None = None) -> None:
        """Nothing is kept."""


def engine_of(max_bytes: int) -> QueryEngine:
    limits = ExecutionSettings(columns_from_rows=0, columns_max_bytes=max_bytes)
    settings = EngineSettings(execution=limits)
    return QueryEngine(Rows(), search=False, cache=False, settings=settings)


def questions(engine: QueryEngine) -> list[StructuredQuery]:
    ask = engine.query("db")
    made = [
        ask.where(field("number") > 500, field("text") == "t3"),
        ask.where(field("fraction").between(1, 3)).sort("-number", "text"),
        ask.where(field("unlike").contains("9"), field("tags").contains("odd")),
        ask.where(field("parts.size") == 2).sort("fraction").page(2, 10),
        ask.where((field("tags").contains("t4")) | (field("text") == "t1")),
        ask.select("text", "number").distinct().where(field("number") < 40),
    ]
    return [each.structured for each in made]


def assert_right(engine: QueryEngine, query: StructuredQuery) -> None:
    expected = evaluate(query, ROWS)
    result = engine.execute(query)
    page = query.pagination
    assert result.total_count == len(expected)
    assert result.ids.tolist() == (expected[page.start : page.stop] if page else expected)


@pytest.mark.parametrize("max_bytes", [1, 2_000, 6_000, 10**9])
def test_answers_are_right_and_columns_within_their_bound_however_small(max_bytes: int) -> None:
    engine = engine_of(max_bytes)
    for query in questions(engine) * 3:
        assert_right(engine, query)
        told = engine.statistics()
        assert told.columns.max_bytes == max_bytes
        assert told.columns.used_bytes <= max_bytes
        assert told.columns.used_bytes == told.databases["db"].columns_bytes
    assert (told.columns.dropped > 0) is (max_bytes < 10_000)
    assert f"{told.columns.dropped:,} dropped" in str(told)


def test_columns_go_with_the_version() -> None:
    engine = engine_of(10**9)
    for query in questions(engine):
        assert_right(engine, query)
    assert engine.statistics().columns.used_bytes > 0
    engine.refresh()
    assert engine.statistics().columns.used_bytes == 0


@pytest.mark.parametrize("max_bytes", [1, 3_000, 10**9])
def test_threads_get_right_answers_from_shared_columns_that_come_and_go(max_bytes: int) -> None:
    engine = engine_of(max_bytes)
    asked = questions(engine) * 6

    def work(offset: int) -> None:
        for query in asked[offset:] + asked[:offset]:
            assert_right(engine, query)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert engine.statistics().columns.used_bytes <= max_bytes


def test_a_field_asked_for_once_is_read_in_the_rows_and_asked_for_again_gets_a_column() -> None:
    engine = engine_of(10**9)
    columns: list[int] = []
    for least in (500, 400, 300):
        assert_right(engine, engine.query("db").where(field("number") > least).structured)
        columns.append(engine.statistics().columns.used_bytes)
    assert columns[0] == 0
    assert columns[-1] > 0


@pytest.mark.parametrize("ordered", ["sort", "distinct"])
def test_few_rows_are_ordered_by_what_they_hold_and_many_by_a_column(ordered: str) -> None:
    engine = engine_of(10**9)

    def bytes_made_for(*filters: Condition) -> int:
        engine.refresh()
        asked = engine.query("db").where(*filters)
        asked = asked.sort("-number") if ordered == "sort" else asked.select("number").distinct()
        assert_right(engine, asked.structured)
        return engine.statistics().columns.used_bytes

    assert bytes_made_for(field("text") == "t3", field("fraction") > 4) == 0
    assert bytes_made_for() > 0
