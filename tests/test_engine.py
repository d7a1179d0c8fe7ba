"""Whole questions through the engine: over files and foreign parts, cold, warm and repeated."""

from __future__ import annotations

import csv
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from blackcore.minimal.query_engine import (
    CacheError,
    CacheStatistics,
    CostBasedOptimizer,
    DatabaseFormatError,
    DataDirectoryError,
    EngineSettings,
    ExecutionSettings,
    ExportError,
    ExportPathError,
    LoaderContractError,
    MemoryCache,
    OptimizerError,
    PatternTimeoutError,
    QueryEngine,
    QueryEngineError,
    QueryError,
    QueryFilter,
    QueryPagination,
    QuerySearch,
    SearchError,
    SettingsError,
    SortField,
    StructuredQuery,
    UnknownDatabaseError,
    UnknownFieldError,
    field,
)
from blackcore.minimal.query_engine.data import AnsweredQuery
from blackcore.minimal.query_engine.query import evaluate, projected
from tests.strategies import cases, questions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

LONG_AGO_NS = 1_500_000_000_000_000_000

FILMS: list[dict[str, Any]] = [
    {"title": "Metropolis", "year": 1927, "genres": ["SF"], "note": "robots and a city"},
    {"title": "Casablanca", "year": 1942, "genres": ["Drama", "War"], "note": "a bar in the war"},
    {"title": "Vertigo", "year": 1958, "genres": ["Mystery"], "note": None},
    {"title": "Alien", "year": 1979, "genres": ["SF", "Horror"], "note": "robots in space, robots"},
    {"title": "Stalker", "year": 1979, "genres": ["SF"]},
]


class Shelf:
    """A loader that somebody else wrote."""

    def __init__(self, **databases: Any) -> None:
        self.databases = databases
        self.loads: list[str] = []

    def load_database(self, name: str) -> Any:
        self.loads.append(name)
        found = self.databases.get(name, [])
        if isinstance(found, Exception):
            raise found
        return found

    def get_available_databases(self) -> list[str]:
        return list(self.databases)

    def refresh_cache(self, name: str | None = None) -> None:
        return None


def over(rows: list[dict[str, Any]] | None = None, **parts: Any) -> QueryEngine:
    return QueryEngine(Shelf(films=FILMS if rows is None else rows), **parts)


