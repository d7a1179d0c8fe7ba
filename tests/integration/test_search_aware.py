from __future__ import annotations

import logging
from typing import Any

import pytest

from blackcore.minimal.query_engine import (
    CacheError,
    FullTextSearch,
    MemoryCache,
    SearchError,
    SettingsError,
    StructuredQuery,
)
from blackcore.minimal.query_engine.integration import SearchAwareCacheOptimizer
from blackcore.minimal.query_engine.settings import SearchAwareSettings
from tests.integration.search_engines import OldWordEngine, WordEngine
from tests.integration.searching import WORDS, Foreign, Setup, rows_of, search


@pytest.fixture
def loader(make_loader: Any) -> Any:
    return make_loader(db=rows_of())


def test_without_an_engine_all_answers_of_the_database_are_dropped(loader: Any) -> None:
    setup = Setup(loader)
    alone = SearchAwareCacheOptimizer(setup.cache, setup.search)
    setup.ask("war")
    assert alone.invalidate_records("db", []).considered == 0
    assert setup.ask("war") == [False]


def test_a_database_that_nobody_searched_is_loaded_anew(loader: Any) -> None:
    setup = Setup(loader)
    everything = StructuredQuery("db")
    assert len(setup.engine.execute(everything)) == 80
    loader.databases["db"].append({"id": 80, "t": "new"})
    setup.optimizer.invalidate_records("db", [])
    assert len(setup.engine.execute(everything)) == 81


def test_answers_of_a_foreign_cache_are_kept_through_an_update(loader: Any) -> None:
    setup = Setup(loader, cache=Foreign())
    setup.ask("war", "sea")
    loader.databases["db"].append({"id": 80, "t": "war"})
    assert setup.optimizer.invalidate_records("db", []).kept == 1
    assert setup.ask("sea") == [True]
    with pytest.raises(CacheError, match="no invalidate_by_tags"):
        SearchAwareCacheOptimizer(setup.cache, setup.search).invalidate_records("db", [])


def test_terms_that_are_asked_more_than_before_are_seen_to_rise(loader: Any) -> None:
    setup = Setup(loader, half_life_searches=10)
    for _ in range(60):
        setup.ask("war", "sea")
    for _ in range(10):
        setup.ask("war", "peace")
    trends = dict(setup.optimizer.trending())
    assert trends["peace"] > 1.3
    assert trends["war"] == pytest.approx(1, abs=0.2)
    assert trends["sea"] < 0.8


@pytest.mark.parametrize("engine", [WordEngine, OldWordEngine, FullTextSearch])
def test_the_records_that_the_day_s_terms_reach_are_told_by_either_form(
    loader: Any, engine: Any
) -> None:
    setup = Setup(loader, engine())
    setup.ask("war", "war", "sea")
    rows = [{"t": "sea"}, {"t": "war"}, {"t": "quiet"}, {"t": "war sea"}]
    reached = setup.optimizer.reached_records(rows)
    assert [row["t"] for row, _ in reached] == ["war sea", "war", "sea"]


def test_a_scorer_that_is_missing_or_fails_is_an_error_of_ours(loader: Any) -> None:
    class NoScorer:
        def search(self, query_text: str, data: list[Any], config: Any) -> list[Any]:
            return data

    class Failing(WordEngine):
        def calculate_relevance_score(self, item: Any, query_text: str) -> float:  # type: ignore[override]
            raise ZeroDivisionError

        def search(self, query_text: str, data: list[Any], config: Any) -> list[dict[str, Any]]:
            return [{"entity": row, "score": 1.0} for row in data]

    for engine, said in ((NoScorer(), "has no method"), (Failing(), "ZeroDivisionError")):
        setup = Setup(loader, engine, max_rewarmed=0)
        setup.ask("war")
        with pytest.raises(SearchError, match=said):
            setup.optimizer.reached_records([{"t": "war"}])
        loader.databases["db"].append({"id": 0, "t": "x"})
        assert setup.optimizer.invalidate_records("db", []).reached == 1


def test_a_foreign_cache_that_fails_is_bypassed_counted_and_logged(
    loader: Any, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = Foreign()
    setup = Setup(loader, cache=foreign, max_rewarmed=0)
    setup.ask("war", "sea")
    foreign.fails = True
    with caplog.at_level(logging.WARNING):
        assert setup.ask("war") == [False]
        loader.databases["db"].append({"id": 80, "t": "war"})
        report = setup.optimizer.invalidate_records("db", [])
    assert (report.kept, report.considered) == (0, 0)
    assert setup.optimizer.statistics()["cache_failures"] >= 2
    assert "cache Foreign.get_cached_result failed; it was bypassed" in caplog.text
    assert setup.engine.statistics().observer_failures == 0
    foreign.fails = False
    assert setup.engine.execute(search("war")).data[-1]["id"] == 80


@pytest.mark.parametrize("rubbish", ["rubbish", 7, [1]])
def test_rubbish_in_a_foreign_cache_is_no_answer(loader: Any, rubbish: object) -> None:
    foreign = Foreign()
    setup = Setup(loader, cache=foreign, max_rewarmed=0)
    setup.ask("sea")
    foreign.kept = dict.fromkeys(foreign.kept, rubbish)
    loader.databases["db"].append({"id": 80, "t": "war"})
    assert setup.optimizer.invalidate_records("db", []).considered == 0
    assert setup.optimizer.statistics()["cache_failures"] == 1
    assert setup.ask("sea", "sea") == [False, True]


def test_a_cache_that_fails_to_drop_a_database_is_an_error_of_ours(loader: Any) -> None:
    class Stuck(Foreign):
        def invalidate_by_tags(self, tags: Any) -> int:
            raise OSError("stuck")

    with pytest.raises(CacheError, match=r"Stuck failed to drop the answers of 'db': OSError"):
        SearchAwareCacheOptimizer(Stuck(), WordEngine()).invalidate_records("db", [])


def test_searches_that_warm_are_not_learnt_from(loader: Any) -> None:
    from blackcore.minimal.query_engine.query_log import in_background

    setup = Setup(loader)
    with in_background():
        setup.ask("war")
    assert setup.optimizer.trending() == []


def test_nothing_is_learnt_after_the_end(loader: Any) -> None:
    setup = Setup(loader)
    setup.optimizer.detach()
    setup.ask("war")
    assert setup.optimizer.trending() == []


def test_what_is_known_of_searches_is_bounded(loader: Any) -> None:
    setup = Setup(loader, max_searches=3, max_terms=4)
    setup.ask(*WORDS)
    assert 0 < len(setup.optimizer.trending(100)) <= 4
    loader.databases["db"].append({"id": 0, "t": "x"})
    assert setup.optimizer.invalidate_records("db", []).considered == 3


def test_bad_arguments_are_refused_with_errors_of_ours(loader: Any) -> None:
    with pytest.raises(CacheError, match="dict is not a cache"):
        SearchAwareCacheOptimizer({}, WordEngine())  # type: ignore[arg-type]
    with pytest.raises(SearchError, match="no method search"):
        SearchAwareCacheOptimizer(MemoryCache(), object())
    with pytest.raises(SettingsError, match="must not be above"):
        SearchAwareSettings(min_factor=2.0, max_factor=1.0)
    with pytest.raises(SettingsError, match="term_share is -1"):
        SearchAwareSettings(term_share=-1)
