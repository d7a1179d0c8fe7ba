"""A file that is either the old one or the whole new one, at every moment.

The new bytes go to a temporary file beside the target, which takes the target's name when all is
written. A temporary is locked while its writer lives; one that can be locked was left by a killed
run, and is removed by the next export to the same target.
"""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import os
import re
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeAlias

from ..errors import ExportOptionError, ExportPathError

if TYPE_CHECKING:
    from types import TracebackType

if os.name == "posix":
    import fcntl

logger = logging.getLogger(__name__)

OnExists: TypeAlias = Literal["replace", "error"]
Block: TypeAlias = bytes | memoryview
SUFFIX = ".part"
_LONGEST_PREFIX_BYTES = 200


class ByteSink(Protocol):
    """Where finished blocks go."""

    def write(self, block: Block, /) -> None:
        """Take all bytes of the block."""


class AtomicFile:
    """A binary file that takes the target's name on a clean exit, and vanishes on any other.

    Permissions are those of a new file. Where the target is a symbolic link, the file that it
    points to is replaced. Devices and pipes cannot be replaced: they are written directly.
    Not thread-safe; threads may each have their own for one target, and the last to finish wins.

    Raises:
        ExportPathError: the target cannot be written, or exists and must not.
    """

    def __init__(
        self, target: Path, *, on_exists: OnExists = "replace", durable: bool = True
    ) -> None:
        self.target = Path(os.path.realpath(target))
        self._given = target
        self._on_exists = on_exists
        self._durable = durable
        self._temporary: Path | None = None
        self._file: io.FileIO | None = None

    def __enter__(self) -> Self:
        """Make the temporary file; nothing of the target is touched."""
        try:
            if self._check_target():
                self._remove_leftovers()
                self._file, self._temporary = _open_locked(self.target)
            else:
                self._file = io.FileIO(self.target, "wb")
        except ExportPathError:
            raise
        except OSError as error:
            raise self._path_error(error) from error
        return self

    def write(self, block: Block, /) -> None:
        """Write all bytes of the block.

        Raises:
            OSError: the disk is full, or fails.
        """
        file = self._open_file()
        rest = memoryview(block)
        while rest:
            rest = rest[file.write(rest) or 0 :]

    def commit(self) -> None:
        """Give the file its name.

        Raises:
            ExportPathError: another file took the name meanwhile and must not be replaced.
            OSError: the disk is full, or fails.
        """
        file = self._open_file()
        if self._temporary is None:
            file.close()
            return
        if self._durable:
            os.fsync(file.fileno())
        if self._on_exists == "error":
            self._link()
        else:
            self._temporary.replace(self.target)
            self._temporary = None
        if self._durable:
            _fsync_directory(self.target.parent)
        file.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file, and remove the temporary if it was not committed."""
        if self._file is not None:
            self._file.close()
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)

    def _open_file(self) -> io.FileIO:
        if self._file is None:
            raise ExportOptionError(f"{self._given} is not open; use it in a with statement")
        return self._file

    def _check_target(self) -> bool:
        """Return whether the target can be replaced; devices and pipes cannot."""
        try:
            mode = self.target.stat().st_mode
        except FileNotFoundError:
            self._check_folder()
            return True
        if stat.S_ISDIR(mode):
            raise ExportPathError(
                f"cannot write {self._given}: it is a directory; give the name of a file in it"
            )
        if not os.access(self.target, os.W_OK):
            raise ExportPathError(
                f"cannot write {self._given}: it is read-only; make it writable or choose another"
            )
        if not stat.S_ISREG(mode):
            return False
        if self._on_exists == "error":
            raise self._exists()
        return True

    def _check_folder(self) -> None:
        folder = self.target.parent
        if not folder.is_dir():
            what = "is not a directory" if folder.exists() else "does not exist"
            raise ExportPathError(
                f"cannot write {self._given}: the folder {folder} {what}; create it first"
            )

    def _exists(self) -> ExportPathError:
        return ExportPathError(
            f"cannot write {self._given}: it exists; choose another name, or on_exists='replace'"
        )

    def _path_error(self, error: OSError) -> ExportPathError:
        return ExportPathError(f"cannot write {self._given}: {error.strerror or error}")

    def _link(self) -> None:
        # a hard link is refused where the name is taken; a rename would replace it
        temporary = self._temporary
        if temporary is None:
            return
        try:
            os.link(temporary, self.target)
        except FileExistsError as error:
            raise self._exists() from error
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.EMLINK}:
                raise
            if self.target.exists():
                raise self._exists() from error
            temporary.replace(self.target)  # no hard links here: the best that is left
            self._temporary = None

    def _remove_leftovers(self) -> None:
        ours = re.compile(re.escape(_prefix(self.target.name)) + "[0-9a-f]{8}" + re.escape(SUFFIX))
        with os.scandir(self.target.parent) as entries:
            leftovers = [entry.path for entry in entries if ours.fullmatch(entry.name)]
        for path in leftovers:
            _remove_if_dead(Path(path))


def _prefix(name: str) -> str:
    """Return how the temporaries of a target begin, short enough for any file system."""
    encoded = os.fsencode(name)
    if len(encoded) <= _LONGEST_PREFIX_BYTES:
        return f".{name}."
    digest = hashlib.sha256(encoded).hexdigest()[:16]
    return f".{name[:40]}.{digest}."


def _open_locked(target: Path) -> tuple[io.FileIO, Path]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        path = target.with_name(f"{_prefix(target.name)}{secrets.token_hex(4)}{SUFFIX}")
        descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o666)
        _lock(descriptor)
        # between open and lock another export may have taken this for a leftover and removed it
        if os.fstat(descriptor).st_nlink:
            return io.FileIO(descriptor, "wb"), path
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Return whether the lock was had; True where the platform needs none."""
    if os.name != "posix":  # pragma: no cover - Windows refuses to remove open files anyway
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_if_dead(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return  # gone, or not ours to read
    try:
        if _lock(descriptor):
            path.unlink(missing_ok=True)
            logger.info("removed %s, which a killed export had left", path)
    except OSError:
        logger.warning("cannot remove %s, which a killed export had left", path, exc_info=True)
    finally:
        os.close(descriptor)


def _fsync_directory(folder: Path) -> None:
    if os.name == "nt":  # pragma: no cover - Windows has no such call
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
