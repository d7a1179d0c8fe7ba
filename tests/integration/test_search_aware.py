from __future__ import annotations

import json
import logging
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from blackcore.minimal.query_engine import (
    CacheError,
    FullTextSearch,
    JSONDataLoader,
    MemoryCache,
    QueryEngine,
    QueryFilter,
    QuerySearch,
    SearchError,
    SettingsError,
    SortField,
    StructuredQuery,
    UnknownDatabaseError,
)
from blackcore.minimal.query_engine.integration import SearchAwareCacheOptimizer
from blackcore.minimal.query_engine.settings import SearchAwareSettings
from tests.integration.search_engines import OldWordEngine, RankedEngine, WordEngine
from tests.integration.searching import WORDS, Foreign, Setup, rows_of, search


@pytest.fixture
def loader(make_loader: Any) -> Any:
    return make_loader(db=rows_of())


@pytest.mark.parametrize("engine", [WordEngine, OldWordEngine])
def test_only_searches_that_find_a_changed_record_are_dropped(loader: Any, engine: Any) -> None:
    setup = Setup(loader, engine(), max_rewarmed=0)
    setup.ask(*WORDS)
    changed = loader.databases["db"][5]
    changed["t"] = "war house"
    old_words = set(rows_of()[5]["t"].split())
    report = setup.optimizer.invalidate_records("db", [changed])
    affected = {"war", "house"} | old_words
    assert (report.changed_rows, report.considered) == (1, len(WORDS))
    assert (report.reached, report.kept) == (len(affected), len(WORDS) - len(affected))
    assert setup.ask(*WORDS) == [word not in affected for word in WORDS]


def test_a_kept_answer_has_the_new_rows_at_their_new_places(loader: Any) -> None:
    setup = Setup(loader)
    setup.ask("sea")
    new = {"id": -1, "t": "nothing"}
    loader.databases["db"].insert(0, new)
    assert setup.optimizer.invalidate_records("db", [new]).kept == 1
    result = setup.engine.execute(search("sea"))
    assert result.from_cache
    assert result.data == [row for row in loader.databases["db"] if "sea" in row["t"]]


def test_bm25_answers_are_put_in_the_order_of_the_new_scores(loader: Any) -> None:
    setup = Setup(loader, FullTextSearch(), max_rewarmed=0)
    setup.ask(*WORDS)
    loader.databases["db"][0]["t"] = "war war war"
    report = setup.optimizer.invalidate_records("db", loader.databases["db"][:1])
    assert report.reranked >= len(WORDS) - 3
    kept = setup.engine.execute(search("sea"))
    cold = QueryEngine(loader, FullTextSearch(), cache=False).execute(search("sea"))
    assert kept.data == cold.data


def test_an_order_that_turns_round_with_the_average_length_is_turned_round(
    make_loader: Any,
) -> None:
    rows = [{"t": "war war x"}, {"t": "war"}, *({"t": "z"} for _ in range(6))]
    setup = Setup(make_loader(db=rows), FullTextSearch())
    setup.engine.execute(search("war"))
    first = setup.engine.execute(search("war")).ids.tolist()
    setup.loader.databases["db"][-1] = {"t": "y " * 20}
    assert setup.optimizer.invalidate_records("db", []).reranked == 1
    result = setup.engine.execute(search("war"))
    assert result.from_cache
    assert result.ids.tolist() == first[::-1]


def test_of_an_engine_that_says_nothing_of_its_scores_nothing_is_kept(loader: Any) -> None:
    setup = Setup(loader, RankedEngine(), max_rewarmed=0)
    setup.ask(*WORDS)
    loader.databases["db"][0]["t"] = "war"
    report = setup.optimizer.invalidate_records("db", [])
    assert report.kept == report.reranked == 0
    assert report.unproven > 0
    assert not any(setup.ask(*WORDS))


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        ({}, "reranked"),
        ({"sort_fields": [SortField("id")]}, "kept"),
        ({"distinct": True}, "unproven"),
        ({"search": QuerySearch("sea", {"t": 2.0})}, "unproven"),
        ({"search": QuerySearch("sea", None, 0.001)}, "unproven"),
        ({"filters": [QueryFilter("id", "eq", 0)]}, "kept"),
    ],
)
def test_where_scores_depend_on_all_records_only_what_they_cannot_change_is_kept(
    loader: Any, more: dict[str, Any], verdict: str
) -> None:
    loader.databases["db"][0]["t"] = "sea wave"
    setup = Setup(loader, FullTextSearch(), max_rewarmed=0)
    query = StructuredQuery("db", **{"search": "sea", **more})
    setup.engine.execute(query)
    loader.databases["db"].append({"id": 80, "t": "quiet"})
    report = setup.optimizer.invalidate_records("db", [])
    assert report.considered == getattr(report, verdict) == 1
    cold = QueryEngine(loader, FullTextSearch(), cache=False)
    assert setup.engine.execute(query).data == cold.execute(query).data


