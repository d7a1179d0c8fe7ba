"""A log on disk: torn, foreign, full, not to be written, and bounded."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blackcore.minimal.query_engine import (
    EngineSettings,
    QueryEngine,
    QueryFilter,
    StructuredQuery,
    field,
)
from blackcore.minimal.query_engine.data import AnsweredQuery
from blackcore.minimal.query_engine.errors import QueryLogError
from blackcore.minimal.query_engine.integration import QueryLog
from blackcore.minimal.query_engine.settings import QueryLogSettings
from tests.query_log.asking import asked, values


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
def not_ours() -> Iterator[Path]:
    """Give a folder with a log, neither of which may be written while the test runs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        QueryLog(folder / "queries.jsonl").close()
        (folder / "queries.jsonl").chmod(0o444)
        folder.chmod(0o555)
        is_root = os.geteuid() == 0
        if is_root:  # who may write anywhere
            os.seteuid(65_534)
        try:
            yield folder
        finally:
            if is_root:
                os.seteuid(0)
            folder.chmod(0o755)


@pytest.mark.skipif(os.name != "posix", reason="no users here")
@pytest.mark.parametrize("name", ["queries.jsonl", "other.jsonl", "folder/queries.jsonl"])
def test_what_may_not_be_written_is_refused(not_ours: Path, name: str) -> None:
    said = rf"{name}' cannot be used: Permission denied; name a file in a folder that can be"
    with pytest.raises(QueryLogError, match=said):
        QueryLog(not_ours / name)


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
