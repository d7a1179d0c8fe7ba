from __future__ import annotations

import gc
import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from blackcore.minimal.query_engine.errors import (
    DatabaseFormatError,
    DatabaseReadError,
    DataDirectoryError,
    LoaderError,
    UnknownDatabaseError,
)
from blackcore.minimal.query_engine.loaders import JSONDataLoader, LoadProgress
from blackcore.minimal.query_engine.settings import LoaderSettings

from .conftest import LONG_AGO_NS

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import WriteFile

PEOPLE = [{"name": "Ada", "tags": ["x"]}, {"name": "Émile", "age": None}]
LINES = "".join(json.dumps(row) + "\n" for row in PEOPLE)


class Reports:
    """A progress callback that keeps what it is told and may do something at the first."""

    def __init__(self) -> None:
        self.seen: list[LoadProgress] = []
        self.todo: list[object] = []

    def __call__(self, progress: LoadProgress) -> None:
        self.seen.append(progress)
        if self.todo:
            self.todo.pop(0)()  # type: ignore[operator,unused-ignore]


@pytest.mark.parametrize(
    ("file_name", "content"),
    [
        ("people.json", PEOPLE),
        ("people.json.gz", PEOPLE),
        ("x.json", {"people": PEOPLE}),
        ("x.json.gz", {"people": PEOPLE}),
        ("people.jsonl", LINES),
        ("people.ndjson", LINES),
        ("people.jsonl.gz", LINES),
        ("people.NDJSON.gz", LINES),
    ],
)
@pytest.mark.parametrize("block_bytes", [5, 1 << 20])
def test_every_kind_of_file_gives_its_records(
    folder: Path, write: WriteFile, file_name: str, content: object, block_bytes: int
) -> None:
    write(file_name, content)
    loader = JSONDataLoader(folder, settings=LoaderSettings(block_bytes=block_bytes))
    assert loader.get_available_databases() == ["people"]
    assert loader.load_database("people") == PEOPLE


def test_key_as_name_stem_and_file_name_lead_to_the_same_list(
    folder: Path, write: WriteFile
) -> None:
    write("contacts.json", {"People & Contacts": PEOPLE})
    loader = JSONDataLoader(folder)
    rows = loader.load_database("People & Contacts")
    assert loader.load_database("contacts") is rows
    assert loader.load_database("contacts.json") is rows
    assert loader.database_version("contacts") == loader.database_version("People & Contacts")


@pytest.mark.parametrize(
    "name", ["../secret", "../secret.json", "/etc/passwd", "data/../people", ""]
)
def test_names_never_lead_out_of_the_directory(
    folder: Path, write: WriteFile, name: str, tmp_path: Path
) -> None:
    (tmp_path / "secret.json").write_text("[]")
    write("people.json", PEOPLE)
    loader = JSONDataLoader(folder)
    for ask in (loader.load_database, loader.database_version, loader.refresh_cache):
        with pytest.raises(UnknownDatabaseError, match="unknown database"):
            ask(name)


def test_directory_without_databases_is_refused_at_once(folder: Path, write: WriteFile) -> None:
    write("notes.txt", "hello")
    with pytest.raises(
        DataDirectoryError, match=r"holds no database; put files into it \(\*\.json"
    ):
        JSONDataLoader(folder)
    with pytest.raises(DataDirectoryError, match="does not exist"):
        JSONDataLoader(folder / "nowhere")


