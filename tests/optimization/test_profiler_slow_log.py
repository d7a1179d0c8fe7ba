"""The log of slow queries: what it notes, keeps, writes and reads back."""

from __future__ import annotations

import fcntl
import json
import logging
import math
import os
import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine import QueryEngine, QueryFilter, StructuredQuery, field
from blackcore.minimal.query_engine.data import QueryResult, Records
from blackcore.minimal.query_engine.data.observer import AnsweredQuery, QueryObserver
from blackcore.minimal.query_engine.errors import QueryLogError, SettingsError
from blackcore.minimal.query_engine.optimization.profiling import SlowQuery, SlowQueryLog
from blackcore.minimal.query_engine.query import FilterGroup
from blackcore.minimal.query_engine.settings import SlowQueryLogSettings

NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)
QUERY = StructuredQuery(database="flights", filters=[QueryFilter("carrier", "eq", "HA")])


def clock() -> Any:
    """Return a clock that goes on by a second each time it is read."""
    seconds = iter(range(1_000_000))
    return lambda: NOON + timedelta(seconds=next(seconds))


def event(elapsed_ms: float, query: StructuredQuery = QUERY, rows: int = 3) -> AnsweredQuery:
    return AnsweredQuery(
        query=query,
        version="1",
        from_cache=False,
        elapsed_ns=int(elapsed_ms * 1e6),
        rows=rows,
        total_rows=rows,
        stages={"filter": elapsed_ms},
    )


def log_of(path: Path | None = None, **settings: Any) -> SlowQueryLog:
    return SlowQueryLog(path, SlowQueryLogSettings(**settings), now=clock())


def written(entry: SlowQuery) -> SlowQuery:
    return SlowQuery.from_json(entry.to_json())


def entry_for(query: StructuredQuery) -> SlowQuery:
    log = log_of(threshold_ms=0)
    log.answered(event(5, query))
    return log.entries()[0]


def entry_with(**changes: object) -> str:
    return json.dumps({**json.loads(entry_for(QUERY).to_json()), **changes})


def test_only_queries_from_the_threshold_on_are_noted() -> None:
    log = log_of(threshold_ms=100)
    for elapsed_ms in (99.9, 100, 250):
        log.answered(event(elapsed_ms))
    assert [entry.elapsed_ms for entry in log.entries()] == [100, 250]
    assert len(log) == 2
    first = log.entries()[0]
    assert (first.at, first.rows, first.from_cache) == (NOON, 3, False)
    assert first.text == "flights where carrier == 'HA'"
    assert first.fingerprint == QUERY.fingerprint
    assert first.query is QUERY
    assert str(first) == "2024-06-01 12:00:00 100.0 ms  flights where carrier == 'HA'"


def test_threshold_of_zero_notes_everything() -> None:
    log = log_of(threshold_ms=0)
    log.answered(event(0))
    assert len(log) == 1


def test_results_can_be_recorded_by_hand() -> None:
    log = log_of(threshold_ms=10)
    for elapsed_ms in (9.0, 11.0):
        none = np.array([], dtype=np.uint32)
        result = QueryResult(
            Records("db", []), none, 0, execution_time_ms=elapsed_ms, from_cache=True
        )
        log.record(QUERY, result)
    [entry] = log.entries()
    assert (entry.elapsed_ms, entry.rows, entry.from_cache) == (11.0, 0, True)
    assert "from cache" in str(entry)


def test_built_queries_are_recorded_as_what_they_ask() -> None:
    class Loader:
        def load_database(self, name: str) -> list[dict[str, Any]]:
            return [{"a": 1}]

        def get_available_databases(self) -> list[str]:
            return ["one"]

        def refresh_cache(self, name: str | None = None) -> None: ...

    engine = QueryEngine(Loader())
    built = engine.query("one").where(field("a") == 1)
    log = log_of(threshold_ms=0)
    log.record(built, built.run())
    assert log.entries()[0].query == built.structured


def test_log_is_an_observer_of_engines() -> None:
    assert isinstance(SlowQueryLog(), QueryObserver)


def test_memory_keeps_the_newest() -> None:
    log = log_of(threshold_ms=0, kept_entries=3)
    for elapsed_ms in (9, 1, 5, 7, 3):
        log.answered(event(elapsed_ms))
    assert [entry.elapsed_ms for entry in log.entries()] == [5, 7, 3]
    assert [entry.elapsed_ms for entry in log.slowest(2)] == [7, 5]
    log.clear()
    assert log.entries() == ()