def test_where_the_engine_fails_on_the_changed_records_the_answer_is_dropped(
    loader: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Picky(WordEngine):
        def search(self, query_text: str, data: list[Any], config: Any) -> list[dict[str, Any]]:
            if len(data) < 10:
                raise ArithmeticError("too few")
            return super().search(query_text, data, config)

    setup = Setup(loader, Picky(), max_rewarmed=0)
    setup.ask("sea")
    loader.databases["db"].append({"id": 80, "t": "quiet"})
    with caplog.at_level(logging.WARNING):
        assert setup.optimizer.invalidate_records("db", []).reached == 1
    assert "cannot say what 'sea' reaches" in caplog.text
    assert setup.ask("sea") == [False]


def test_an_answer_whose_time_ends_with_the_update_is_dropped(loader: Any, clock: Any) -> None:
    setup = Setup(loader, clock=clock, cache=Foreign(), ttl_seconds=100.0, max_rewarmed=0)
    setup.ask("sea")
    clock.pass_by(101)
    loader.databases["db"].append({"id": 80, "t": "quiet"})
    assert setup.optimizer.invalidate_records("db", []).unproven == 1


def test_the_most_wanted_of_the_dropped_are_answered_anew(loader: Any) -> None:
    setup = Setup(loader, max_rewarmed=1)
    setup.ask("war", "war", "peace", "war", "peace", "sea")
    for row in loader.databases["db"]:
        row["t"] += " x"
    asked = setup.engine.statistics().queries
    report = setup.optimizer.invalidate_records("db", [])
    assert (report.reached, report.rewarmed) == (3, 1)
    assert setup.engine.statistics().queries == asked + 1
    assert setup.ask("war", "peace") == [True, False]
    # what was re-warmed is known under its new version
    loader.databases["db"].append({"id": 99, "t": "x"})
    assert setup.optimizer.invalidate_records("db", []).kept >= 1


def test_no_time_to_rewarm_rewarms_nothing(loader: Any) -> None:
    setup = Setup(loader, rewarm_seconds=0)
    setup.ask("war")
    for row in loader.databases["db"]:
        row["t"] += " x"
    assert setup.optimizer.invalidate_records("db", []).rewarmed == 0


def test_a_search_that_fails_to_be_rewarmed_is_logged_and_passed_over(
    loader: Any, caplog: pytest.LogCaptureFixture
) -> None:
    setup = Setup(loader)
    setup.engine.execute(search("war", filters=[QueryFilter("id", "gt", 1)]))
    loader.databases["db"] = [{"t": row["t"]} for row in loader.databases["db"]]
    with caplog.at_level(logging.WARNING):
        assert setup.optimizer.invalidate_records("db", []).rewarmed == 0
    assert "re-warming" in caplog.text


def test_records_changed_in_place_are_noticed_when_they_are_given() -> None:
    class SameDicts:
        def __init__(self) -> None:
            self.rows = rows_of()

        def load_database(self, name: str) -> list[dict[str, Any]]:
            return self.rows

        def get_available_databases(self) -> list[str]:
            return ["db"]

        def refresh_cache(self, name: str | None = None) -> None: ...

    loader = SameDicts()
    setup = Setup(loader, FullTextSearch())
    setup.ask("war", "sea")
    row = next(each for each in loader.rows if "sea" in each["t"] and "war" not in each["t"])
    row["t"] = "quiet"
    report = setup.optimizer.invalidate_records("db", [row])
    assert report.reached == 1
    assert row not in setup.engine.execute(search("sea")).data
    assert setup.engine.execute(search("quiet")).data == [row]


def test_a_version_that_shows_up_by_itself_waits_for_word_of_what_changed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "db.json"
    rows = rows_of()
    path.write_text(json.dumps(rows))
    setup = Setup(JSONDataLoader(tmp_path))
    setup.ask("war", "sea", "peace")
    row = next(each for each in rows if "sea" not in each["t"] and "peace" not in each["t"])
    row["t"] = "quiet and much longer than before"
    path.write_text(json.dumps(rows))
    assert setup.ask("war") == [False]
    report = setup.optimizer.invalidate_records("db", [row])
    assert report.kept >= 2
    assert setup.ask("sea", "peace") == [True, True]


def test_the_old_rows_are_let_go_when_nobody_says_what_changed(loader: Any, clock: Any) -> None:
    setup = Setup(loader, clock=clock, old_version_seconds=60)
    setup.ask("war", "sea")
    setup.engine.refresh("db")
    setup.ask("war")
    clock.pass_by(61)
    setup.ask("war")
    report = setup.optimizer.invalidate_records("db", [])
    assert report.considered == 1


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


def test_a_database_that_is_gone_is_an_error_and_its_answers_are_dropped(loader: Any) -> None:
    setup = Setup(loader)
    setup.ask("war")
    del loader.databases["db"]
    with pytest.raises(UnknownDatabaseError):
        setup.optimizer.invalidate_records("db", [])
    assert len(setup.cache) == 0


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


def test_a_foreign_cache_that_cannot_keep_what_is_carried_over_has_it_dropped(
    loader: Any,
) -> None:
    class Full(Foreign):
        def cache_result(self, query_hash: str, result: object, *more: Any, **named: Any) -> object:
            if self.fails:
                raise OSError("full")
            return super().cache_result(query_hash, result, *more, **named)

        def get_cached_result(self, query_hash: str, max_age: float | None = None) -> object:
            return self.kept.get(query_hash)

    full = Full()
    setup = Setup(loader, cache=full, max_rewarmed=0)
    setup.ask("sea")
    full.fails = True
    loader.databases["db"].append({"id": 80, "t": "war"})
    report = setup.optimizer.invalidate_records("db", [])
    assert (report.kept, report.unproven) == (0, 1)


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


@pytest.mark.parametrize(
    ("engine", "updates"),
    [
        (WordEngine, 4),
        (FullTextSearch, 4),
        pytest.param(FullTextSearch, 60, marks=pytest.mark.deep),
    ],
)
def test_what_is_asked_while_records_change_is_of_one_version_and_ends_with_the_last(
    loader: Any, engine: Any, updates: int
) -> None:
    setup = Setup(loader, engine(), cache=MemoryCache(max_entries=5), max_rewarmed=2)
    versions = [[dict(row) for row in loader.databases["db"]]]
    draw = random.Random(4)  # noqa: S311 - a replay
    for _ in range(updates):
        rows = [dict(row) for row in versions[-1]]
        rows[draw.randrange(len(rows))]["t"] = " ".join(draw.sample(WORDS, 3))
        versions.append(rows)

    def found(text: str, rows: list[dict[str, Any]]) -> list[int]:
        return [row["id"] for row in rows if text in row["t"].split()]

    possible = {text: [found(text, rows) for rows in versions] for text in WORDS}
    wrong: list[str] = []
    is_over = threading.Event()

    def ask(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - a replay
        while not is_over.is_set():
            text = chance.choice(WORDS)
            answered = setup.engine.execute(search(text, sort_fields=[SortField("id")]))
            if [row["id"] for row in answered.data] not in possible[text]:
                wrong.append(text)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    try:
        for rows in versions[1:]:
            loader.databases["db"] = rows
            setup.optimizer.invalidate_records("db", [])
            for text in WORDS[:3]:
                answered = setup.engine.execute(search(text, sort_fields=[SortField("id")]))
                assert [row["id"] for row in answered.data] == found(text, rows)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert setup.engine.statistics().observer_failures == 0