def test_directory_is_found_after_a_change_of_the_working_directory(
    folder: Path, write: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("people.json", PEOPLE)
    monkeypatch.chdir(folder.parent)
    loader = JSONDataLoader("data")
    monkeypatch.chdir("/")
    assert loader.load_database("people") == PEOPLE


def test_records_are_kept_until_refreshed(folder: Path, write: WriteFile) -> None:
    write("people.json", PEOPLE)
    write("places.json", [])
    loader = JSONDataLoader(folder)
    people, places = loader.load_database("people"), loader.load_database("places")
    versions = loader.database_version("people"), loader.database_version("places")
    assert loader.load_database("people") is people
    loader.refresh_cache("people")
    assert loader.load_database("people") is not people
    assert loader.load_database("places") is places
    assert loader.database_version("people") != versions[0]
    assert loader.database_version("places") == versions[1]
    loader.refresh_cache()
    assert loader.load_database("places") is not places
    assert loader.load_database("people") == people


def test_changed_file_has_a_new_version_and_is_read_again(folder: Path, write: WriteFile) -> None:
    path = write("people.json", PEOPLE)
    loader = JSONDataLoader(folder)
    version = loader.database_version("people")
    assert loader.load_database("people") == PEOPLE
    assert loader.database_version("people") == version
    # the same size and modification time: the change time still tells
    path.write_bytes(path.read_bytes().replace(b"Ada", b"Eva"))
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    assert loader.database_version("people") != version
    assert loader.load_database("people")[0]["name"] == "Eva"


def test_file_written_a_moment_ago_is_read_once_its_tick_is_over(
    folder: Path, write: WriteFile
) -> None:
    path = write("people.json", PEOPLE)
    loader = JSONDataLoader(folder)
    for number in range(20):
        path.write_text(json.dumps([{"n": 10 + number}]))
        assert loader.load_database("people") == [{"n": 10 + number}]


def test_file_read_within_the_tick_of_its_writing_is_not_trusted(
    folder: Path, write: WriteFile
) -> None:
    write("people.json", PEOPLE)
    loader = JSONDataLoader(folder)
    _, state = loader._now("people")
    assert not loader._stood_still("people", state, began_ns=LONG_AGO_NS + 1)
    assert loader._stood_still("people", state, began_ns=LONG_AGO_NS + 10**9)


def test_change_of_key_is_noticed(folder: Path, write: WriteFile) -> None:
    write("a.json", {"One": PEOPLE})
    loader = JSONDataLoader(folder)
    loader.load_database("One")
    write("a.json", {"Two": []})
    with pytest.raises(UnknownDatabaseError, match="Two"):
        loader.load_database("One")
    assert loader.load_database("Two") == []


def test_new_and_vanished_files_are_seen(folder: Path, write: WriteFile) -> None:
    people = write("people.json", PEOPLE)
    loader = JSONDataLoader(folder)
    loader.load_database("people")
    write("places.json", [{"id": 1}])
    assert loader.load_database("places") == [{"id": 1}]
    assert loader.get_available_databases() == ["people", "places"]
    people.unlink()
    for ask in (loader.load_database, loader.database_version):
        with pytest.raises(UnknownDatabaseError, match=r"'people'; there are: 'places'"):
            ask("people")
    assert loader.get_available_databases() == ["places"]
    assert "1 databases, 1 loaded" in repr(loader)


def test_directory_that_vanishes_is_said_to_be_missing(folder: Path, write: WriteFile) -> None:
    path = write("people.json", PEOPLE)
    loader = JSONDataLoader(folder)
    path.unlink()
    folder.rmdir()
    with pytest.raises(DataDirectoryError, match="does not exist"):
        loader.load_database("people")
    with pytest.raises(DataDirectoryError, match="does not exist"):
        loader.get_available_databases()


def test_one_bad_database_does_not_stop_the_others(folder: Path, write: WriteFile) -> None:
    write("people.json", PEOPLE)
    write("cut.json", '[{"a": 1}, {')
    write("lines.jsonl", '{"a": 1}\n[]\n')
    write("packed.json.gz", PEOPLE).write_bytes(b"\x1f\x8b\x08 nonsense")
    loader = JSONDataLoader(folder)
    assert loader.get_available_databases() == ["cut", "lines", "packed", "people"]
    result = loader.load_databases()
    assert result.loaded == {"people": PEOPLE}
    assert {name: type(error) for name, error in result.failed.items()} == {
        "cut": DatabaseFormatError,
        "lines": DatabaseFormatError,
        "packed": DatabaseFormatError,
    }
    assert "cut.json at byte 12" in str(result.failed["cut"])
    assert "lines.jsonl, line 2" in str(result.failed["lines"])
    assert "near byte 0 of the compressed file" in str(result.failed["packed"])
    assert str(folder) in str(result.failed["cut"])


def test_bad_database_is_read_again_when_mended(folder: Path, write: WriteFile) -> None:
    write("people.json", "[")
    loader = JSONDataLoader(folder)
    with pytest.raises(DatabaseFormatError):
        loader.load_database("people")
    write("people.json", PEOPLE)
    assert loader.load_database("people") == PEOPLE


def test_several_databases_are_loaded_by_name(folder: Path, write: WriteFile) -> None:
    for number in range(6):
        write(f"d{number}.json", [{"n": number}])
    loader = JSONDataLoader(folder, settings=LoaderSettings(load_threads=3))
    result = loader.load_databases(["d4", "d1", "d4", "none"])
    assert list(result.loaded) == ["d4", "d1"]
    assert result.loaded["d4"] is loader.load_database("d4")
    assert isinstance(result.failed["none"], UnknownDatabaseError)
    assert loader.load_databases("d5").loaded == {"d5": [{"n": 5}]}
    assert loader.load_databases([]).loaded == {}


async def test_async_twin_gives_the_same(folder: Path, write: WriteFile) -> None:
    write("people.json", PEOPLE)
    loader = JSONDataLoader(folder)
    assert await loader.aload_databases() == loader.load_databases(["people"])


def test_database_asked_for_by_many_threads_is_read_once(folder: Path, write: WriteFile) -> None:
    write("people.json", PEOPLE)
    reports = Reports()
    loader = JSONDataLoader(folder, on_progress=reports)
    start = threading.Barrier(8)

    def load(_: int) -> list[dict[str, object]]:
        start.wait(10)
        return loader.load_database("people")

    with ThreadPoolExecutor(8) as pool:
        lists = list(pool.map(load, range(8)))
    assert len({id(rows) for rows in lists}) == 1
    assert [report.done for report in reports.seen] == [False, True]


def test_thread_that_waited_for_a_load_gets_its_records(folder: Path, write: WriteFile) -> None:
    write("people.json", PEOPLE)
    reports = Reports()
    loader = JSONDataLoader(folder, on_progress=reports)
    second: list[list[dict[str, object]]] = []
    thread = threading.Thread(target=lambda: second.append(loader.load_database("people")))
    reports.todo = [thread.start]
    first = loader.load_database("people")
    thread.join(10)
    assert second[0] is first


def test_file_that_changes_while_it_is_read_is_read_again(folder: Path, write: WriteFile) -> None:
    write("people.json", PEOPLE)
    reports = Reports()
    loader = JSONDataLoader(folder, on_progress=reports)
    reports.todo = [lambda: write("people.json", [{"name": "new"}])]
    assert loader.load_database("people") == [{"name": "new"}]
    assert [report.done for report in reports.seen] == [False, False, True]
    assert reports.seen[-1].records == 1


def test_file_cut_off_by_its_writer_is_read_again(folder: Path, write: WriteFile) -> None:
    path = write("people.json", "[{")
    reports = Reports()
    loader = JSONDataLoader(folder, on_progress=reports)
    reports.todo = [lambda: write("next.json", PEOPLE).rename(path)]
    assert loader.load_database("people") == PEOPLE


def test_file_that_never_stands_still_is_given_up_and_not_kept(
    folder: Path, write: WriteFile
) -> None:
    path = write("people.json", [])
    reports = Reports()
    loader = JSONDataLoader(folder, on_progress=reports, settings=LoaderSettings(read_attempts=2))

    def replace() -> None:  # by another file, so that the one being read stays as it is
        write("next.json", []).rename(path)

    reports.todo = [replace, replace]
    with pytest.raises(DatabaseReadError, match=r"changed during each of 2 attempts.*rename it"):
        loader.load_database("people")
    assert loader.load_database("people") == []


def test_records_read_before_a_refresh_are_not_kept_after_it(
    folder: Path, write: WriteFile
) -> None:
    write("people.json", PEOPLE)
    reports = Reports()
    loader = JSONDataLoader(folder, on_progress=reports)
    reports.todo = [loader.refresh_cache]
    rows = loader.load_database("people")
    assert [report.done for report in reports.seen] == [False, False, True]
    assert loader.load_database("people") is rows


def test_file_that_vanishes_while_it_is_read_is_unknown(folder: Path, write: WriteFile) -> None:
    path = write("people.json", PEOPLE)
    write("places.json", [])
    reports = Reports()
    loader = JSONDataLoader(folder, on_progress=reports)
    reports.todo = [path.unlink]
    with pytest.raises(UnknownDatabaseError, match="'places'"):
        loader.load_database("people")


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (PermissionError(13, "Permission denied"), DatabaseReadError, "Permission denied; check"),
        (FileNotFoundError(2, "gone"), UnknownDatabaseError, "unknown database 'people'"),
    ],
)
def test_file_that_cannot_be_opened_is_named(
    folder: Path,
    write: WriteFile,
    monkeypatch: pytest.MonkeyPatch,
    fault: OSError,
    error: type[LoaderError],
    message: str,
) -> None:
    write("people.json", PEOPLE)
    loader = JSONDataLoader(folder)

    def refuse(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr("pathlib.Path.open", refuse)  # tests may run as root, who may read all
    with pytest.raises(error, match=message) as caught:
        loader.load_database("people")
    assert caught.value.__cause__ is fault


def test_progress_is_told_by_blocks_and_at_the_end(folder: Path, write: WriteFile) -> None:
    path = write("people.jsonl", LINES)
    reports = Reports()
    loader = JSONDataLoader(
        folder, on_progress=reports, settings=LoaderSettings(block_bytes=len(LINES) // 2 + 1)
    )
    loader.load_database("people")
    size = path.stat().st_size
    assert [(r.bytes_read, r.records, r.done) for r in reports.seen] == [
        (size // 2 + 1, None, False),
        (size, 1, False),
        (size, 2, True),
    ]
    assert {(r.database, r.total_bytes) for r in reports.seen} == {("people", size)}
    loader.load_database("people")
    assert len(reports.seen) == 3


def test_progress_callback_that_raises_costs_no_records(
    folder: Path, write: WriteFile, caplog: pytest.LogCaptureFixture
) -> None:
    write("people.json", PEOPLE)

    def broken(_: LoadProgress) -> None:
        raise ValueError("no terminal")

    assert JSONDataLoader(folder, on_progress=broken).load_database("people") == PEOPLE
    assert "no terminal" in caplog.text


def test_callback_that_asks_for_its_own_database_is_refused_not_hung(
    folder: Path, write: WriteFile
) -> None:
    write("people.json", PEOPLE)
    write("places.json", [])
    refused: list[Exception] = []
    others: list[object] = []

    def ask(progress: LoadProgress) -> None:
        if progress.database == "places":
            return
        others.append(loader.load_database("places"))
        try:
            loader.load_database("people")
        except LoaderError as error:
            refused.append(error)

    loader = JSONDataLoader(folder, on_progress=ask)
    assert loader.load_database("people") == PEOPLE
    assert others[0] == []
    assert "progress callback of its own load" in str(refused[0])


def test_collector_is_as_before_after_a_load(folder: Path, write: WriteFile) -> None:
    write("people.json", PEOPLE)
    write("cut.json", "[")
    assert gc.isenabled()
    during: list[bool] = []
    loader = JSONDataLoader(folder, on_progress=lambda _: during.append(gc.isenabled()))
    loader.load_databases()
    assert gc.isenabled()
    assert during


def test_repr_says_where_and_how_much(folder: Path, write: WriteFile) -> None:
    write("people.json", PEOPLE)
    write("places.json", [])
    loader = JSONDataLoader(folder)
    loader.load_database("people")
    assert repr(loader) == (f"<JSONDataLoader {str(folder)!r}: 2 databases, 1 loaded (2 records)>")


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_child_forked_during_a_load_can_load(folder: Path, write: WriteFile) -> None:
    write("people.json", PEOPLE)
    reports = Reports()
    loader = JSONDataLoader(folder, on_progress=reports)
    reading, forked = threading.Event(), threading.Event()

    def hold() -> None:
        reading.set()
        forked.wait(10)

    reports.todo = [hold]
    thread = threading.Thread(target=loader.load_database, args=("people",))
    thread.start()
    assert reading.wait(10)
    child = os.fork()
    if child == 0:  # pragma: no cover - in the child, which must not return to pytest
        signal.alarm(20)  # fail rather than hang
        os._exit(0 if loader.load_database("people") == PEOPLE else 1)
    forked.set()
    assert os.waitpid(child, 0)[1] == 0
    thread.join(10)
