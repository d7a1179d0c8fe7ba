"""The file behind a query log: JSON lines that several processes append to.

The first line says what the file is and in which version of its format. Each further line says
that a question was asked so many times more. A line is whole when it ends in a newline and is
JSON; what a killed process left of one is set aside in a file beside.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from ..errors import QueryLogError
from .file_lock import locked

_log = logging.getLogger(__name__)

FORMAT: Final = "blackcore query log"
VERSION: Final = 1
_OWNER_ONLY: Final = 0o600
"""Questions hold what somebody looked for."""


class LogFile:
    """One log file. Every access is made under a lock that holds between processes.

    Where the system has no `flock`, single processes are safe and several are not.

    Args:
        path: of the file; made with its folders where it is not there.

    Attributes:
        torn_lines: lines that could not be read, so far, and were set aside.

    Raises:
        QueryLogError: the path is a directory, cannot be written, or is another kind of file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn_lines = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error
        with self._locked():
            self._prepare()

    def append(self, lines: Iterable[Mapping[str, object]]) -> int:
        """Add lines by one write; return how many bytes the file then has.

        Raises:
            QueryLogError: nothing could be written, or not all; what was is taken back.
        """
        block = "".join(f"{_written(line)}\n" for line in lines).encode()
        with self._locked():
            self._prepare()
            try:
                with self._opened(os.O_WRONLY | os.O_APPEND) as descriptor:
                    return self._write(descriptor, block)
            except OSError as error:
                raise self._unusable(error) from error

    def read(self) -> list[Mapping[str, object]]:
        """Return every whole line but the first; others are set aside, and counted."""
        with self._locked():
            self._prepare()
            return self._lines()

    @contextmanager
    def rewriting(self) -> Iterator[tuple[list[Mapping[str, object]], list[Mapping[str, object]]]]:
        """Give all lines there are and a list to fill, which then takes their place.

        No line that another process appends meanwhile is lost: it waits.
        """
        with self._locked():
            self._prepare()
            new: list[Mapping[str, object]] = []
            yield self._lines(), new
            self._replace(new)

    def _replace(self, lines: Iterable[Mapping[str, object]]) -> None:
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        text = "".join(f"{_written(line)}\n" for line in (_HEADER, *lines))
        try:
            descriptor = os.open(
                temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, _OWNER_ONLY
            )
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode())
            temporary.replace(self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise self._unusable(error) from error

    def _prepare(self) -> None:
        """Make the file where there is none, check what it is, and set a torn tail aside."""
        try:
            with self._opened(os.O_RDWR | os.O_CREAT | os.O_APPEND) as descriptor:
                size = self._checked_size(descriptor)
                if size:
                    self._check_header(descriptor)
                    size = self._without_torn_tail(descriptor, size)
                if not size:
                    os.write(descriptor, f"{_written(_HEADER)}\n".encode())
        except OSError as error:
            raise self._unusable(error) from error

    def _checked_size(self, descriptor: int) -> int:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise QueryLogError(f"query log {str(self.path)!r} is not a regular file; name a file")
        return found.st_size

    def _check_header(self, descriptor: int) -> None:
        head, newline, _ = os.pread(descriptor, _HEAD_BYTES, 0).partition(b"\n")
        if not newline and _written(_HEADER).encode().startswith(head):
            return  # its maker was killed at the first line: the tail is torn
        header = _read(head) or {}
        version = header.get("version")
        if header.get("format") != FORMAT:
            raise QueryLogError(
                f"{str(self.path)!r} is no query log: its first line is {head[:60]!r}; "
                "name another file, or move this one away"
            )
        if version != VERSION:
            raise QueryLogError(
                f"query log {str(self.path)!r} is of version {version!r}; this version of the "
                f"package reads version {VERSION}: update the package, or name another file"
            )

    def _without_torn_tail(self, descriptor: int, size: int) -> int:
        """Cut off what follows the last newline, and keep it beside; return the size then."""
        if os.pread(descriptor, 1, size - 1) == b"\n":
            return size
        content = os.pread(descriptor, size, 0)
        whole = content.rfind(b"\n") + 1
        self._set_aside([content[whole:]])
        os.truncate(descriptor, whole)
        return whole

    def _set_aside(self, torn: list[bytes]) -> None:
        aside = self.path.with_name(f"{self.path.name}.torn")
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _BINARY
        with os.fdopen(os.open(aside, flags, _OWNER_ONLY), "ab") as file:
            if file.tell() > _MOST_TORN_BYTES:
                file.truncate(0)
            file.writelines(line + b"\n" for line in torn)
        self.torn_lines += len(torn)
        _log.warning(
            "query log %r: %d line(s) could not be read and are set aside in %r",
            str(self.path),
            len(torn),
            aside.name,
        )

    def _lines(self) -> list[Mapping[str, object]]:
        lines: list[Mapping[str, object]] = []
        torn: list[bytes] = []
        try:
            for line in self.path.read_bytes().split(b"\n")[1:-1]:
                read = _read(line)
                if read is None:
                    torn.append(line)
                else:
                    lines.append(read)
            if torn:
                self._set_aside(torn)
                self._replace(lines)
        except OSError as error:
            raise self._unusable(error) from error
        return lines

    def _write(self, descriptor: int, block: bytes) -> int:
        before = os.fstat(descriptor).st_size
        written = os.write(descriptor, block)
        if written != len(block):
            os.truncate(descriptor, before)
            raise OSError(errno.ENOSPC, f"{written} of {len(block)} bytes could be written")
        return before + written

    @contextmanager
    def _opened(self, flags: int) -> Iterator[int]:
        descriptor = os.open(self.path, flags | _BINARY | _NO_WAIT, _OWNER_ONLY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # a file of its own: the log itself is replaced when it is compacted
        beside = self.path.with_name(f"{self.path.name}.lock")
        if self.path.is_dir():
            raise QueryLogError(
                f"query log {str(self.path)!r} is a directory; name a file, such as "
                f"{str(self.path / 'queries.jsonl')!r}"
            )
        with ExitStack() as held:
            try:
                held.enter_context(locked(beside, mode=_OWNER_ONLY))
            except OSError as error:
                raise self._unusable(error) from error
            yield

    def _unusable(self, error: OSError) -> QueryLogError:
        if isinstance(error, QueryLogError):
            return error  # said already
        return QueryLogError(
            f"query log {str(self.path)!r} cannot be used: {error.strerror or error}; name a file "
            "in a folder that can be written"
        )


def written_bytes(line: Mapping[str, object]) -> int:
    """Return how many bytes a line takes in the file."""
    return len(_written(line)) + 1  # it is ASCII


def _written(line: Mapping[str, object]) -> str:
    return json.dumps(line, separators=(",", ":"))


def _read(line: bytes) -> Mapping[str, object] | None:
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


_HEAD_BYTES: Final = 256
_MOST_TORN_BYTES: Final = 1024 * 1024
"""When more has been set aside, it begins anew."""
_HEADER: Final[dict[str, object]] = {"format": FORMAT, "version": VERSION}
_BINARY: Final = getattr(os, "O_BINARY", 0)
_NO_WAIT: Final = getattr(os, "O_NONBLOCK", 0)
"""Opening a pipe that nobody reads would wait for ever."""
