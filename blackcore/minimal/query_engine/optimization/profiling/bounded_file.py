"""A file of lines that threads and processes add to, and that stays within a bound."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if os.name == "posix":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# without waiting: opening a pipe that nobody reads would never end
_NO_WAIT: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_WAIT
_OWNER_ONLY: Final = 0o600


class BoundedFile:
    """Lines in a file; a full one becomes `<name>.1`, and the one before it goes.

    A line is added by one write, so that those of threads and processes never mix. Nobody waits for
    anybody: whoever finds another at moving the full file away adds its line to that. The lock is
    on the file that is moved, and a file that is no longer under its name is not moved again, so
    that of two that find it full at once, the second does not put the new file over the old one.
    Where the system has no `flock`, one thread is safe and several are not.

    Args:
        path: of the file; its directory must exist.
        bound_bytes: how large each of the two may grow; threads and processes that add to a file
            while it is moved away can exceed it by a line each.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path, bound_bytes: int) -> None:
        self.path = path
        self.bound_bytes = bound_bytes
        self._is_torn = False
        self._end_torn_line()

    def add(self, line: bytes) -> None:
        """Add a line, given without its end.

        Raises:
            OSError: nothing, or not all of it, could be written. The next line has its own line.
        """
        try:
            whole = (b"\n" if self._is_torn else b"") + line + b"\n"
            with self._opened() as descriptor:
                size = os.fstat(descriptor).st_size
                is_full = size > 0 and size + len(whole) > self.bound_bytes
                if is_full:
                    self.move_aside(descriptor)
                else:
                    _write(descriptor, whole)
            if is_full:
                with self._opened() as descriptor:
                    _write(descriptor, whole)
            self._is_torn = False
        except OSError:
            self._is_torn = True  # a full disk may have taken half of it
            raise

    def move_aside(self, descriptor: int) -> None:
        """Move the file of a descriptor away, unless that was done or another is at it."""
        with _locked(descriptor) as mine, suppress(FileNotFoundError):
            if mine and os.path.samestat(os.fstat(descriptor), self.path.stat()):
                self.path.replace(self.path.with_name(f"{self.path.name}.1"))

    def _end_torn_line(self) -> None:
        """End what a killed process left half written, so that the next line has its own."""
        with self._opened() as descriptor:
            if not os.fstat(descriptor).st_size:
                return
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            self._is_torn = file.read(1) != b"\n"

    @contextmanager
    def _opened(self) -> Iterator[int]:
        descriptor = os.open(self.path, _FLAGS, _OWNER_ONLY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _write(descriptor: int, line: bytes) -> None:
    written = os.write(descriptor, line)
    if written < len(line):
        raise OSError(errno.ENOSPC, f"{written} of {len(line)} bytes could be written")


@contextmanager
def _locked(descriptor: int) -> Iterator[bool]:
    """Lock a file against whoever opened it too; yield whether that could be had at once."""
    if os.name != "posix":
        yield True
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
        return
    try:
        yield True
    finally:
        # said rather than left to closing: a child forked meanwhile has the descriptor too
        fcntl.flock(descriptor, fcntl.LOCK_UN)
