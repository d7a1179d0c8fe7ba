from __future__ import annotations

import gc
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from blackcore.minimal.query_engine import (
    EngineSettings,
    QueryEngine,
    QueryFilter,
    QueryPagination,
    StructuredQuery,
    field,
)
from blackcore.minimal.query_engine.data import AnsweredQuery
from blackcore.minimal.query_engine.errors import QueryLogError, SettingsError
from blackcore.minimal.query_engine.integration import QueryLog, default_path
from blackcore.minimal.query_engine.settings import QueryLogSettings


def asked(
    value: int, *, cost_seconds: float | None = None, page: int | None = None
) -> AnsweredQuery:
    pagination = None if page is None else QueryPagination(page, 10)
    query = StructuredQuery("db", [QueryFilter("a", "eq", value)], pagination=pagination)
    elapsed = 0 if cost_seconds is None else round(cost_seconds * 1e9)
    return AnsweredQuery(query, "v1", cost_seconds is None, elapsed, 1, 5, {})


def values(log: QueryLog) -> list[Any]:
    return [question.query.filters[0].value for question in log.questions()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "queries.jsonl"


def test_an_engine_s_questions_are_counted_with_cost_and_rows(
    path: Path, make_loader: Any, clock: Any
) -> None:
    engine = QueryEngine(make_loader(db=[{"a": 1}, {"a": 1}, {"a": 2}]))
    with QueryLog(path, clock=clock) as log:
        engine.add_observer(log)
        for _ in range(3):
            engine.query("db").where(field("a") == 1).run()
        engine.query("db").where(field("a") == 2).run()
        first, second = log.questions()
    assert (first.count, first.total_rows, second.count) == (3, 2, 1)
    assert first.cost_seconds > 0
    assert first.last_asked == clock.now
    assert first.fingerprint == first.query.fingerprint


def test_what_was_asked_survives_a_restart(path: Path, clock: Any) -> None:
    for _ in range(2):
        with QueryLog(path, clock=clock) as log:
            log.answered(asked(1, cost_seconds=0.25))
            log.answered(asked(1))
    (question,) = QueryLog(path, clock=clock).questions()
    assert (question.count, question.heat, question.cost_seconds) == (4, 4.0, 0.25)


def test_dates_are_still_dates_after_a_restart(path: Path, clock: Any) -> None:
    moment = datetime(2013, 1, 1, 5, 30, tzinfo=UTC)
    query = StructuredQuery(
        "db",
        [
            QueryFilter("day", "between", [date(2013, 1, 1), date(2013, 12, 31)]),
            QueryFilter("at", "gte", moment),
            QueryFilter("text", "eq", "2013-01-01"),
        ],
    )
    with QueryLog(path, clock=clock) as log:
        log.answered(AnsweredQuery(query, "v1", True, 0, 1, 5, {}))
    (question,) = QueryLog(path, clock=clock).questions()
    days, at, text = [each.value for each in question.query.filters]
    assert days == (date(2013, 1, 1), date(2013, 12, 31))
    assert [type(each) for each in days] == [date, date]
    assert (type(at), at) == (datetime, moment)
    assert text == "2013-01-01"
    assert question.fingerprint == query.fingerprint


def test_an_engine_keeps_a_log_where_its_settings_say_so(
    tmp_path: Path, make_loader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    loader = make_loader(db=[{"a": 1}])
    assert QueryEngine(loader).query_log is None
    for path, expected in ((None, default_path()), (tmp_path / "mine", tmp_path / "mine")):
        settings = EngineSettings(query_log=QueryLogSettings(path=path))
        engine = QueryEngine(loader, settings=settings)
        engine.query("db").where(field("a") == 1).run()
        assert engine.query_log is not None
        assert engine.query_log.path == expected
        assert [question.count for question in engine.query_log.questions()] == [1]
    assert QueryLog(tmp_path / "other", settings=QueryLogSettings(path="mine")).path.name == "other"


def test_what_an_engine_noted_is_written_when_it_is_gone(path: Path, make_loader: Any) -> None:
    settings = EngineSettings(query_log=QueryLogSettings(path=path))
    engine = QueryEngine(make_loader(db=[{"a": 1}]), settings=settings)
    engine.query("db").where(field("a") == 1).run()
    del engine
    gc.collect()
    assert len(path.read_text().splitlines()) == 2


def test_a_directory_of_files_is_opened_with_a_log(tmp_path: Path) -> None:
    (tmp_path / "db.json").write_text('[{"a": 1}]')
    settings = EngineSettings(query_log=QueryLogSettings(path=tmp_path / "log"))
    engine = QueryEngine.open(tmp_path, settings=settings)
    engine.query("db").where(field("a") == 1).run()
    assert engine.query_log is not None
    assert len(engine.query_log.questions()) == 1


def test_old_questions_cool_by_half_in_a_half_life(path: Path, clock: Any) -> None:
    settings = QueryLogSettings(half_life_seconds=100)
    log = QueryLog(path, settings=settings, clock=clock)
    for _ in range(3):
        log.answered(asked(1))
    log.flush()
    clock.pass_by(100)
    log.answered(asked(2))
    log.answered(asked(2))
    assert values(log) == [2, 1]
    old = log.questions()[1]
    assert old.heat_at(clock.now, 100) == pytest.approx(1.5)


def test_lines_of_a_clock_that_went_back_are_joined_all_the_same(path: Path, clock: Any) -> None:
    log = QueryLog(path, settings=QueryLogSettings(half_life_seconds=100), clock=clock)
    log.answered(asked(1))
    log.flush()
    late = clock.now
    clock.pass_by(-100)
    log.answered(asked(1))
    (question,) = log.questions()
    assert (question.last_asked, question.count, question.heat) == (late, 2, 1.5)


def test_the_dearest_of_equally_hot_questions_comes_first(path: Path, clock: Any) -> None:
    log = QueryLog(path, clock=clock)
    log.answered(asked(1, cost_seconds=0.1))
    log.answered(asked(2, cost_seconds=0.3))
    assert values(log) == [2, 1]


def test_the_deepest_page_asked_for_is_remembered(path: Path, clock: Any) -> None:
    log = QueryLog(path, clock=clock)
    log.answered(asked(1, page=3))
    log.answered(asked(1, page=1))
    log.flush()
    log.answered(asked(1, page=2))
    (question,) = log.questions()
    assert question.query.pagination == QueryPagination(3, 10)
    log.answered(asked(1))
    assert log.questions()[0].query.pagination is None


def test_nothing_is_written_before_it_is_time(path: Path, clock: Any) -> None:
    log = QueryLog(path, settings=QueryLogSettings(flush_seconds=5), clock=clock)
    log.answered(asked(1))
    empty = path.stat().st_size
    clock.pass_by(5)
    log.answered(asked(1))
    assert path.stat().st_size > empty


def test_enough_questions_are_written_at_once(path: Path, clock: Any) -> None:
    log = QueryLog(path, settings=QueryLogSettings(flush_questions=3), clock=clock)
    for value in range(2):
        log.answered(asked(value))
    assert len(path.read_text().splitlines()) == 1
    log.answered(asked(2))
    assert len(path.read_text().splitlines()) == 4


def test_a_large_file_is_compacted_to_its_hottest_questions(path: Path, clock: Any) -> None:
    settings = QueryLogSettings(max_bytes=2_000, max_questions=3, flush_questions=1)
    log = QueryLog(path, settings=settings, clock=clock)
    for round_ in range(10):
        for value in range(5):
            for _ in range(5 - value):
                log.answered(asked(value))
        clock.pass_by(round_)
    assert values(log)[:2] == [0, 1]
    assert path.stat().st_size < 4_000
    assert len(log.questions()) <= 3
    assert log.questions()[0].count == 50


def test_what_is_kept_is_bounded_in_bytes_and_a_huge_question_keeps_no_other_out(
    path: Path, clock: Any
) -> None:
    settings = QueryLogSettings(max_bytes=4_000, flush_questions=1)
    log = QueryLog(path, settings=settings, clock=clock)
    for _ in range(3):
        query = StructuredQuery("db", [QueryFilter("a", "in", [*range(2_000)])])
        log.answered(AnsweredQuery(query, "v1", True, 0, 1, 5, {}))
        for value in range(40):
            log.answered(asked(value))
    assert path.stat().st_size <= 4_000
    kept = values(QueryLog(path, clock=clock))
    assert 5 <= len(kept) < 41
    assert all(isinstance(value, int) for value in kept)


def test_a_compaction_that_fails_leaves_the_log_as_it_was(
    path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = QueryLog(path, settings=QueryLogSettings(max_bytes=300), clock=clock)
    log.answered(asked(1))
    log.answered(asked(2))

    def fail(*given: object) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", fail)
        with pytest.raises(QueryLogError, match="cannot be used: the disk is gone"):
            log.flush()
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "queries.jsonl",
        "queries.jsonl.lock",
    ]
    assert sorted(values(log)) == [1, 2]


def test_what_cannot_be_written_at_the_end_is_logged(
    path: Path, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    log = QueryLog(path, clock=clock)
    log.answered(asked(1))
    path.write_text("something else\n")
    log._closing()
    assert "what was asked last is not in the query log" in caplog.text


@pytest.mark.parametrize("torn", [b'{"id":"x","n":', b"\xff\xfe", b"x"])
def test_a_torn_tail_is_set_aside_and_counted(path: Path, clock: Any, torn: bytes) -> None:
    with QueryLog(path, clock=clock) as log:
        log.answered(asked(1))
    with path.open("ab") as file:
        file.write(torn)
    again = QueryLog(path, clock=clock)
    again.answered(asked(2))
    assert sorted(values(again)) == [1, 2]
    assert again.torn_lines == 1
    assert path.with_name("queries.jsonl.torn").read_bytes() == torn + b"\n"


def test_what_is_set_aside_is_its_owner_s_and_bounded(path: Path, clock: Any) -> None:
    aside = path.with_name("queries.jsonl.torn")
    for _ in range(4):
        QueryLog(path, clock=clock).close()
        with path.open("ab") as file:
            file.write(b"x" * 600_000)
    QueryLog(path, clock=clock)
    assert aside.stat().st_mode & 0o077 == 0
    assert aside.stat().st_size <= 2_000_000
    assert path.stat().st_size < 100


def test_a_broken_line_in_the_middle_is_set_aside_once(path: Path, clock: Any) -> None:
    log = QueryLog(path, clock=clock)
    log.answered(asked(1))
    log.flush()
    with path.open("ab") as file:
        file.write(b"not json\n[1]\n")
    log.answered(asked(2))
    assert sorted(values(log)) == [1, 2]
    assert log.torn_lines == 2
    assert sorted(values(log)) == [1, 2]
    assert log.torn_lines == 2


def test_a_torn_first_line_starts_the_log_anew(path: Path, clock: Any) -> None:
    QueryLog(path, clock=clock).close()
    path.write_bytes(path.read_bytes()[:10])
    log = QueryLog(path, clock=clock)
    log.answered(asked(1))
    assert values(log) == [1]
    assert log.torn_lines == 1


@pytest.mark.parametrize(
    "line",
    [
        {"id": "x"},
        {"id": "x", "n": -1, "heat": 1, "at": 1, "cost": 0, "rows": 0, "query": {"database": "d"}},
        {"id": "x", "n": 1, "heat": "1", "at": 1, "cost": 0, "rows": 0, "query": {"database": "d"}},
        {"id": "x", "n": 1, "heat": 1, "at": 1, "cost": 0, "rows": 0, "query": {"colour": 1}},
    ],
)
def test_a_question_that_cannot_be_read_is_passed_over_and_counted(
    path: Path, clock: Any, line: dict[str, Any]
) -> None:
    log = QueryLog(path, clock=clock)
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
    log.answered(asked(1))
    assert values(log) == [1]
    assert log.unreadable == 1


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QueryLogError, match="is a directory; name a file") as caught:
        QueryLog(tmp_path)
    assert isinstance(caught.value, OSError)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(QueryLogError, match="cannot be used"):
        QueryLog(tmp_path / "file" / "queries.jsonl")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_refused_without_waiting_for_a_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(QueryLogError, match="not a regular file"):
        QueryLog(tmp_path / "pipe")


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """Give a folder that others may enter, while the test runs as a user without rights there."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0
        if is_root:
            QueryLog(folder / "queries.jsonl").close()
            os.seteuid(65_534)
        else:
            QueryLog(folder / "queries.jsonl").close()
            (folder / "queries.jsonl").chmod(0o400)
        try:
            yield folder
        finally:
            if is_root:
                os.seteuid(0)


@pytest.mark.skipif(os.name != "posix", reason="no users here")
def test_a_file_that_may_not_be_written_is_refused(as_nobody: Path) -> None:
    with pytest.raises(QueryLogError, match=r"queries\.jsonl' cannot be used: Permission denied"):
        QueryLog(as_nobody / "queries.jsonl")


@pytest.mark.skipif(os.name != "posix", reason="no users here")
def test_a_folder_that_may_not_be_written_is_refused(as_nobody: Path) -> None:
    with pytest.raises(QueryLogError, match="name a file in a folder that can be written"):
        QueryLog("/proc/queries/log" if os.geteuid() else as_nobody / "more" / "queries.jsonl")


def test_an_engine_whose_log_cannot_be_used_says_so_when_it_is_made(
    tmp_path: Path, make_loader: Any
) -> None:
    settings = EngineSettings(query_log=QueryLogSettings(path=tmp_path))
    with pytest.raises(QueryLogError, match="is a directory; name a file"):
        QueryEngine(make_loader(db=[]), settings=settings)


def test_a_disk_that_is_full_halfway_leaves_whole_lines_only(
    path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = QueryLog(path, clock=clock)
    log.answered(asked(1))
    log.flush()
    good = path.read_bytes()
    log.answered(asked(2))
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda to, block: write(to, block[: len(block) // 2]))
        with pytest.raises(QueryLogError, match=r"\d+ of \d+ bytes could be written"):
            log.flush()
    assert path.read_bytes() == good
    assert sorted(values(log)) == [1, 2]


def test_a_log_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"format":"blackcore query log","version":2}\n')
    with pytest.raises(QueryLogError, match=r"version 2.*reads version 1: update the package"):
        QueryLog(path)
    assert path.read_text() == '{"format":"blackcore query log","version":2}\n'


@pytest.mark.parametrize("content", ["id,n\n1,2\n", "short", '{"format": "other"}\n'])
def test_another_file_is_refused_and_left_alone(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(QueryLogError, match="is no query log"):
        QueryLog(path)
    assert path.read_text() == content


def test_a_log_that_became_unwritable_fails_the_observer_and_not_the_answer(
    path: Path, make_loader: Any, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    engine = QueryEngine(make_loader(db=[{"a": 1}]))
    settings = QueryLogSettings(flush_questions=2, max_questions=2)
    log = QueryLog(path, settings=settings, clock=clock)
    engine.add_observer(log)
    good = path.read_bytes()
    path.write_text("something else\n")
    with caplog.at_level(logging.CRITICAL):
        for value in range(6):
            assert len(engine.query("db").where(field("a") == value).run()) == (value == 1)
    assert engine.statistics().observer_failures == 3
    path.write_bytes(good)
    assert sorted(values(log)) == [4, 5]


def test_threads_lose_no_question(path: Path, clock: Any) -> None:
    log = QueryLog(path, settings=QueryLogSettings(flush_questions=7), clock=clock)

    def ask() -> None:
        for value in range(100):
            log.answered(asked(value % 10))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [question.count for question in log.questions()] == [40] * 10


_CHILD = """
import sys
sys.path[:0] = sys.argv[2:]
from tests.query_log.test_log import asked
from blackcore.minimal.query_engine.integration import QueryLog
from blackcore.minimal.query_engine.settings import QueryLogSettings
settings = QueryLogSettings(flush_questions=3, max_bytes=3_000)
log = QueryLog(sys.argv[1], settings=settings)
for value in range(60):
    log.answered(asked(value % 6))
"""


def test_processes_lose_no_question_though_they_compact_meanwhile(path: Path) -> None:
    root = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-c", _CHILD, str(path), root]
    children = [subprocess.Popen(command) for _ in range(2)]  # noqa: S603 - our own code
    assert [child.wait() for child in children] == [0, 0]
    log = QueryLog(path)
    assert sorted(question.count for question in log.questions()) == [20] * 6
    assert log.torn_lines == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_does_not_write_what_its_parent_gathered(path: Path, clock: Any) -> None:
    log = QueryLog(path, clock=clock)
    log.answered(asked(1))
    child = os.fork()
    if not child:
        log.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert [question.count for question in log.questions()] == [1]


def test_only_the_owner_may_read_it(path: Path) -> None:
    QueryLog(path).close()
    assert path.stat().st_mode & 0o077 == 0


def test_the_default_place_is_the_user_s_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "blackcore" / "queries.jsonl"
    log = QueryLog()
    assert log.path == default_path()
    assert repr(log) == f"QueryLog({str(default_path())!r})"


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"flush_seconds is 0"):
        QueryLogSettings(flush_seconds=0)
    with pytest.raises(SettingsError, match=r"path is 3; it must be a path, or None"):
        QueryLogSettings(path=3)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"query_log is True; it must be QueryLogSettings\(\)"):
        EngineSettings(query_log=True)  # type: ignore[arg-type]