def titles(result: Iterable[dict[str, Any]]) -> list[Any]:
    return [row["title"] for row in result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir()
    put(directory / "films.json", FILMS)
    return directory


def put(path: Path, content: Any, at_ns: int = LONG_AGO_NS) -> None:
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    os.utime(path, ns=(at_ns, at_ns))  # old enough that no loader waits for the clock to tick


# The main job


def test_a_directory_is_opened_and_asked(folder: Path) -> None:
    engine = QueryEngine.open(folder)
    asked = (
        engine.query("films")
        .where(field("year") > 1930, field("genres").contains("SF") | (field("note").is_null()))
        .sort("-year", "title")
        .page(1, size=2)
    )
    result = asked.run()
    assert titles(result) == ["Alien", "Stalker"]
    assert (result.total_count, result.page, result.page_size) == (3, 1, 2)
    assert len(result) == 2
    assert not result.from_cache
    assert result.execution_time_ms > 0
    assert {"load", "cache", "plan", "filter", "sort"} <= set(result.stages)
    assert sum(result.stages.values()) <= result.execution_time_ms
    again = engine.execute(asked)
    assert again.from_cache
    assert again.data == result.data
    assert titles(engine.execute(asked.structured)) == ["Alien", "Stalker"]
    assert "films: 5" in repr(engine)


def test_a_path_may_be_text(folder: Path) -> None:
    assert len(QueryEngine.open(str(folder)).query("films").run()) == 5


def test_records_are_the_loaders_own() -> None:
    result = over().query("films").where(field("year") == 1942).run()
    assert result.data[0] is FILMS[1]
    result.data.append({})
    assert len(FILMS) == 5


def test_all_rows_are_one_page_without_a_size() -> None:
    result = over().query("films").run()
    assert (result.page, result.page_size, result.total_count) == (1, None, 5)
    assert result.data == FILMS


async def test_answers_can_be_awaited() -> None:
    engine = over()
    result = await engine.execute_async(engine.query("films").where(field("year") == 1979))
    assert titles(result) == ["Alien", "Stalker"]
    with pytest.raises(UnknownFieldError):
        await engine.execute_async(engine.query("films").sort("yaer"))


class Witness:
    """Notes the threads on which answers become ready."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def answered(self, event: AnsweredQuery) -> None:
        self.threads.append(threading.get_ident())


async def test_awaited_answers_that_are_kept_need_no_thread() -> None:
    engine, witness = over(), Witness()
    engine.add_observer(witness)
    asked = engine.query("films").where(field("year") == 1979)
    results = [await engine.execute_async(asked.page(number, size=1)) for number in (1, 2, 1)]
    assert [each.from_cache for each in results] == [False, True, True]
    assert [titles(each) for each in results] == [["Alien"], ["Stalker"], ["Alien"]]
    here = threading.get_ident()
    assert [each == here for each in witness.threads] == [False, True, True]
    told = engine.statistics()
    assert (told.queries, told.answered_from_cache) == (3, 2)
    assert told.cache is not None
    assert (told.cache.cache_hits, told.cache.cache_misses) == (2, 1)


async def test_nothing_is_waited_for_on_the_event_loop() -> None:
    here = threading.get_ident()

    class Slow(ForeignCache):
        def get_cached_result(self, query_hash: str, max_age: float | None = None) -> Any:
            assert threading.get_ident() != here
            return super().get_cached_result(query_hash, max_age)

    for cache in (Slow(), None, False):
        shelf, witness = Shelf(films=FILMS), Witness()
        engine = QueryEngine(shelf, cache=cache)
        engine.add_observer(witness)
        asked = engine.query("films").where(field("year") == 1979)
        for _ in range(2):
            assert titles(await engine.execute_async(asked)) == ["Alien", "Stalker"]
        shelf.databases["films"] = FILMS[:4]
        engine.refresh()  # to be loaded
        assert titles(await engine.execute_async(asked)) == ["Alien"]
        with pytest.raises(UnknownFieldError):  # to be looked for
            await engine.execute_async(asked.select("yaer"))
        assert titles(await engine.execute_async(asked.select("title"))) == ["Alien"]
        assert engine.statistics().cache_failures == 0
        on_loop = [each == here for each in witness.threads]
        assert on_loop[0] is on_loop[2] is False
        assert on_loop[1] is (cache is None)


async def test_a_file_that_changed_is_noticed_by_who_awaits(folder: Path) -> None:
    engine = QueryEngine.open(folder)
    asked = engine.query("films").where(field("year") == 1979)
    assert [(await engine.execute_async(asked)).total_count for _ in range(2)] == [2, 2]
    put(folder / "films.json", FILMS[:4])
    assert (await engine.execute_async(asked)).total_count == 1


# From cache


def test_every_page_is_the_same_kept_answer() -> None:
    engine = over()
    asked = engine.query("films").sort("-year")
    pages = [asked.page(number, size=2).run() for number in (1, 2, 3)]
    assert [page.from_cache for page in pages] == [False, True, True]
    assert [titles(page) for page in pages] == [
        ["Alien", "Stalker"],
        ["Vertigo", "Casablanca"],
        ["Metropolis"],
    ]
    assert asked.run().from_cache
    assert asked.page(1, size=5).run().from_cache


@pytest.mark.parametrize("number", [4, 10**30])
def test_past_the_end_is_an_empty_page_with_the_right_count(number: int) -> None:
    engine = over()
    for from_cache in (False, True):
        result = engine.query("films").sort("year").page(number, size=2).run()
        assert (result.data, result.total_count, result.page) == ([], 5, number)
        assert result.from_cache is from_cache


def test_a_page_beyond_what_a_limit_kept_is_computed_once_and_then_kept() -> None:
    settings_ = EngineSettings(execution=ExecutionSettings(answer_prefix_rows=3))
    rows = [{"n": n} for n in range(20)]
    engine = over(rows, settings=settings_)
    asked = engine.query("films").sort("-n")
    expected = list(range(19, -1, -1))
    for number, from_cache in ((1, False), (2, False), (3, True), (5, True), (1, True)):
        page = asked.page(number, size=4).run()
        assert [row["n"] for row in page] == expected[(number - 1) * 4 : number * 4]
        assert (page.total_count, page.from_cache) == (20, from_cache)
    assert [row["n"] for row in asked.run()] == expected


def test_projections_share_an_answer_and_distinct_ones_do_not() -> None:
    engine = over()
    asked = engine.query("films").where(field("year") == 1979)
    assert asked.run().data == FILMS[3:]
    selected = asked.select("year", "note").run()
    assert selected.from_cache
    assert selected.data == [{"year": 1979, "note": FILMS[3]["note"]}, {"year": 1979, "note": None}]
    for from_cache in (False, True):
        once = asked.select("year").distinct().run()
        assert once.data == [{"year": 1979}]
        assert (once.total_count, once.from_cache) == (1, from_cache)
    assert len(asked.distinct().run()) == 2
    assert len(asked.select("title").distinct().run()) == 2
    assert len(asked.select("year").run()) == 2


def test_a_changed_list_or_row_of_a_projection_does_not_reach_later_answers() -> None:
    engine = over()
    asked = engine.query("films").select("title")
    first = asked.run()
    first.data[0]["title"] = "spoilt"
    first.data.clear()
    assert titles(asked.run()) == titles(FILMS)


def test_equal_questions_are_one() -> None:
    engine = over()
    engine.query("films").where(field("year") > 1930, field("title") != "Alien").run()
    turned = engine.query("films").where((field("title") != "Alien") & (field("year") > 1930.0))
    assert turned.run().from_cache


def test_without_a_cache_every_answer_is_computed() -> None:
    engine = over(cache=False)
    for _ in range(2):
        assert not engine.query("films").run().from_cache
    assert engine.statistics().cache is None


# Files that change


def test_a_file_that_changed_is_never_answered_from_before(folder: Path) -> None:
    engine = QueryEngine.open(folder)
    asked = engine.query("films").where(field("year") > 1950).sort("year")
    assert titles(asked.run()) == ["Vertigo", "Alien", "Stalker"]
    assert asked.run().from_cache
    put(folder / "films.json", [{"title": "Solaris", "year": 1972}], LONG_AGO_NS + 10**9)
    changed = asked.run()
    assert titles(changed) == ["Solaris"]
    assert not changed.from_cache
    with pytest.raises(UnknownFieldError):
        engine.query("films").sort("genres").run()
    put(folder / "films.json", FILMS, LONG_AGO_NS)  # as it was before, to the nanosecond
    assert titles(asked.run()) == ["Vertigo", "Alien", "Stalker"]


def test_a_result_in_hand_keeps_its_rows_when_the_file_changes(folder: Path) -> None:
    engine = QueryEngine.open(folder)
    result = engine.query("films").sort("year").run()
    put(folder / "films.json", [], LONG_AGO_NS + 10**9)
    assert len(engine.query("films").run()) == 0
    assert titles(result)[0] == "Metropolis"
    assert [len(chunk) for chunk in result.chunks(2)] == [2, 2, 1]


def test_a_loader_without_versions_is_asked_again_after_a_refresh() -> None:
    shelf = Shelf(films=FILMS, other=[])
    engine = QueryEngine(shelf)
    assert len(engine.query("films").run()) == 5
    shelf.databases["films"] = FILMS[:2]
    assert len(engine.query("films").run()) == 5
    engine.refresh("other")
    assert len(engine.query("films").run()) == 5
    engine.refresh("films")
    result = engine.query("films").run()
    assert (len(result), result.from_cache) == (2, False)
    shelf.databases["films"] = FILMS[:1]
    engine.refresh()
    assert len(engine.query("films").run()) == 1
    assert shelf.loads == ["films", "films", "films"]


def test_a_refresh_frees_the_answers_of_what_it_forgets() -> None:
    cache = MemoryCache()
    engine = over(cache=cache)
    engine.query("films").run()
    engine.query("films").where(field("year") > 1950).run()
    assert len(cache) == 2
    engine.refresh("films")
    assert len(cache) == 0


def test_engines_that_share_a_cache_never_mix_their_answers() -> None:
    cache = MemoryCache()
    one = QueryEngine(Shelf(films=FILMS), cache=cache)
    other = QueryEngine(Shelf(films=FILMS[:1]), cache=cache)
    for _ in range(2):
        assert len(one.query("films").run()) == 5
        assert len(other.query("films").run()) == 1
    assert one.query("films").run().from_cache


def test_databases_of_one_loader_are_told_apart() -> None:
    engine = QueryEngine(Shelf(films=FILMS, few=FILMS[:1]))
    assert len(engine.query("films").run()) == 5
    assert len(engine.query("few").run()) == 1


# Threads


def test_a_database_is_loaded_and_a_question_computed_once_however_many_threads_ask() -> None:
    plans: list[StructuredQuery] = []

    class Counting(CostBasedOptimizer):
        def optimize_query(self, query: Any, statistics: Any) -> Any:
            plans.append(query)
            return super().optimize_query(query, statistics)

    shelf = Shelf(films=FILMS)
    engine = QueryEngine(shelf, optimizer=Counting())
    start = threading.Barrier(8)

    def ask(_: int) -> list[Any]:
        start.wait(timeout=10)
        return titles(engine.query("films").where(field("year") > 1950).sort("year").run())

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert answers == [["Vertigo", "Alien", "Stalker"]] * 8
    assert shelf.loads == ["films"]
    assert len(plans) == 1
    statistics = engine.statistics()
    assert (statistics.queries, statistics.answered_from_cache) == (8, 7)


# Search


@dataclass
class Found:
    entity: dict[str, Any]
    score: float


class Modern:
    """A search engine of the newer form: counts words."""

    def __init__(self, results: Callable[[list[dict[str, Any]]], Any] | None = None) -> None:
        self.results = results
        self.configs: list[Any] = []

    def search(self, query_text: str, data: list[dict[str, Any]], config: Any) -> Any:
        self.configs.append(config)
        if self.results is not None:
            return self.results(data)
        scored = [Found(row, float(str(row.get("note")).count(query_text))) for row in data]
        return [found for found in scored if found.score > 0]


class Old:
    """A search engine of the older form."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def search(self, query_text: str, data: list[dict[str, Any]], database_name: str) -> Any:
        self.names.append(database_name)
        return [row for row in data if query_text in str(row.get("note"))]

    def calculate_relevance_score(self, item: dict[str, Any], query_text: str) -> float:
        return float(str(item.get("note")).count(query_text))


@pytest.mark.parametrize("make", [Modern, Old])
def test_foreign_search_engines_of_both_forms_are_asked(make: Callable[[], Any]) -> None:
    search = make()
    engine = over(search=search)
    asked = engine.query("films").search("robots")
    assert titles(asked.run()) == ["Alien", "Metropolis"]  # by score
    assert asked.run().from_cache
    assert titles(asked.where(field("year") < 1950).run()) == ["Metropolis"]
    assert titles(asked.sort("year").run()) == ["Metropolis", "Alien"]
    assert titles(asked.page(2, size=1).run()) == ["Metropolis"]
    assert titles(engine.query("films").search("robots", min_score=1.0).run()) == ["Alien"]
    if isinstance(search, Old):
        assert set(search.names) == {"films"}
    else:
        assert search.configs[0].max_results >= len(FILMS)


def test_where_no_row_can_match_no_search_engine_is_asked() -> None:
    search = Modern()
    asked = over(search=search).query("films").where(field("year") > 5, field("year") < 1)
    found = asked.search("robots").run()
    assert (titles(found), found.total_count) == ([], 0)
    assert "nothing can match" in str(asked.search("robots").explain(analyze=True))
    assert search.configs == []
    with pytest.raises(SearchError, match="search=False"):
        over(search=False).query("films").where(field("year").is_in([])).search("robots").run()


def test_the_embedded_search_finds_words_and_filters_come_after() -> None:
    engine = over()
    asked = engine.query("films").search("robots")
    found = asked.run()
    assert set(titles(found)) == {"Alien", "Metropolis"}
    assert "search" in found.stages
    assert titles(asked.where(field("title") != "Alien").run()) == ["Metropolis"]
    assert titles(engine.query("films").search("zeppelin").run()) == []
    again = asked.run()
    assert again.from_cache
    assert titles(again) == titles(found)


def test_a_search_with_weights_asks_for_fields_that_there_are() -> None:
    engine = over()
    weighted = engine.query("films").search("robots", weights={"note": 2.0})
    assert set(titles(weighted.run())) == {"Alien", "Metropolis"}
    with pytest.raises(UnknownFieldError, match="did you mean 'note'"):
        engine.query("films").search("robots", weights={"notes": 2.0}).run()


@pytest.mark.parametrize(
    ("results", "words"),
    [
        (lambda _: 1 // 0, "ZeroDivisionError"),
        (lambda _: None, "a list of results is expected"),
        (lambda _: [Found({"title": "none of ours"}, 1.0)], "which is no record of it"),
        (lambda data: [Found(data[0], "high")], "a number is expected"),  # type: ignore[arg-type]  # what is tested
    ],
)
def test_a_search_engine_that_fails_is_an_error_that_names_it(
    results: Callable[[list[dict[str, Any]]], Any], words: str
) -> None:
    engine = over(search=Modern(results))
    with pytest.raises(SearchError) as caught:
        engine.query("films").search("robots").run()
    assert words in str(caught.value)
    assert "Modern" in str(caught.value)
    assert isinstance(caught.value, RuntimeError)
    assert len(engine.query("films").run()) == 5


def test_without_search_texts_cannot_be_searched_and_all_else_can() -> None:
    engine = over(search=False)
    assert len(engine.query("films").run()) == 5
    with pytest.raises(SearchError, match="search=False"):
        engine.query("films").search("robots").run()
    assert "matches by score" in str(engine.query("films").search("robots").explain())
    with pytest.raises(SearchError):
        engine.query("films").search("robots").explain(analyze=True)


def test_what_cannot_search_is_refused_when_it_is_wired() -> None:
    with pytest.raises(SearchError, match=r"search\(query_text, data, config\)"):
        over(search=object())


# Foreign caches and optimizers


class ForeignCache:
    """A cache that does as it is told."""

    def __init__(self, given: Any = None) -> None:
        self.given = given
        self.kept: dict[str, Any] = {}

    def get_cached_result(self, query_hash: str, max_age: float | None = None) -> Any:
        if isinstance(self.given, Exception):
            raise self.given
        return self.kept.get(query_hash) if self.given is None else self.given

    def cache_result(
        self, query_hash: str, result: Any, ttl: float | None = None, tags: Iterable[str] = ()
    ) -> None:
        if isinstance(self.given, Exception):
            raise self.given
        self.kept[query_hash] = result

    def get_statistics(self) -> CacheStatistics:
        if isinstance(self.given, Exception):
            raise self.given
        return CacheStatistics(entries=len(self.kept))


def test_a_foreign_cache_keeps_answers() -> None:
    cache = ForeignCache()
    engine = over(cache=cache)
    asked = engine.query("films").where(field("year") == 1979)
    assert [asked.run().from_cache for _ in range(3)] == [False, True, True]
    assert len(cache.kept) == 1
    assert engine.answer_key(asked) in cache.kept
    statistics = engine.statistics()
    assert statistics.cache == CacheStatistics(entries=1)
    assert statistics.cache_failures == 0


@pytest.mark.parametrize("given", [OSError("gone"), "rubbish", 5, [1, 2], {"ids": [0]}])
def test_a_cache_that_fails_never_changes_an_answer(given: Any) -> None:
    engine = over(cache=ForeignCache(given))
    for _ in range(2):
        result = engine.query("films").where(field("year") == 1979).run()
        assert titles(result) == ["Alien", "Stalker"]
        assert not result.from_cache
    statistics = engine.statistics()
    assert statistics.cache_failures > 0
    assert str(statistics)


def test_what_are_no_settings_is_refused() -> None:
    settings: Any = {"cache": 5}
    with pytest.raises(SettingsError, match=r"settings are dict; give EngineSettings\(...\)"):
        over(settings=settings)


def test_what_is_no_cache_is_refused_when_it_is_wired() -> None:
    with pytest.raises(CacheError, match="is not a cache"):
        over(cache={})


class ForeignOptimizer:
    """An optimizer that does as it is told."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def optimize_query(self, query: Any, statistics: Any) -> Any:
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (ValueError("no idea"), "ValueError: no idea"),
        (None, "AttributeError"),
        ("fast please", "AttributeError"),
        (SimpleNamespace(query=1), "AttributeError"),
    ],
    ids=repr,
)
def test_an_optimizer_that_fails_is_an_error_that_names_it(given: Any, words: str) -> None:
    engine = over(optimizer=ForeignOptimizer(given))
    for ask in (engine.execute, engine.explain):
        with pytest.raises(OptimizerError) as caught:
            ask(engine.query("films"))
        assert "ForeignOptimizer failed on this query" in str(caught.value)
        assert words in str(caught.value)


def test_without_an_optimizer_questions_run_as_written() -> None:
    engine = over(optimizer=False)
    asked = engine.query("films").where(field("note").regex("a"), field("year") > 1930).sort("year")
    assert titles(asked.run()) == ["Casablanca", "Alien"]
    stages = asked.explain().plan.filter_stages
    assert [str(stage.condition) for stage in stages] == ["note regex 'a'", "year > 1930"]


# Explaining


def test_explaining_does_not_run_and_analyzing_does() -> None:
    engine = over()
    asked = engine.query("films").where(field("note").contains("robots"), field("year") > 1930)
    plain = asked.explain()
    assert plain.actuals == ()
    assert not plain.kept
    assert engine.statistics().queries == 0
    analyzed = asked.explain(analyze=True)
    assert [actual.rows for actual in analyzed.actuals][-1] == 1
    assert "actual 1 rows" in str(analyzed)
    assert not asked.run().from_cache  # explaining keeps nothing
    assert asked.explain().kept
    assert "the answer is in the cache" in str(asked.explain())
    assert engine.explain(asked.structured, analyze=True).kept


def test_asking_for_a_plan_counts_as_no_request() -> None:
    engine = over()
    asked = engine.query("films")
    asked.run()
    before = engine.statistics().cache
    asked.explain()
    assert engine.statistics().cache == before


def test_a_question_that_cannot_be_asked_cannot_be_explained() -> None:
    engine = over()
    with pytest.raises(UnknownFieldError):
        engine.query("films").sort("yaer").explain()
    with pytest.raises(UnknownDatabaseError):
        engine.query("flims").explain()


# Exporting


async def test_all_rows_are_exported_or_the_page(tmp_path: Path) -> None:
    engine = over()
    asked = engine.query("films").sort("-year", "title").select("title", "year")
    assert await asked.export(tmp_path / "all.csv") == 5
    with (tmp_path / "all.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["title", "year"],
            ["Alien", "1979"],
            ["Stalker", "1979"],
            ["Vertigo", "1958"],
            ["Casablanca", "1942"],
            ["Metropolis", "1927"],
        ]
    assert await asked.page(2, size=2).export(tmp_path / "page.json") == 2
    written = json.loads((tmp_path / "page.json").read_text())
    assert [row["title"] for row in written] == ["Vertigo", "Casablanca"]
    assert await engine.export(asked.page(9), tmp_path / "none.json") == 0
    assert json.loads((tmp_path / "none.json").read_text()) == []


def test_the_thin_twin_writes_the_same(tmp_path: Path) -> None:
    engine = over()
    asked = engine.query("films")
    assert engine.export_sync(asked, tmp_path / "films.jsonl") == 5
    lines = (tmp_path / "films.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == FILMS
    assert engine.export_sync(asked.structured, str(tmp_path / "films.json")) == 5
    assert json.loads((tmp_path / "films.json").read_text()) == FILMS


async def test_an_export_that_cannot_be_leaves_what_was_there(tmp_path: Path) -> None:
    engine = over()
    target = tmp_path / "films.csv"
    target.write_text("before")
    with pytest.raises(UnknownFieldError):
        await engine.query("films").sort("yaer").export(target)
    assert target.read_text() == "before"
    missing = tmp_path / "no" / "films.csv"
    for export in (engine.query("films").export, lambda path: engine.export(films(engine), path)):
        with pytest.raises(ExportPathError, match="does not exist; create it first"):
            await export(missing)
    with pytest.raises(ExportPathError):
        engine.export_sync(engine.query("films"), missing)
    with pytest.raises(ExportError, match="suffix"):
        await engine.query("films").export(tmp_path / "films.doc")
    assert names_in(tmp_path) == ["films.csv"]  # nothing half-done beside it


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def films(engine: QueryEngine) -> StructuredQuery:
    return engine.query("films").structured


# Bad input


def test_an_unknown_database_is_refused_with_the_nearest(folder: Path) -> None:
    for engine in (QueryEngine.open(folder), over()):
        with pytest.raises(UnknownDatabaseError, match="'flims'; did you mean 'films'") as caught:
            engine.query("flims").run()
        assert isinstance(caught.value, LookupError)


def test_an_unknown_field_is_refused_with_the_nearest_also_when_rows_are_kept() -> None:
    engine = over()
    engine.query("films").run()
    for asked in (
        engine.query("films").where(field("yaer") > 1),
        engine.query("films").where((field("title") == "x") | (field("yaer") > 1)),
        engine.query("films").sort("yaer"),
        engine.query("films").select("yaer"),
    ):
        with pytest.raises(
            UnknownFieldError, match="'yaer' in database 'films'; did you mean 'yea"
        ):
            asked.run()
    assert engine.statistics().queries == 1


def test_a_database_without_records_answers_every_question_with_nothing() -> None:
    result = over([]).query("films").where(field("any.thing") > 1).sort("-x").select("y").run()
    assert (result.data, result.total_count) == ([], 0)


def test_directories_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataDirectoryError):
        QueryEngine.open(tmp_path / "missing").query("films").run()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataDirectoryError):
        QueryEngine.open(tmp_path / "empty").query("films").run()


@pytest.mark.parametrize(
    "content", [b'[{"a": 1}, {"a"', b'{"a": 1}', b"[1, 2]", b'["a\xff"]', b"5", b""]
)
def test_one_bad_file_is_refused_and_does_not_stop_the_others(folder: Path, content: bytes) -> None:
    put(folder / "bad.json", content)
    engine = QueryEngine.open(folder)
    with pytest.raises(DatabaseFormatError, match=r"bad\.json"):
        engine.query("bad").run()
    assert len(engine.query("films").run()) == 5


def test_json_that_strict_decoders_refuse_is_asked_all_the_same(folder: Path) -> None:
    put(folder / "odd.json", b'[{"a": NaN}, {"a": 1e400}, {"a": "\\ud800"}, {"a": -Infinity}]')
    engine = QueryEngine.open(folder)
    assert len(engine.query("odd").where(field("a").is_null()).run()) == 1
    assert len(engine.query("odd").where(field("a") > 10**300).run()) == 1
    assert engine.query("odd").where(field("a") == "\ud800").run().data == [{"a": "\ud800"}]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (OSError("disk gone"), "OSError: disk gone"),
        (None, "returned None"),
        ("text", "must return a list of dicts"),
        ([{"a": 1}, 5], "item 1 is an object of type int"),
    ],
    ids=repr,
)
def test_a_loader_that_fails_is_an_error_that_names_it(given: Any, words: str) -> None:
    engine = QueryEngine(Shelf(films=FILMS, bad=given))
    with pytest.raises(LoaderContractError) as caught:
        engine.query("bad").run()
    assert words in str(caught.value)
    assert "Shelf.load_database('bad')" in str(caught.value)
    assert len(engine.query("films").run()) == 5


def test_what_is_no_loader_is_refused_when_it_is_wired() -> None:
    with pytest.raises(LoaderContractError, match="is not a loader"):
        QueryEngine(object())  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize("thing", ["films", None, {"database": "films"}, 5])
def test_what_is_no_question_is_refused(thing: Any) -> None:
    engine = over()
    for ask in (engine.execute, engine.explain):
        with pytest.raises(
            QueryError, match=r"a query is expected, not .*; give a StructuredQuery"
        ):
            ask(thing)


def test_page_0_is_refused() -> None:
    with pytest.raises(QueryError, match="page is 0"):
        over().query("films").page(0)


@pytest.mark.parametrize("columns_from_rows", [0, 10**9])
def test_a_pattern_that_runs_out_of_time_is_an_error_with_the_remedy(
    columns_from_rows: int,
) -> None:
    limits = ExecutionSettings(pattern_timeout_seconds=0.05, columns_from_rows=columns_from_rows)
    rows = [{"a": "a" * 60 + "b"}]
    engine = over(rows, settings=EngineSettings(execution=limits))
    slow = engine.query("films").where(field("a").regex(r"(?=a)^(a|aa)+$\1"))
    with pytest.raises(PatternTimeoutError, match="put cheaper filters beside it"):
        slow.run()
    assert len(engine.query("films").run()) == 1


# Observers and statistics


def test_observers_hear_of_every_answer_and_cannot_harm_one() -> None:
    events: list[AnsweredQuery] = []

    class Witness:
        def answered(self, event: AnsweredQuery) -> None:
            events.append(event)
            raise ArithmeticError

    engine = over()
    remove = engine.add_observer(Witness())
    asked = engine.query("films").where(field("year") > 1950).page(1, size=2)
    asked.run()
    asked.run()
    remove()
    asked.run()
    assert [event.from_cache for event in events] == [False, True]
    assert (events[0].rows, events[0].total_rows) == (2, 3)
    assert events[0].query == asked.structured
    assert events[0].version == engine.records("films").version
    assert engine.statistics().observer_failures == 2


def test_statistics_tell_what_was_done_and_is_held() -> None:
    engine = over()
    assert engine.statistics().databases == {}
    engine.query("films").run()
    engine.query("films").run()
    statistics = engine.statistics()
    assert (statistics.queries, statistics.answered_from_cache) == (2, 1)
    assert statistics.databases["films"].rows == 5
    assert statistics.cache is not None
    assert statistics.cache.cache_hits == 1
    assert statistics.cache.entries == 1
    assert "films: 5 rows" in str(statistics)


def test_a_question_that_failed_is_not_counted_as_answered() -> None:
    engine = over()
    with pytest.raises(QueryEngineError):
        engine.query("films").sort("yaer").run()
    assert engine.statistics().queries == 0


# The specification


# a record that has every field, so that no question names an unknown one
EVERY_FIELD: dict[str, Any] = {"a": None, "a.x": None, "b": {"x": None, "y": 1}, "c": {"x": "a"}}


@cases(80, 2_000)
@given(questions())
def test_cold_and_warm_engines_give_the_evaluators_rows(
    question: tuple[list[dict[str, Any]], StructuredQuery],
) -> None:
    rows, query = [*question[0], EVERY_FIELD], question[1]
    ids = evaluate(query, rows)
    page = query.pagination
    wanted = ids if page is None else ids[page.start : page.stop]
    chosen = [rows[i] if query.select is None else projected(rows[i], query.select) for i in wanted]
    limits = ExecutionSettings(columns_from_rows=0, answer_prefix_rows=1)
    engine = QueryEngine(Shelf(db=rows), settings=EngineSettings(execution=limits))
    plain = QueryEngine(Shelf(db=rows), cache=False, optimizer=False)
    answers = [engine.execute(query), engine.execute(query), plain.execute(query)]
    for answer in answers:
        assert repr(answer.data) == repr(chosen)
        assert answer.total_count == len(ids)
    assert answers[1].from_cache


def test_values_given_by_position_reach_the_answer() -> None:
    query = StructuredQuery(
        database="films",
        filters=[QueryFilter("year", "between", [1940, 1960])],
        sort_fields=[SortField("year", "desc")],
        pagination=QueryPagination(1, 1),
        search=QuerySearch("war"),
    )
    assert titles(over().execute(query)) == ["Casablanca"]


def test_an_answer_tells_what_its_stages_left_beside_what_was_expected(tmp_path: Path) -> None:
    rows = [{"a": i % 4, "b": i} for i in range(100)]
    (tmp_path / "d.json").write_text(json.dumps(rows))
    query = QueryEngine.open(tmp_path).query("d").where(field("a") == 1, field("b") > 49).sort("b")
    computed, kept = query.run(), query.run()
    assert [each.kind for each in computed.actuals] == ["filter", "filter", "sort"]
    assert computed.actuals[1].rows == len(computed) == 12
    assert {each.name for each in computed.actuals} == {"a == 1", "b > 49", "sort"}
    assert computed.actuals[0].estimated_rows == pytest.approx(computed.actuals[0].rows, abs=5)
    assert kept.actuals == ()