def test_file_holds_one_line_of_json_for_each_and_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "slow.jsonl"
    log = log_of(path, threshold_ms=100, kept_entries=1)
    for elapsed_ms in (50, 150, 250):
        log.answered(event(elapsed_ms))
    lines = path.read_text().splitlines()
    assert [json.loads(line)["elapsed_ms"] for line in lines] == [150, 250]
    back = SlowQueryLog.read(path)
    assert back[-1] == log.entries()[0]
    assert [entry.query for entry in back] == [QUERY, QUERY]
    assert "slow.jsonl" in repr(log)
    assert path.stat().st_mode & 0o077 == 0


def test_new_log_adds_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "slow.jsonl"
    for elapsed_ms in (1, 2):
        log_of(path, threshold_ms=0).answered(event(elapsed_ms))
    assert [entry.elapsed_ms for entry in SlowQueryLog.read(path)] == [1, 2]


def test_torn_tail_is_left_out_and_does_not_swallow_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "slow.jsonl"
    log_of(path, threshold_ms=0).answered(event(1))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING):
        assert [entry.elapsed_ms for entry in SlowQueryLog.read(path)] == [1]
    assert "left out 1 lines" in caplog.text
    log_of(path, threshold_ms=0).answered(event(2))
    assert [entry.elapsed_ms for entry in SlowQueryLog.read(path)] == [1, 2]


@given(cut=st.integers(0, 400))
def test_file_cut_anywhere_gives_back_the_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "slow.jsonl"
    log = log_of(path, threshold_ms=0)
    for elapsed_ms in (1, 2):
        log.answered(event(elapsed_ms))
    content = path.read_bytes()
    ends = [content.index(b"\n"), len(content) - 1]
    left = max(len(content) - cut, 0)
    path.write_bytes(content[:left])
    # a line that lacks nothing but its end is whole
    expected = [elapsed_ms for elapsed_ms, end in zip([1, 2], ends, strict=True) if end <= left]
    assert [entry.elapsed_ms for entry in SlowQueryLog.read(path)] == expected


@pytest.mark.parametrize(
    "line",
    [
        "",
        "7",
        "[]",
        "{}",
        "nonsense",
        '{"at": "yesterday"}',
        "\udcff",
        '{"at": 1, "stages": []}',
        entry_with(rows=math.inf),
        entry_with(elapsed_ms=10**400),
        entry_with(stages=[["filter", 1]]),
        "[" * 100_000,
    ],
    ids=lambda line: line[:20],
)
def test_line_that_is_no_entry_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        SlowQuery.from_json(line.encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    "condition",
    [
        QueryFilter("day", "gt", date(2024, 1, 31)),
        QueryFilter("at", "between", (datetime(2024, 1, 1), datetime(2024, 2, 1, tzinfo=UTC))),
        QueryFilter("n", "in", [1, 2.5, None, True, "é\n", 2**70]),
        QueryFilter("s", "fuzzy", {"text": "hi", "threshold": 0.5}),
        QueryFilter("s", "contains", "\ud800", case_sensitive=False),
        FilterGroup("or", (QueryFilter("a", "eq", 1), FilterGroup("and", (), negate=True))),
    ],
)
def test_query_comes_back_from_json_as_it_was_asked(condition: Any) -> None:
    query = StructuredQuery(database="d", filters=[condition], search="text", select=["a"])
    back = written(entry_for(query))
    assert back.query is not None
    assert back.query.fingerprint == query.fingerprint
    assert type(back.query.filters[0]) is type(query.filters[0])


@pytest.mark.parametrize(
    "value",
    [float("inf"), 10**5_000, Decimal("1.50"), {"$date": "2024-01-01"}, {"$date": "never"}],
    ids=["infinity", "huge", "decimal", "like a date", "like a bad date"],
)
def test_query_that_json_has_no_form_for_comes_back_all_the_same(value: object) -> None:
    query = StructuredQuery(database="d", filters=[QueryFilter("a", "ne", value)])
    entry = entry_for(query)
    line = entry.to_json()
    assert json.loads(line, parse_constant=pytest.fail)["text"] == entry.text
    assert SlowQuery.from_json(line) == entry


def test_query_of_another_version_is_read_without_its_query() -> None:
    values = json.loads(entry_for(QUERY).to_json())
    values["query"]["filters"][0]["operator"] = "resembles"
    back = SlowQuery.from_json(json.dumps(values))
    assert back.query is None
    assert back.text == "flights where carrier == 'HA'"


def test_full_file_is_moved_aside_so_that_both_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "slow.jsonl"
    log = log_of(path, threshold_ms=0, file_bytes=1_000)
    for elapsed_ms in range(1, 21):
        log.answered(event(elapsed_ms))
    old = tmp_path / "slow.jsonl.1"
    assert {file.name for file in tmp_path.iterdir()} == {path.name, old.name}
    assert path.stat().st_size <= 1_000
    assert old.stat().st_size <= 1_000
    kept = [entry.elapsed_ms for entry in SlowQueryLog.read(old) + SlowQueryLog.read(path)]
    assert kept == list(range(int(kept[0]), 21))


