"""What an update of records leaves of the cached searches."""

from __future__ import annotations

import json
import logging
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from blackcore.minimal.query_engine import (
    FullTextSearch,
    JSONDataLoader,
    MemoryCache,
    QueryEngine,
    QueryFilter,
    QuerySearch,
    SortField,
    StructuredQuery,
    UnknownDatabaseError,
)
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


def test_a_database_that_is_gone_is_an_error_and_its_answers_are_dropped(loader: Any) -> None:
    setup = Setup(loader)
    setup.ask("war")
    del loader.databases["db"]
    with pytest.raises(UnknownDatabaseError):
        setup.optimizer.invalidate_records("db", [])
    assert len(setup.cache) == 0


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
