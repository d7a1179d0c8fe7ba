from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackcore.minimal.query_engine import (
    FullTextSearch,
    MemoryCache,
    QueryEngine,
    QueryFilter,
    QueryPagination,
    QuerySearch,
    SortField,
    StructuredQuery,
)
from blackcore.minimal.query_engine.integration import SearchAwareCacheOptimizer
from blackcore.minimal.query_engine.search import TantivySearch
from blackcore.minimal.query_engine.settings import (
    EngineSettings,
    ExecutionSettings,
    SearchAwareSettings,
    SearchSettings,
)
from tests.integration.conftest import ListLoader
from tests.integration.search_engines import OldWordEngine, RankedEngine, WordEngine

WORDS = ["war", "peace", "end", "love", "wars"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
ROW = st.fixed_dictionaries({"t": TEXTS, "u": TEXTS, "n": st.integers(0, 3)})
ROWS = st.lists(ROW, min_size=6, max_size=16)
ENGINES = {
    "FTS5": FullTextSearch,
    "tantivy": TantivySearch,
    "alone": WordEngine,
    "older form": OldWordEngine,
    "ranked": RankedEngine,
}


@st.composite
def searches(draw: st.DrawFn, *, weighted: bool) -> StructuredQuery:
    text = " ".join(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=2)))
    query = StructuredQuery(
        "db",
        filters=draw(st.sampled_from([[], [QueryFilter("n", "gt", 0)]])),
        sort_fields=draw(
            st.sampled_from([[], [SortField("n", "desc")], [SortField("t"), SortField("n")]])
        ),
        search=text,
    )
    if draw(st.booleans()):
        return query  # the more is asked, the less can be proven
    weights = draw(st.sampled_from([None, {"t": 3.0}, {"u": 0.0}])) if weighted else None
    distinct = draw(st.booleans())
    return query.model_copy(
        update={
            "pagination": draw(
                st.none() | st.builds(QueryPagination, st.integers(1, 2), st.just(2))
            ),
            "distinct": distinct,
            "select": ("n",) if distinct else None,
            "search": QuerySearch(text, weights, draw(st.sampled_from([0.0, 1.0]))),
        }
    )


@st.composite
def updates(draw: st.DrawFn, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows after a few changes, insertions, removals and moves."""
    rows = [dict(row) for row in rows]
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["change", "change", "insert", "remove", "move"]))
        at = draw(st.integers(0, max(0, len(rows) - 1)))
        if kind == "insert" or not rows:
            rows.insert(at, draw(ROW))
        elif kind == "change":
            rows[at] = draw(ROW)
        elif kind == "remove":
            del rows[at]
        else:
            rows.append(rows.pop(at))
    return rows


@pytest.mark.parametrize("name", ENGINES)
@settings(max_examples=settings.default.max_examples // 8)
@given(data=st.data())
def test_no_answer_is_stale_after_updates(name: str, data: st.DataObject) -> None:
    rows = data.draw(ROWS)
    weighted = name != "older form"
    asked = data.draw(st.lists(searches(weighted=weighted), min_size=1, max_size=6))
    # so short a prefix that some answers hold the first rows only
    engine_settings = EngineSettings(execution=ExecutionSettings(answer_prefix_rows=2))
    loader = ListLoader(db=rows)
    search = ENGINES[name]()
    # with room for a few, answers are exchanged too
    most, policy = data.draw(st.sampled_from([(None, "lru"), (3, "lru"), (3, "s3fifo")]))
    cache = MemoryCache(max_size_mb=4, max_entries=most, policy=policy)
    engine = QueryEngine(loader, search, cache, settings=engine_settings)
    optimizer = SearchAwareCacheOptimizer(
        cache, search, engine, settings=SearchAwareSettings(max_rewarmed=0)
    )
    for _ in range(2):
        for query in asked:
            engine.execute(query)
        before = loader.databases["db"]
        loader.databases["db"] = after = data.draw(updates(before))
        changed = [row for row in after if row not in before]
        report = optimizer.invalidate_records("db", changed)
        assert report.considered == report.kept + report.reranked + report.reached + report.unproven
        cold = QueryEngine(
            ListLoader(db=after), ENGINES[name](), cache=False, settings=engine_settings
        )
        for query in asked:
            warm_result, cold_result = engine.execute(query), cold.execute(query)
            assert warm_result.data == cold_result.data
            assert warm_result.ids.tolist() == cold_result.ids.tolist()
            assert warm_result.total_count == cold_result.total_count


@pytest.mark.parametrize("mode", ["prefix", "fuzzy"])
def test_a_search_that_finds_alike_words_is_not_kept_when_one_comes(mode: str) -> None:
    loader = ListLoader(db=[{"t": "war"}, {"t": "peace"}])
    engine_settings = EngineSettings(search=SearchSettings(mode=mode))
    search, cache = FullTextSearch(), MemoryCache()
    engine = QueryEngine(loader, search, cache, settings=engine_settings)
    optimizer = SearchAwareCacheOptimizer(cache, search, engine)
    query = StructuredQuery("db", search="war")
    assert len(engine.execute(query)) == 1
    loader.databases["db"].append({"t": "wars"})
    assert optimizer.invalidate_records("db", []).reached == 1
    assert len(engine.execute(query)) == 2
