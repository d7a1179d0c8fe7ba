"""What an engine has done and holds, counted exactly."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from blackcore.minimal.query_engine import CacheStatistics, QueryResult, StructuredQuery
from blackcore.minimal.query_engine.data import AnsweredQuery, Records
from blackcore.minimal.query_engine.monitoring import EngineStatistics, Monitor

QUERY = StructuredQuery(database="d")


def result(*, from_cache: bool = False) -> QueryResult:
    return QueryResult(
        Records("d", [{"n": 1}, {"n": 2}]),
        np.array([1], dtype=np.uint32),
        2,
        from_cache=from_cache,
        execution_time_ms=1.5,
        stages={"load": 0.5},
    )


class Witness:
    """An observer that keeps what it is told, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.told: list[AnsweredQuery] = []

    def answered(self, event: AnsweredQuery) -> None:
        self.told.append(event)
        if self.error is not None:
            raise self.error


def test_a_new_monitor_has_counted_nothing() -> None:
    statistics = Monitor().statistics({}, None)
    assert (statistics.queries, statistics.answered_from_cache) == (0, 0)
    assert (statistics.cache_failures, statistics.observer_failures) == (0, 0)
    assert statistics.cache is None
    assert statistics.process_memory_bytes > 1_000_000


def test_answers_and_failures_are_counted() -> None:
    monitor = Monitor()
    for from_cache in (False, True, True):
        monitor.answered(QUERY, "v", result(from_cache=from_cache))
    monitor.cache_failed()
    statistics = monitor.statistics({}, None)
    assert (statistics.queries, statistics.answered_from_cache) == (3, 2)
    assert statistics.cache_failures == 1


def test_counts_are_exact_under_threads() -> None:
    monitor = Monitor()

    def count(_: int) -> None:
        for _ in range(500):
            monitor.answered(QUERY, "v", result(from_cache=True))
            monitor.cache_failed()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    statistics = monitor.statistics({}, None)
    assert (statistics.queries, statistics.answered_from_cache) == (2_000, 2_000)
    assert statistics.cache_failures == 2_000


def test_observers_are_told_of_every_answer_until_they_leave() -> None:
    monitor, one, other = Monitor(), Witness(), Witness()
    remove = monitor.add_observer(one)
    monitor.add_observer(other)
    monitor.answered(QUERY, "v1", result())
    remove()
    remove()
    monitor.answered(QUERY, "v2", result(from_cache=True))
    assert one.told == [AnsweredQuery(QUERY, "v1", False, 1_500_000, 1, 2, {"load": 0.5})]
    assert [event.version for event in other.told] == ["v1", "v2"]
    assert other.told[1].from_cache


def test_an_observer_that_fails_is_logged_and_counted_and_stops_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    monitor, bad, good = Monitor(), Witness(ZeroDivisionError("oops")), Witness()
    monitor.add_observer(bad)
    monitor.add_observer(good)
    monitor.answered(QUERY, "v", result())
    assert len(good.told) == 1
    assert monitor.statistics({}, None).observer_failures == 1
    assert "the answer is not touched by it" in caplog.text
    assert "oops" in caplog.text


def test_loaded_databases_are_told_with_their_columns() -> None:
    rows: list[dict[str, Any]] = [{"b": 1, "a": "x", "m": [1]}, {"b": 2, "a": "y", "m": 1}]
    records = Records("films", rows, "7")
    for path in ("b", "a", "m"):
        records.column(path)
    told = Monitor().statistics({"films": records}, None).databases["films"]
    assert (told.rows, told.version, told.columns) == (2, "7", ("a", "b"))
    assert told.columns_bytes == records.columns_bytes > 0


def test_a_snapshot_reads_well_and_can_be_shown_in_a_notebook() -> None:
    records = Records("<films>", [{"n": 1}] * 1_234, "7")
    cache = CacheStatistics(
        total_requests=4, cache_hits=3, cache_misses=1, hit_rate=0.75, entries=2
    )
    monitor = Monitor()
    monitor.answered(QUERY, "v", result())
    statistics = monitor.statistics({"<films>": records}, cache)
    lines = str(statistics).splitlines()
    assert lines[0].startswith("1 queries, 0 from cache, 0 cache failures, ")
    assert lines[1] == "<films>: 1,234 rows, 0 columns of 0.0 MB"
    assert lines[2] == "cache: 2 entries of 0.00 MB, hit rate 75.0%"
    assert "&lt;films&gt;" in statistics._repr_html_()
    assert len(str(EngineStatistics(0, 0, 0)).splitlines()) == 1
