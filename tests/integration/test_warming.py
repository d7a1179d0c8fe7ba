from __future__ import annotations

import asyncio
import gc
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from blackcore.minimal.query_engine import (
    CacheError,
    EngineSettings,
    ExecutionSettings,
    LoaderContractError,
    MemoryCache,
    QueryEngine,
    QueryError,
    QueryFilter,
    QueryPagination,
    SettingsError,
    SortField,
    StructuredQuery,
    UnknownDatabaseError,
    UnknownFieldError,
    field,
)
from blackcore.minimal.query_engine.errors import QueryLogError
from blackcore.minimal.query_engine.integration import CacheWarmer, QueryLog, WarmingProgress
from blackcore.minimal.query_engine.settings import QueryLogSettings, WarmingSettings

ROWS = [{"a": number % 10, "b": str(number)} for number in range(1_000)]


def about(value: object, database: str = "db") -> StructuredQuery:
    return StructuredQuery(database, [QueryFilter("a", "eq", value)])


@pytest.fixture
def loader(make_loader: Any) -> Any:
    return make_loader(db=ROWS)


@pytest.fixture
def cache() -> MemoryCache:
    return MemoryCache(max_size_mb=16)


async def test_warmed_questions_are_hits_for_every_engine_over_the_loader(
    loader: Any, cache: MemoryCache
) -> None:
    report = await CacheWarmer(cache, loader).warm([about(1), about(2)])
    assert (report.total, report.warmed, report.stopped_by) == (2, 2, None)
    assert report.added_bytes > 0
    gc.collect()  # the warmer and its engine are gone; what they kept is found all the same
    engine = QueryEngine(loader, cache=cache)
    paged = about(2).model_copy(update={"pagination": QueryPagination(2, 7), "select": ("b",)})
    assert engine.execute(paged).from_cache
    assert engine.execute(about(1)).data == [row for row in ROWS if row["a"] == 1]
    assert not engine.execute(about(3)).from_cache


async def test_the_log_s_hottest_questions_are_warmed_first(
    loader: Any, cache: MemoryCache, tmp_path: Path
) -> None:
    asked = QueryEngine(loader, cache=False)
    log = QueryLog(tmp_path / "log")
    asked.add_observer(log)
    for value in (1, 2, 2, 3, 3, 3):
        asked.execute(about(value))
    settings = WarmingSettings(max_questions=2)
    warmer = CacheWarmer(cache, loader, log=log, settings=settings)
    report = await warmer.warm_common_queries()
    assert (report.total, report.warmed, report.not_begun) == (3, 2, 1)
    assert report.stopped_by == "questions"
    assert str(report).startswith("2 of 3 questions warmed, 0 were kept already, 0 failed, 1 not")
    engine = QueryEngine(loader, cache=cache)
    assert [engine.execute(about(value)).from_cache for value in (3, 2, 1)] == [True, True, False]


