"""The same question through a warm engine and a cold one, with refreshes in between."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackcore.minimal.query_engine import (
    EngineSettings,
    ExecutionSettings,
    MemoryCache,
    QueryEngine,
    QueryEngineError,
    QueryFilter,
    QueryPagination,
    QuerySearch,
    StructuredQuery,
)
from blackcore.minimal.query_engine.query.values import json_text
from tests.integration.conftest import ListLoader
from tests.strategies import databases, queries

# columns from the first row on, and prefixes so short that later pages go beyond them
SETTINGS = EngineSettings(execution=ExecutionSettings(columns_from_rows=0, answer_prefix_rows=2))


def outcome(engine: QueryEngine, query: StructuredQuery) -> object:
    """Return the rows as text, with their number, or the error."""
    try:
        result = engine.execute(query)
    except QueryEngineError as error:
        return type(error), str(error)
    result.data.append({"added": "by the caller"})
    return [json_text(row) for row in result.data[:-1]], result.total_count, result.page


@st.composite
def searching(draw: st.DrawFn, rows: list[dict[str, Any]]) -> StructuredQuery:
    """Return a question of any shape, every other one with a search."""
    text = draw(st.sampled_from(["a", "b", "ab", "1", "2013", "ss"]))
    search = st.sampled_from([None, None, QuerySearch(text), QuerySearch(text, {"a": 2.0}, 0.1)])
    return draw(queries(rows)).model_copy(update={"search": draw(search)})


@settings(max_examples=settings.default.max_examples // 4)
@given(data=st.data())
def test_a_warm_engine_answers_as_a_cold_one_through_refreshes(data: st.DataObject) -> None:
    versions = [data.draw(databases()) for _ in range(2)]
    asked = [data.draw(searching(versions[0])) for _ in range(3)]
    asked += [each.model_copy(update={"pagination": QueryPagination(2, 2)}) for each in asked]
    loader = ListLoader(db=versions[0])
    # room for a few answers only
    cache = MemoryCache(max_size_mb=0.003)
    warm = QueryEngine(loader, cache=cache, settings=SETTINGS)
    steps = st.lists(
        st.sampled_from(asked) | st.sampled_from(["change", "change unseen"]),
        min_size=4,
        max_size=12,
    )
    loaded: list[dict[str, Any]] | None = None
    for step in data.draw(steps):
        if isinstance(step, str):
            loader.databases["db"] = data.draw(st.sampled_from(versions))
            if step == "change":
                warm.refresh("db")
                assert len(cache) == 0
                loaded = None
            continue
        loaded = loader.databases["db"] if loaded is None else loaded
        cold = QueryEngine(ListLoader(db=loaded), cache=False, settings=SETTINGS)
        assert outcome(warm, step) == outcome(cold, step)


class Broken:
    """A cache all of whose methods raise, or return rubbish."""

    def __init__(self, *, raises: bool) -> None:
        self.raises = raises

    def _rubbish(self, *given: Any, **named: Any) -> Any:
        if self.raises:
            raise ConnectionError("the cache is gone")
        return ["rubbish"]

    get_cached_result = cache_result = get_statistics = invalidate_by_tags = _rubbish


@pytest.mark.parametrize("raises", [True, False])
def test_a_broken_cache_is_bypassed_counted_and_logged_and_answers_are_right(
    raises: bool, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"a": number % 3} for number in range(9)]
    engine = QueryEngine(ListLoader(db=rows), cache=Broken(raises=raises))
    query = StructuredQuery("db", [QueryFilter("a", "eq", 1)])
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            result = engine.execute(query)
            assert not result.from_cache
            assert result.data == [{"a": 1}] * 3
        engine.refresh("db")
        statistics = engine.statistics()
    assert statistics.cache_failures >= 3
    assert statistics.cache is None
    assert "it was bypassed" in caplog.text