def test_file_that_went_away_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "slow.jsonl"
    log = log_of(path, threshold_ms=0)
    path.unlink()
    log.answered(event(1))
    assert len(SlowQueryLog.read(path)) == 1


def test_failing_file_costs_notes_and_not_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = log_of(folder / "slow.jsonl", threshold_ms=0)
    (folder / "slow.jsonl").unlink()
    folder.rmdir()
    log.answered(event(1))
    assert log.write_failures == 1
    assert len(log) == 1
    assert "could not be written" in caplog.text
    folder.mkdir()
    log.answered(event(2))
    assert [entry.elapsed_ms for entry in SlowQueryLog.read(folder / "slow.jsonl")] == [2]


def test_disk_that_takes_half_a_line_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "slow.jsonl"
    log = log_of(path, threshold_ms=0)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, data[: len(data) // 2]))
        log.answered(event(1))
    log.answered(event(2))
    assert log.write_failures == 1
    assert [entry.elapsed_ms for entry in SlowQueryLog.read(path)] == [2]


def test_file_that_cannot_be_used_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(QueryLogError, match="cannot write the slow-query log"):
        SlowQueryLog(tmp_path)
    with pytest.raises(QueryLogError, match="cannot write"):
        SlowQueryLog(tmp_path / "none" / "slow.jsonl")
    with pytest.raises(QueryLogError, match="cannot read"):
        SlowQueryLog.read(tmp_path / "none.jsonl")


def test_threads_add_whole_lines_while_others_read(tmp_path: Path) -> None:
    path = tmp_path / "slow.jsonl"
    log = log_of(path, threshold_ms=0, kept_entries=50)
    together = threading.Barrier(5)
    sizes: list[int] = []

    def add(number: int) -> None:
        together.wait(20)
        for step in range(40):
            log.answered(event(number * 100 + step))

    def read() -> None:
        together.wait(20)
        sizes.extend(len(log.entries()) for _ in range(200))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    threads.append(threading.Thread(target=read))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = path.read_bytes().splitlines()
    assert len(lines) == 160
    found = sorted(SlowQuery.from_json(line).elapsed_ms for line in lines)
    assert found == sorted(n * 100 + step for n in range(4) for step in range(40))
    assert len(log) == 50
    assert max(sizes) <= 50
    assert log.write_failures == 0


def test_entries_are_read_again_where_another_thread_adds_one_meanwhile() -> None:
    log = log_of(threshold_ms=0)
    log.answered(event(1))

    class Busy:
        looks = 0

        def __iter__(self) -> Any:
            self.looks += 1
            if self.looks == 1:
                raise RuntimeError("deque mutated during iteration")
            return iter(entries)

    entries, busy = log.entries(), Busy()
    log._entries = busy  # type: ignore[assignment]
    assert log.entries() == entries
    assert busy.looks == 2


def test_file_that_another_is_moving_takes_the_line_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "slow.jsonl"
    log = log_of(path, threshold_ms=0, file_bytes=400)
    log.answered(event(1))
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        log.answered(event(2))
    assert [entry.elapsed_ms for entry in SlowQueryLog.read(path)] == [1, 2]
    log.answered(event(3))
    assert [entry.elapsed_ms for entry in SlowQueryLog.read(path)] == [3]


def test_query_larger_than_the_file_may_be_is_noted_without_it(tmp_path: Path) -> None:
    path = tmp_path / "slow.jsonl"
    log = log_of(path, threshold_ms=0, file_bytes=2_000)
    log.answered(
        event(1, StructuredQuery(database="d", filters=[QueryFilter("a", "eq", "x" * 5_000)]))
    )
    assert path.stat().st_size <= 2_000
    [entry] = SlowQueryLog.read(path)
    assert entry.query is None
    assert entry.text.startswith("d where a == 'xxx")
    assert log.entries()[0].query is not None


def test_pipe_that_nobody_reads_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(QueryLogError, match="cannot write the slow-query log"):
        SlowQueryLog(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("name", "value"), [("threshold_ms", -1), ("kept_entries", 0), ("file_bytes", 0)]
)
def test_impossible_settings_are_refused(name: str, value: int) -> None:
    with pytest.raises(SettingsError, match=name):
        SlowQueryLogSettings(**{name: value})


def test_time_is_the_wall_clocks_in_utc_unless_given() -> None:
    log = SlowQueryLog(settings=SlowQueryLogSettings(threshold_ms=0))
    log.answered(event(1))
    assert log.entries()[0].at.utcoffset() == timedelta(0)