async def test_without_a_log_the_one_at_the_default_path_is_read(
    loader: Any, cache: MemoryCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with QueryLog() as log:
        engine = QueryEngine(loader, cache=False)
        engine.add_observer(log)
        engine.execute(about(4))
    report = await CacheWarmer(cache, loader).warm_common_queries()
    assert (report.total, report.warmed) == (1, 1)


async def test_the_log_of_an_executor_that_keeps_one_is_read(
    loader: Any, cache: MemoryCache, tmp_path: Path
) -> None:
    settings = EngineSettings(query_log=QueryLogSettings(path=tmp_path / "log"))
    QueryEngine(loader, cache=False, settings=settings).execute(about(4))
    engine = QueryEngine(loader, cache=cache, settings=settings)
    report = await CacheWarmer(cache, loader, engine).warm_common_queries()
    assert (report.total, report.warmed) == (1, 1)
    assert engine.execute(about(4)).from_cache


async def test_questions_to_databases_that_are_gone_take_nobody_s_turn(
    loader: Any, cache: MemoryCache, tmp_path: Path
) -> None:
    loader.databases["gone"] = ROWS
    log = QueryLog(tmp_path / "log")
    asked = QueryEngine(loader, cache=False)
    asked.add_observer(log)
    for value in (1, 1, 2, 2, 3, 3):
        asked.execute(about(value, "gone"))
    for value in (4, 5, 6):
        asked.execute(about(value))
    del loader.databases["gone"]
    asked.refresh()
    settings = WarmingSettings(max_questions=2)
    report = await CacheWarmer(cache, loader, log=log, settings=settings).warm_common_queries()
    assert (report.warmed, len(report.failures), report.not_begun) == (2, 3, 1)
    assert loader.loads.count("gone") == 2


async def test_a_log_that_cannot_be_read_is_an_error(
    loader: Any, cache: MemoryCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "blackcore" / "queries.jsonl").mkdir(parents=True)
    with pytest.raises(QueryLogError, match="is a directory"):
        await CacheWarmer(cache, loader).warm_common_queries()


async def test_warming_is_not_logged_as_asking(
    loader: Any, cache: MemoryCache, tmp_path: Path
) -> None:
    engine = QueryEngine(loader, cache=cache)
    log = QueryLog(tmp_path / "log")
    engine.add_observer(log)
    await CacheWarmer(cache, loader, engine).warm([about(1)])
    assert engine.statistics().queries == 1
    assert log.questions() == []


async def test_what_is_kept_already_is_counted_as_such(loader: Any, cache: MemoryCache) -> None:
    warmer = CacheWarmer(cache, loader)
    await warmer.warm([about(1)])
    report = await warmer.warm([about(1), about(1), about(2)])
    assert (report.total, report.warmed, report.already_kept) == (2, 1, 1)


@pytest.mark.parametrize("name", ["max_seconds", "max_bytes", "max_questions"])
async def test_a_budget_of_zero_begins_nothing(loader: Any, cache: MemoryCache, name: str) -> None:
    settings = WarmingSettings(**{name: 0})
    report = await CacheWarmer(cache, loader, settings=settings).warm([about(1), about(2)])
    assert (report.warmed, report.not_begun, loader.loads) == (0, 2, [])
    assert report.stopped_by == name.removeprefix("max_").replace("seconds", "time")


async def test_of_several_pages_the_last_is_warmed_and_all_are_hits(
    loader: Any, cache: MemoryCache
) -> None:
    settings = EngineSettings(execution=ExecutionSettings(answer_prefix_rows=10))
    engine = QueryEngine(loader, cache=cache, settings=settings)
    ordered = StructuredQuery("db", sort_fields=[SortField("b")])
    pages = [
        ordered.model_copy(update={"pagination": QueryPagination(page, 20)}) for page in (1, 9, 2)
    ]
    report = await CacheWarmer(cache, loader, engine).warm([*pages, about(1)])
    assert (report.total, report.warmed) == (2, 2)
    assert all(engine.execute(page).from_cache for page in pages)


async def test_no_questions_are_warmed_at_once(loader: Any, cache: MemoryCache) -> None:
    report = await CacheWarmer(cache, loader).warm([])
    assert (report.total, report.stopped_by) == (0, None)


async def test_no_question_is_begun_after_the_time_is_over(
    loader: Any, cache: MemoryCache, clock: Any
) -> None:
    engine = QueryEngine(loader, cache=cache)

    class Slow:
        def execute(self, query: StructuredQuery) -> object:
            clock.pass_by(4)
            return engine.execute(query)

    settings = WarmingSettings(max_seconds=10, concurrency=1)
    warmer = CacheWarmer(cache, loader, Slow(), settings=settings, clock=clock)
    report = await warmer.warm([about(value) for value in range(9)])
    assert (report.warmed, report.not_begun, report.stopped_by) == (3, 6, "time")
    assert report.elapsed_seconds == 12


async def test_the_byte_budget_ends_warming(loader: Any, cache: MemoryCache) -> None:
    settings = WarmingSettings(max_bytes=2_000, concurrency=1)
    report = await CacheWarmer(cache, loader, settings=settings).warm(
        [about(value) for value in range(9)]
    )
    assert report.stopped_by == "bytes"
    assert 2_000 <= report.added_bytes < 4_000


async def test_nothing_has_to_leave_a_cache_for_what_is_warmed(loader: Any) -> None:
    cache = MemoryCache(max_size_mb=32 / 1024)
    engine = QueryEngine(loader, cache=cache)
    for value in range(4):
        engine.execute(about(value))
    warmer = CacheWarmer(cache, loader, settings=WarmingSettings(concurrency=3))
    report = await warmer.warm(
        [StructuredQuery("db", [QueryFilter("b", "ne", str(n))]) for n in range(99)]
    )
    assert report.stopped_by == "full"
    assert report.warmed > 0
    assert (report.evicted, cache.get_statistics().evictions) == (0, 0)
    assert all(engine.execute(about(value)).from_cache for value in range(4))


async def test_a_cache_that_does_not_tell_its_bounds_is_warmed_until_something_leaves(
    loader: Any,
) -> None:
    kept = MemoryCache(max_size_mb=4 / 1024)

    class Foreign:
        def get_cached_result(self, query_hash: str, max_age: float | None = None) -> object:
            return kept.get_cached_result(query_hash, max_age)

        def cache_result(self, *given: Any, **named: Any) -> object:
            return kept.cache_result(*given, **named)

        def get_statistics(self) -> Any:
            return kept.get_statistics()

    settings = WarmingSettings(concurrency=1)
    warmer = CacheWarmer(Foreign(), loader, settings=settings)
    report = await warmer.warm([about(value) for value in range(10)])
    assert report.stopped_by == "full"
    assert report.evicted == 1


@pytest.mark.parametrize("rubbish", [None, ValueError("no")])
async def test_a_cache_that_tells_nothing_is_warmed_all_the_same(
    loader: Any, rubbish: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Mute:
        def get_cached_result(self, query_hash: str, max_age: float | None = None) -> object:
            return None

        def cache_result(self, *given: Any, **named: Any) -> object:
            return True

        def get_statistics(self) -> Any:
            if rubbish is not None:
                raise rubbish
            return rubbish

    with caplog.at_level(logging.CRITICAL):
        report = await CacheWarmer(Mute(), loader).warm([about(1)])
    assert (report.warmed, report.added_bytes) == (1, 0)


async def test_a_database_that_is_gone_is_tried_once_and_the_others_go_on(
    loader: Any, cache: MemoryCache
) -> None:
    report = await CacheWarmer(cache, loader).warm(
        [about(1, "gone"), about(2, "gone"), about(1), about(3, "gone")]
    )
    assert (report.warmed, len(report.failures)) == (1, 3)
    assert {type(failure.error) for failure in report.failures} == {UnknownDatabaseError}
    assert {failure.query.database for failure in report.failures} == {"gone"}
    assert loader.loads.count("gone") == 1


async def test_a_field_that_is_gone_fails_only_its_question(
    loader: Any, cache: MemoryCache
) -> None:
    query = StructuredQuery("db", [QueryFilter("gone", "eq", 1)])
    report = await CacheWarmer(cache, loader).warm([query, about(1)])
    assert report.warmed == 1
    (failure,) = report.failures
    assert failure.query == query
    assert isinstance(failure.error, UnknownFieldError)


async def test_an_executor_that_raises_for_one_question_does_not_stop_the_others(
    loader: Any, cache: MemoryCache
) -> None:
    engine = QueryEngine(loader, cache=cache)

    class Picky:
        def execute(self, query: StructuredQuery) -> object:
            if query == about(2):
                raise RuntimeError("not this one")
            return engine.execute(query)

    report = await CacheWarmer(cache, loader, Picky()).warm([about(n) for n in range(4)])
    assert report.warmed == 3
    (failure,) = report.failures
    assert (failure.query, str(failure.error)) == (about(2), "not this one")
    assert "1 failed" in str(report)


@pytest.mark.parametrize("is_coroutine_function", [True, False])
async def test_an_executor_may_be_awaited(
    loader: Any, cache: MemoryCache, is_coroutine_function: bool
) -> None:
    engine = QueryEngine(loader, cache=cache)

    class Awaited:
        async def execute(self, query: StructuredQuery) -> object:
            return await engine.execute_async(query)

    class Awaitable:
        def execute(self, query: StructuredQuery) -> object:
            return engine.execute_async(query)

    executor = Awaited() if is_coroutine_function else Awaitable()
    report = await CacheWarmer(cache, loader, executor).warm([about(1)])
    assert report.warmed == 1
    assert engine.execute(about(1)).from_cache


async def test_progress_is_told_after_each_question(loader: Any, cache: MemoryCache) -> None:
    told: list[WarmingProgress] = []
    settings = WarmingSettings(concurrency=1)
    warmer = CacheWarmer(cache, loader, settings=settings, on_progress=told.append)
    report = await warmer.warm([about(1), about(1, "gone"), about(2)])
    assert [(each.done, each.total) for each in told] == [(1, 3), (2, 3), (3, 3)]
    assert told[-1].added_bytes == report.added_bytes
    assert told[-1].elapsed_seconds <= report.elapsed_seconds


async def test_a_progress_callback_that_raises_is_logged_and_warming_goes_on(
    loader: Any, cache: MemoryCache, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(progress: WarmingProgress) -> None:
        raise ValueError("no display")

    report = await CacheWarmer(cache, loader, on_progress=fail).warm([about(1), about(2)])
    assert report.warmed == 2
    assert "progress callback" in caplog.text


async def test_a_cancelled_warming_begins_no_further_question(
    loader: Any, cache: MemoryCache
) -> None:
    begun = asyncio.Event()
    may_end = threading.Event()
    loop = asyncio.get_running_loop()
    executed: list[StructuredQuery] = []

    class Blocking:
        def execute(self, query: StructuredQuery) -> object:
            executed.append(query)
            if len(executed) == 2:
                loop.call_soon_threadsafe(begun.set)
                may_end.wait(30)
            return None

    settings = WarmingSettings(concurrency=1)
    warmer = CacheWarmer(cache, loader, Blocking(), settings=settings)
    task = asyncio.create_task(warmer.warm([about(value) for value in range(9)]))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    may_end.set()
    report = warmer.last_report
    assert report is not None
    assert (report.warmed, report.not_begun, report.stopped_by) == (1, 7, "cancelled")
    assert len(executed) == 2


async def test_at_most_so_many_questions_run_at_a_time(loader: Any, cache: MemoryCache) -> None:
    running = [0, 0]
    both = threading.Barrier(2)
    lock = threading.Lock()

    class Counting:
        def execute(self, query: StructuredQuery) -> object:
            with lock:
                running[0] += 1
                running[1] = max(running)
            both.wait(30)
            with lock:
                running[0] -= 1
            return None

    settings = WarmingSettings(concurrency=2)
    warmer = CacheWarmer(cache, loader, Counting(), settings=settings)
    report = await warmer.warm([about(value) for value in range(6)])
    assert (report.warmed, running[1]) == (6, 2)


async def test_a_built_query_is_warmed_too(loader: Any, cache: MemoryCache) -> None:
    engine = QueryEngine(loader, cache=cache)
    await CacheWarmer(cache, loader).warm([engine.query("db").where(field("a") == 1)])
    assert engine.execute(about(1)).from_cache


async def test_bad_arguments_are_refused_with_errors_of_ours(
    loader: Any, cache: MemoryCache
) -> None:
    with pytest.raises(CacheError, match="dict is not a cache"):
        CacheWarmer({}, loader)  # type: ignore[arg-type]
    with pytest.raises(LoaderContractError, match="is not a loader"):
        CacheWarmer(cache, object())  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="cannot execute queries"):
        CacheWarmer(cache, loader, object())  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="a query is expected, not str"):
        await CacheWarmer(cache, loader).warm(["SELECT 1"])  # type: ignore[list-item]
    with pytest.raises(SettingsError, match="concurrency is 0"):
        WarmingSettings(concurrency=0)
    with pytest.raises(SettingsError, match="max_bytes is -1"):
        WarmingSettings(max_bytes=-1)
    with pytest.raises(SettingsError, match=r"full_fraction is 1\.5"):
        WarmingSettings(full_fraction=1.5)
