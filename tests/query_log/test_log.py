from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
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
from blackcore.minimal.query_engine.errors import SettingsError
from blackcore.minimal.query_engine.integration import QueryLog, default_path
from blackcore.minimal.query_engine.settings import QueryLogSettings
from tests.query_log.asking import asked, values


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
from tests.query_log.asking import asked
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
