"""Which databases a directory of JSON files holds, and what each is called."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..errors import AmbiguousDatabaseError, DataDirectoryError, UnknownDatabaseError
from .reading import Stamp, read_head

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

logger = logging.getLogger(__name__)

ALLOWED = "*.json, *.jsonl or *.ndjson, each also with .gz"

_FILE_NAME = re.compile(
    r"(?P<stem>.+)\.(?P<kind>json|jsonl|ndjson)(?P<gz>\.gz)?", re.IGNORECASE | re.DOTALL
)
_HEAD_BYTES = 64 * 1024
# an object whose first value is an array: its key may name the database
_FIRST_KEY = re.compile(
    rb'(?:\xef\xbb\xbf)?[ \t\r\n]*\{[ \t\r\n]*("(?:[^"\\]|\\.)++")[ \t\r\n]*:[ \t\r\n]*\['
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFile:
    """One file of the directory.

    Attributes:
        name: what the database is listed as.
        key: the first key of the file's object, where that key holds an array.
        is_lines: one object a line, rather than one array.
        is_settled: False where the file was written so recently that its stamp may still stand
            for another content when looked at again.
    """

    path: str
    file_name: str
    stem: str
    is_lines: bool
    is_compressed: bool
    stamp: Stamp
    is_settled: bool
    key: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Catalog:
    """The databases of a directory at one moment.

    A file answers to its key (if its records lie under one), its stem and its file name, and is
    listed under the first of these that no other file claims. A name that several files claim
    stands for none of them: nobody should get one of two files by luck. A file's own full name is
    always its own.
    """

    by_name: Mapping[str, DatabaseFile] = field(default_factory=dict)
    claimed_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Ambiguous names, and the names under which the files that claim them are listed."""

    def names(self) -> list[str]:
        """Return the listed names, sorted."""
        return sorted({file.name for file in self.by_name.values()})

    def find(self, name: str) -> DatabaseFile:
        """Return the file that answers to a name; a look-up only, no path is ever made of it.

        Raises:
            UnknownDatabaseError: no file does, or several do.
        """
        file = self.by_name.get(name)
        if file is not None:
            return file
        if name in self.claimed_by:
            raise AmbiguousDatabaseError(name, self.claimed_by[name])
        raise UnknownDatabaseError(name, self.names())


def scan_directory(directory: Path, previous: Catalog) -> Catalog:
    """Return the databases that are in a directory now.

    Files of other suffixes, hidden files (temporary ones mostly are), folders and pipes are passed
    over; links are followed, to wherever the owner of the directory let them point. Only the head
    of a file is read, and only where the previous catalog does not know the file as it is now.

    Raises:
        DataDirectoryError: the directory cannot be listed.
    """
    known = {file.file_name: file for file in previous.by_name.values()}
    files: list[DatabaseFile] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                match = _FILE_NAME.fullmatch(entry.name)
                if match is None or entry.name.startswith("."):
                    continue
                if (file := _database_file(entry, match, known.get(entry.name))) is not None:
                    files.append(file)
    except OSError as error:
        raise _directory_error(directory, error) from error
    return _named(sorted(files, key=lambda file: file.file_name))


def _directory_error(directory: Path, error: OSError) -> DataDirectoryError:
    shown = str(directory)
    if isinstance(error, FileNotFoundError):
        advice = f"does not exist; create it and put databases into it ({ALLOWED})"
    elif isinstance(error, NotADirectoryError):
        advice = f"is not a directory; pass the directory that holds it: {str(directory.parent)!r}"
    else:
        advice = f"cannot be listed: {error.strerror or error}; check its permissions"
    return DataDirectoryError(f"data directory {shown!r} {advice}")


def _database_file(
    entry: os.DirEntry[str], match: re.Match[str], known: DatabaseFile | None
) -> DatabaseFile | None:
    try:
        if not entry.is_file():
            return None
        stamp = Stamp.of(entry.stat())
    except OSError as error:  # a link in a circle, or a file deleted meanwhile
        logger.info("passed over %r: %s", entry.path, error)
        return None
    if known is not None and known.stamp == stamp and known.is_settled:
        return known
    is_lines = match["kind"].lower() != "json"
    is_compressed = match["gz"] is not None
    return DatabaseFile(
        path=entry.path,
        file_name=entry.name,
        stem=match["stem"],
        is_lines=is_lines,
        is_compressed=is_compressed,
        stamp=stamp,
        is_settled=not stamp.unsettled_ns(time.time_ns()),
        key=None if is_lines else _first_key(entry.path, is_compressed=is_compressed),
    )


def _first_key(path: str, *, is_compressed: bool) -> str | None:
    """Return the first key of the object in a file, if an array follows it."""
    try:
        head = read_head(path, compressed=is_compressed, head_bytes=_HEAD_BYTES)
        match = _FIRST_KEY.match(head)
        return None if match is None else _askable(json.loads(match[1]))
    except (OSError, ValueError) as error:
        # listed by its stem all the same: loading it says in full what is wrong
        logger.info("cannot look into %r: %s", path, error)
        return None


def _askable(key: str) -> str | None:
    """Return a key by which a question can name a database: no half a character is in it."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return None
    return key


def _named(files: list[DatabaseFile]) -> Catalog:
    """Return the catalog of files, each under the first name that is its alone."""
    own_names = {file.file_name for file in files}
    claims: defaultdict[str, list[DatabaseFile]] = defaultdict(list)
    for file in files:
        for name in _candidates(file):
            if name == file.file_name or name not in own_names:
                claims[name].append(file)
    listed: dict[str, DatabaseFile] = {}
    for file in files:
        name = next(name for name in _candidates(file) if claims[name] == [file])
        listed[file.file_name] = file if file.name == name else replace(file, name=name)
    return Catalog(
        {name: listed[by[0].file_name] for name, by in claims.items() if len(by) == 1},
        {
            name: tuple(listed[file.file_name].name for file in by)
            for name, by in claims.items()
            if len(by) > 1
        },
    )


def _candidates(file: DatabaseFile) -> tuple[str, ...]:
    """Return the names a file would like, the best first, each once."""
    names = (file.key, file.stem, file.file_name)
    return tuple(dict.fromkeys(name for name in names if name))
