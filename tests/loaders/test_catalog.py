from __future__ import annotations

import gzip
import logging
import os
from typing import TYPE_CHECKING

import pytest

from blackcore.minimal.query_engine.errors import (
    AmbiguousDatabaseError,
    DataDirectoryError,
    UnknownDatabaseError,
)
from blackcore.minimal.query_engine.loaders.catalog import Catalog, scan_directory

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import WriteFile


def scan(folder: Path) -> Catalog:
    return scan_directory(folder, Catalog())


def test_database_is_named_by_the_stem_or_by_the_key_around_its_records(
    folder: Path, write: WriteFile
) -> None:
    write("flights.json", [{"a": 1}])
    write("contacts.json", {"People & Contacts": []})
    write("films.json.gz", {"Films": []})
    write("events.JSONL", '{"a": 1}')
    write("v1.2.ndjson.gz", "")
    catalog = scan(folder)
    assert catalog.names() == ["Films", "People & Contacts", "events", "flights", "v1.2"]
    for alias, name in [
        ("contacts", "People & Contacts"),
        ("contacts.json", "People & Contacts"),
        ("films", "Films"),
        ("flights.json", "flights"),
        ("v1.2.ndjson.gz", "v1.2"),
    ]:
        assert catalog.find(alias).name == name


def test_names_that_several_files_claim_stand_for_none(folder: Path, write: WriteFile) -> None:
    write("a.json", {"records": []})
    write("b.json", {"records": []})
    write("people.json", [])
    write("people.jsonl", "")
    write("x.json", {"people": []})
    catalog = scan(folder)
    assert catalog.names() == ["a", "b", "people.json", "people.jsonl", "x"]
    with pytest.raises(
        AmbiguousDatabaseError, match="'records' is claimed by several files; use 'a' or 'b'"
    ):
        catalog.find("records")
    with pytest.raises(UnknownDatabaseError, match=r"use 'people.json' or 'people.jsonl' or 'x'"):
        catalog.find("people")


def test_full_file_name_is_always_its_own(folder: Path, write: WriteFile) -> None:
    write("a.json", {"b.json": []})
    write("b.json", [])
    catalog = scan(folder)
    assert catalog.names() == ["a", "b"]
    assert catalog.find("b.json").name == "b"


def test_other_files_are_passed_over(folder: Path, write: WriteFile) -> None:
    write("notes.txt", "[]")
    write(".hidden.json", [])
    write(".json", [])
    write("data.json.bak", [])
    (folder / "folder.json").mkdir()
    os.mkfifo(folder / "pipe.json")
    (folder / "dangling.json").symlink_to(folder / "nowhere.json")
    (folder / "circle.json").symlink_to(folder / "circle.json")
    write("good.json", [])
    assert scan(folder).names() == ["good"]


def test_links_are_followed(folder: Path, write: WriteFile, tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_bytes(b'{"Far": []}')
    (folder / "near.json").symlink_to(outside)
    assert scan(folder).names() == ["Far"]


@pytest.mark.parametrize(
    "content",
    [
        '{"meta": 1, "records": []}',
        "{}",
        "",
        "nonsense",
        '{"cut',
        '{"": []}',
        '{"bad \\x escape": []}',
        b'{"\xff": []}',
        '{"half a character \\ud83d": []}',
        '{"' + "k" * 100_000 + '": []}',
    ],
)
def test_file_whose_key_cannot_be_seen_is_listed_by_its_stem(
    folder: Path, write: WriteFile, content: str
) -> None:
    write("odd.json", content)
    assert scan(folder).names() == ["odd"]


def test_file_that_cannot_be_looked_into_is_listed_and_logged(
    folder: Path, write: WriteFile, caplog: pytest.LogCaptureFixture
) -> None:
    write("plain.json.gz", b"").write_bytes(b"no gzip")
    with caplog.at_level(logging.INFO):
        assert scan(folder).names() == ["plain"]
    assert "plain.json.gz" in caplog.text


@pytest.mark.parametrize("head", ["", "\ufeff", " \n"])
def test_key_may_stand_behind_white_space_and_escapes(
    folder: Path, write: WriteFile, head: str
) -> None:
    write("x.json", head + '{ "A\\u0026B \\"q\\"" :\n [{"a": 1}]}')
    assert scan(folder).names() == ['A&B "q"']


def test_key_of_a_compressed_file_is_found_in_its_first_bytes(
    folder: Path, write: WriteFile
) -> None:
    packed = gzip.compress(b'{"Films": [' + os.urandom(300_000).hex().encode())
    write("x.json.gz", b"").write_bytes(packed[: 1 << 17])  # the rest is not even there
    assert scan(folder).names() == ["Films"]


def test_known_file_is_looked_into_again_only_when_changed(folder: Path, write: WriteFile) -> None:
    write("a.json", {"One": []})
    first = scan(folder)
    second = scan_directory(folder, first)
    assert second.find("One") is first.find("One")
    write("a.json", {"Two": []})
    assert scan_directory(folder, second).names() == ["Two"]


def test_file_just_written_is_looked_into_again(folder: Path, write: WriteFile) -> None:
    path = write("a.json", {"One": []})
    os.utime(path)
    first = scan(folder)
    file = first.find("One")
    assert scan_directory(folder, first).find("One") == file or not file.is_settled


def test_unknown_name_is_answered_with_the_nearest(folder: Path, write: WriteFile) -> None:
    write("flights.json", [])
    with pytest.raises(UnknownDatabaseError, match=r"'flihgts'; did you mean 'flights'\?"):
        scan(folder).find("flihgts")


def test_missing_directory_and_plain_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataDirectoryError, match=r"does not exist; create it .*\*\.json"):
        scan(tmp_path / "nowhere")
    (tmp_path / "file.json").touch()
    with pytest.raises(
        DataDirectoryError, match="is not a directory; pass the directory that holds"
    ):
        scan(tmp_path / "file.json")


def test_directory_that_cannot_be_listed_says_why(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(DataDirectoryError, match=r"cannot be listed: .*; check its permissions"):
        scan(loop)
