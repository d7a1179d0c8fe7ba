"""Never half a file: what stands at the target is the old or the whole new one."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

import pytest

from blackcore.minimal.query_engine.errors import ExportOptionError, ExportPathError
from blackcore.minimal.query_engine.export import AtomicFile, StreamingExporter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ROWS = [{"a": "x" * 100, "n": n} for n in range(5_000)]
ROOT = Path(__file__).parents[2]


def in_child(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)  # noqa: S603 - our own code


def raising(rows: Any, error: Any) -> Iterator[Any]:
    yield from rows
    raise error


async def raising_async(rows: Any, error: Any) -> AsyncIterator[Any]:
    for row in rows:
        yield row
    raise error


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "csv.gz", "json.zst"])
@pytest.mark.parametrize("after", [0, 1, 3_000])
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_source_that_raises_leaves_the_old_file_and_nothing_beside_it(
    exporter: StreamingExporter,
    suffix: Any,
    after: Any,
    asynchronous: Any,
    tmp_path: Path,
    only: Any,
) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"old")
    make = raising_async if asynchronous else raising
    with pytest.raises(LookupError, match="gone") as caught:
        await exporter.export_async(make(ROWS[:after], LookupError("gone")), path)
    assert path.read_bytes() == b"old"
    assert only(tmp_path) == [path.name]
    if not asynchronous:
        assert caught.value.__notes__[0].startswith("the export stopped after ")


def test_clean_exit_without_commit_leaves_the_old_file(tmp_path: Path, only: Any) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with AtomicFile(tmp_path / "a") as file:
        file.write(b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert only(tmp_path) == ["a"]


def test_file_that_is_not_open_says_how_to_open_it(tmp_path: Path) -> None:
    with pytest.raises(ExportOptionError, match="with statement"):
        AtomicFile(tmp_path / "a").write(b"x")


def test_permissions_are_those_of_a_new_file(exporter: StreamingExporter, tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    exporter.export([], tmp_path / "new.csv")
    (tmp_path / "old.csv").touch(mode=0o600)
    exporter.export([], tmp_path / "old.csv")
    expected = stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    for name in ("new.csv", "old.csv"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == expected


def test_target_of_a_link_is_replaced_and_not_the_link(
    exporter: StreamingExporter, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    for real in (tmp_path / "folder" / "real.json", tmp_path / "folder" / "dangling.json"):
        link = tmp_path / f"link-{real.name}"
        link.symlink_to(real)
        if "real" in real.name:
            real.write_bytes(b"old")
        exporter.export_json([{"a": 1}], link)
        assert link.is_symlink()
        assert real.read_bytes() == b'[{"a":1}]'


def test_existing_target_can_be_refused(
    exporter: StreamingExporter, tmp_path: Path, only: Any
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"old")
    with pytest.raises(ExportPathError, match="it exists; choose another name"):
        exporter.export_csv(ROWS, path, on_exists="error")
    assert path.read_bytes() == b"old"
    path.unlink()
    assert exporter.export_csv(ROWS, path, on_exists="error") == len(ROWS)
    assert only(tmp_path) == ["a.csv"]
    assert path.stat().st_nlink == 1


def test_target_that_appears_meanwhile_is_not_replaced_if_that_is_refused(
    exporter: StreamingExporter, tmp_path: Path, only: Any
) -> None:
    path = tmp_path / "a.csv"

    def rows() -> Iterator[Any]:
        yield {"a": 1}
        path.write_bytes(b"of another")

    with pytest.raises(ExportPathError, match="it exists") as caught:
        exporter.export_csv(rows(), path, on_exists="error")
    assert caught.value.rows_written == 1
    assert path.read_bytes() == b"of another"
    assert only(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("taken", [True, False])
def test_file_systems_without_hard_links_are_served_as_well_as_can_be(
    exporter: StreamingExporter,
    taken: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    only: Any,
) -> None:
    path = tmp_path / "a.csv"

    def no_links(source: Any, target: Any) -> Never:
        if taken:
            path.write_bytes(b"of another")
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    expected = (
        pytest.raises(ExportPathError, match="it exists") if taken else contextlib.nullcontext()
    )
    with expected:
        exporter.export_csv([{"a": 1}], path, on_exists="error")
    assert path.read_bytes() == (b"of another" if taken else b"a\r\n1\r\n")
    assert only(tmp_path) == ["a.csv"]


def test_directory_as_target_is_refused(exporter: StreamingExporter, tmp_path: Path) -> None:
    with pytest.raises(ExportPathError, match="it is a directory; give the name of a file in it"):
        exporter.export(ROWS, tmp_path, "csv")


def test_file_as_folder_is_refused(exporter: StreamingExporter, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportPathError, match="cannot write"):
        exporter.export_csv(ROWS, tmp_path / "file" / "a.csv")


@pytest.mark.parametrize("read_only", ["file", "folder"])
def test_read_only_target_is_refused(read_only: Any, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.csv"
    path.parent.mkdir()
    path.write_bytes(b"old")
    path.chmod(0o444 if read_only == "file" else 0o666)
    path.parent.chmod(0o555 if read_only == "folder" else 0o777)
    for folder in (tmp_path, *tmp_path.parents):  # as many as the test runner likes
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o055)
    code = """
        import os, sys
        from blackcore.minimal.query_engine.errors import ExportPathError
        from blackcore.minimal.query_engine.export import StreamingExporter
        StreamingExporter().export([{"a": 1}], os.devnull, "csv")  # imports what it needs
        if os.getuid() == 0:  # nothing is read-only for root
            os.setgid(65534); os.setuid(65534)
        try:
            StreamingExporter().export([{"a": 1}], sys.argv[1])
        except ExportPathError as error:
            print(error)
    """
    said = in_child(code, str(path)).communicate()[0].decode()
    path.parent.chmod(0o755)
    assert "it is read-only" in said if read_only == "file" else "Permission denied" in said
    assert path.read_bytes() == b"old"
    assert len(list(path.parent.iterdir())) == 1


def test_device_is_written_directly(exporter: StreamingExporter) -> None:
    assert exporter.export(ROWS, os.devnull, "csv") == len(ROWS)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_pipe_is_written_directly(exporter: StreamingExporter, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    exporter.export([{"a": 1}], tmp_path / "pipe", "json")
    reader.join()
    assert read == [b'[{"a":1}]']


@pytest.mark.parametrize("suffix", ["csv", "json.gz"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_full_disk_leaves_the_old_file_and_names_the_rows(
    suffix: Any, asynchronous: Any, tmp_path: Path, only: Any
) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"old")
    code = """
        import asyncio, random, resource, signal, sys
        from blackcore.minimal.query_engine.errors import ExportPathError
        from blackcore.minimal.query_engine.export import StreamingExporter
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        rows = [{"a": random.randbytes(50).hex()} for _ in range(20_000)]
        exporter = StreamingExporter()
        try:
            if sys.argv[2] == "True":
                asyncio.run(exporter.export_async(rows, sys.argv[1]))
            else:
                exporter.export(rows, sys.argv[1])
        except ExportPathError as error:
            print(error, error.rows_written > 0, error.errno)
    """
    said = in_child(code, str(path), str(asynchronous)).communicate()[0].decode()
    assert "File too large, after" in said
    assert f"True {errno.EFBIG}" in said
    assert path.read_bytes() == b"old"
    assert only(tmp_path) == [path.name]


def test_killed_run_leaves_the_old_file_and_the_next_removes_what_it_left(
    exporter: StreamingExporter, tmp_path: Path, only: Any
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"old")
    code = """
        import sys, time
        from blackcore.minimal.query_engine.export import StreamingExporter
        def rows():
            for n in range(10_000):
                yield {"a": "x" * 100, "n": n}
            print("midway", flush=True)
            time.sleep(60)
        StreamingExporter().export_csv(rows(), sys.argv[1])
    """
    child = in_child(code, str(path))
    assert child.stdout is not None
    assert child.stdout.readline() == b"midway\n"
    names = only(tmp_path)
    assert len(names) == 2
    # a live one is left alone
    exporter.export_csv([{"a": 1}], path)
    assert only(tmp_path) == names
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert path.read_bytes() == b"a\r\n1\r\n"
    assert only(tmp_path) == names
    exporter.export_csv([{"a": 2}], tmp_path / "other.csv")
    assert len(only(tmp_path)) == 3
    exporter.export_csv([{"a": 3}], path)
    assert only(tmp_path) == ["a.csv", "other.csv"]
    assert path.read_bytes() == b"a\r\n3\r\n"


def test_files_that_only_look_alike_are_left_alone(
    exporter: StreamingExporter, tmp_path: Path, only: Any
) -> None:
    others = [".a.csv.part", ".a.csv.notours1.part", ".a.csv.b.0123abcd.part", "a.csv.part"]
    for name in others:
        (tmp_path / name).touch()
    (tmp_path / ".a.csv.0123abcd.part").touch()
    exporter.export_csv([], tmp_path / "a.csv")
    assert only(tmp_path) == sorted([*others, "a.csv"])


def test_leftover_that_cannot_be_removed_is_logged_and_left(
    exporter: StreamingExporter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    leftover = tmp_path / ".a.csv.0123abcd.part"
    leftover.touch()
    unlink = Path.unlink

    def stuck(path: Path, missing_ok: bool = False) -> None:
        if path == leftover:
            raise PermissionError(errno.EPERM, "stuck")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", stuck)
    exporter.export_csv([{"a": 1}], tmp_path / "a.csv")
    assert "cannot remove" in caplog.text
    assert (tmp_path / "a.csv").exists()


def test_two_exports_to_one_path_at_once_leave_one_whole_file(
    exporter: StreamingExporter, tmp_path: Path, only: Any
) -> None:
    path = tmp_path / "a.csv"
    inside = threading.Barrier(2)

    def rows(mark: str) -> Iterator[Any]:
        yield {"a": mark}
        inside.wait(timeout=30)  # both have their temporary file now
        for _ in range(3_000):
            yield {"a": mark}

    threads = [
        threading.Thread(target=exporter.export_csv, args=(rows(mark), path)) for mark in "xy"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = path.read_text().splitlines()
    assert len(lines) == 3_002
    assert len(set(lines[1:])) == 1
    assert only(tmp_path) == ["a.csv"]


def test_longest_names_fit(exporter: StreamingExporter, tmp_path: Path, only: Any) -> None:
    name = "n" * 251 + ".csv"
    (tmp_path / name).touch()
    exporter.export_csv([{"a": 1}], tmp_path / name)
    assert only(tmp_path) == [name]


def test_lock_that_a_file_system_does_not_have_keeps_leftovers(
    exporter: StreamingExporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only: Any
) -> None:
    import fcntl

    (tmp_path / ".a.csv.0123abcd.part").touch()

    def unsupported(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks here")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    exporter.export_csv([{"a": 1}], tmp_path / "a.csv")
    assert only(tmp_path) == [".a.csv.0123abcd.part", "a.csv"]


def test_limit_of_open_files_is_an_error_of_ours(tmp_path: Path) -> None:
    exporter = StreamingExporter()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(ExportPathError, match="Too many open files"):
            exporter.export_csv([{"a": 1}], tmp_path / "a.csv")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
