"""The databases of a directory of JSON files, loaded once and again when they change."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import (
    DatabaseFormatError,
    DatabaseReadError,
    DataDirectoryError,
    LoaderError,
    UnknownDatabaseError,
)
from ..settings import LoaderSettings
from .catalog import ALLOWED, Catalog, scan_directory
from .collector import collector_paused
from .decoding import decode_array, decode_lines
from .progress import LoadMeter, ProgressCallback
from .reading import CompressionError, read_blocks
from .slots import FileState, Slot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .base import Record


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What came of loading several databases: every name asked for is in one of the two.

    Attributes:
        loaded: the records of each database that could be loaded.
        failed: the error of each that could not.
    """

    loaded: Mapping[str, list[Record]]
    failed: Mapping[str, LoaderError]


class JSONDataLoader:
    """The databases in a directory: one file each, in JSON or JSON lines, gzipped or not.

    `*.json` holds an array of objects, and is then named by the file's stem; or an object with
    one key whose value is that array, and is named by the key (`{"People & Contacts": [...]}`),
    with the stem as an alias. `*.jsonl` and `*.ndjson` hold an object a line. Each may have `.gz`
    behind. Where several files claim a name, it stands for none of them; each is listed by its
    stem or its whole file name, which always works. Hidden files and subdirectories are passed
    over; links are followed.

    Records are what Python's `json` makes of the text. They are kept, and handed to every caller
    as the same list of the same dicts: copy what you want to change. A file that changes (size,
    times or inode) is read again when next asked for; new files are seen by
    `get_available_databases` and whenever an unknown name is asked for.

    Safe in any number of threads: a database asked for by several at once is read once, different
    databases are read side by side. While a file is decoded the garbage collector is paused for
    the whole process.

    Args:
        directory: where the files are.
        on_progress: told how far each load has come, in the thread that loads, after each block
            that is read and when the records are there. If it raises, that is logged, and it is
            not called again during that load.
        settings: size of blocks, number of threads and attempts.

    Raises:
        DataDirectoryError: the directory is missing, holds no database, or cannot be listed.

    >>> import json, pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "cities.json").write_text(json.dumps([{"name": "Oslo"}]))
    >>> loader = JSONDataLoader(folder)
    >>> loader.get_available_databases()
    ['cities']
    >>> loader.load_database("cities")
    [{'name': 'Oslo'}]
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        on_progress: ProgressCallback | None = None,
        settings: LoaderSettings | None = None,
    ) -> None:
        self._shown = Path(directory)
        # made absolute, so that a later change of the working directory changes nothing
        self._directory = self._shown.absolute()
        self._on_progress = on_progress
        self._settings = settings or LoaderSettings()
        self._scan_lock = threading.RLock()
        self._slots: dict[str, Slot] = {}
        self._catalog = Catalog()
        if not self._rescan().by_name:
            raise DataDirectoryError(
                f"data directory {str(self._shown)!r} holds no database; "
                f"put files into it ({ALLOWED})"
            )
        _loaders.add(self)

    def __repr__(self) -> str:
        kept = [slot.kept[1] for slot in list(self._slots.values()) if slot.kept is not None]
        records = sum(map(len, kept))
        return (
            f"<JSONDataLoader {str(self._shown)!r}: {len(self._catalog.names())} databases, "
            f"{len(kept)} loaded ({records:,} records)>"
        )

    def get_available_databases(self) -> list[str]:
        """Return the names of the databases that are in the directory now, sorted.

        A file that turns out not to hold records is among them: loading it says why.

        Raises:
            DataDirectoryError: the directory is gone, or cannot be listed.
        """
        return self._rescan().names()

    def database_version(self, name: str) -> str:
        """Return a text that changes whenever the file does, and with each `refresh_cache`.

        Costs one `os.stat`, some microseconds. Unrefreshed, it is the same in every process.

        Raises:
            UnknownDatabaseError: there is no such database, or no longer.
        """
        return self._now(name)[1].version

    def load_database(self, name: str) -> list[Record]:
        """Return the records of a database: the list that is kept, not a copy.

        A file written less than a tick of the file system's clock ago (10 ms) is waited for, since
        a second write in the same tick could not be told from the first.

        Raises:
            UnknownDatabaseError: there is no such database, or no longer.
            DatabaseFormatError: the file holds something else than a list of JSON objects.
            DatabaseReadError: the file cannot be read, or changes again each time it is read.
        """
        slot, now = self._now(name)
        if (rows := slot.rows_of(now.version)) is not None:
            return rows
        with slot.lock:
            if slot.loading:
                raise LoaderError(
                    f"database {name!r} was asked for by the progress callback of its own load; "
                    "ask for it after the load"
                )
            slot.loading = True
            try:
                return self._load(name)
            finally:
                slot.loading = False

    def load_databases(self, names: Iterable[str] | None = None) -> LoadResult:
        """Return the records of several databases, all there are by default, and what failed.

        They are loaded in threads. Decoding holds Python's lock, so what overlaps is the waiting
        for a disk or a network, and the unpacking of gzip: several compressed files gain, plain
        ones that the system has in memory hardly do.

        Raises:
            DataDirectoryError: no names are given and the directory cannot be listed.
        """
        if isinstance(names, str):
            names = (names,)  # else its letters would be looked for
        wanted = self.get_available_databases() if names is None else list(dict.fromkeys(names))
        loaded: dict[str, list[Record]] = {}
        failed: dict[str, LoaderError] = {}
        with ThreadPoolExecutor(self._settings.load_threads, "load-database") as pool:
            for name, outcome in zip(wanted, pool.map(self._outcome, wanted), strict=True):
                if isinstance(outcome, LoaderError):
                    failed[name] = outcome
                else:
                    loaded[name] = outcome
        return LoadResult(loaded, failed)

    async def aload_databases(self, names: Iterable[str] | None = None) -> LoadResult:
        """Return what `load_databases` does, from a thread, so that the event loop goes on.

        Decoding one file holds Python's lock, so the loop still pauses while a big one is decoded.
        """
        return await asyncio.to_thread(self.load_databases, names)

    def refresh_cache(self, name: str | None = None) -> None:
        """Forget the records of one database, or of all: the next question reads the file.

        It gets a new version too, so that a change which the file's times do not show is seen.
        Lists handed out before stay as they are.

        Raises:
            UnknownDatabaseError: there is no such database.
        """
        files = set(self._rescan().by_name.values()) if name is None else {self._now(name)[1].file}
        for file in files:
            slot = self._slots[file.file_name]
            with self._scan_lock:
                slot.refreshes += 1
            # a load that is under way compares versions, so it cannot bring the old records back
            slot.kept = None

    def _outcome(self, name: str) -> list[Record] | LoaderError:
        try:
            return self.load_database(name)
        except LoaderError as error:
            return error

    def _rescan(self) -> Catalog:
        with self._scan_lock:
            catalog = scan_directory(self._directory, self._catalog)
            present = {file.file_name for file in catalog.by_name.values()}
            for file_name in present - self._slots.keys():
                self._slots[file_name] = Slot()
            for file_name in self._slots.keys() - present:
                self._slots[file_name].kept = None
            self._catalog = catalog  # last: who finds a file in it without the lock finds its slot
            return catalog

    def _now(self, name: str) -> tuple[Slot, FileState]:
        """Return what is kept of a database, and how things stand with its file at this moment."""
        file = self._catalog.by_name.get(name) or self._rescan().find(name)
        try:
            status = os.stat(file.path)  # noqa: PTH116 - a Path costs as much as the call
            seen = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        except OSError:
            file = self._rescan().find(name)  # gone: this raises, unless it is back
            seen = file.stamp
        slot = self._slots[file.file_name]
        return slot, slot.state_of(file, seen)

    def _load(self, name: str) -> list[Record]:
        """Read a file until it stands still, and keep its records; its slot is locked by us."""
        meter: LoadMeter | None = None
        for _ in range(self._settings.read_attempts):
            slot, now = self._still(name)
            if (rows := slot.rows_of(now.version)) is not None:
                return rows  # another thread was first
            meter = meter or LoadMeter(now.file.name, self._on_progress)
            began_ns = time.time_ns()
            try:
                rows = self._read(now, meter)
            except DatabaseFormatError:
                if self._stood_still(name, now, began_ns):
                    raise
                continue  # its writer is not done with it
            if self._stood_still(name, now, began_ns):
                slot.kept = (now.version, rows)
                meter.finish(len(rows))
                return rows
        raise DatabaseReadError(
            f"database {name!r} changed during each of {self._settings.read_attempts} attempts to "
            "read it; write to a temporary file and rename it into place, or stop writing"
        )

    def _stood_still(self, name: str, before: FileState, began_ns: int) -> bool:
        """Return whether a database is now what it was before a read began at this time."""
        unchanged = self._now(name)[1].version == before.version
        return unchanged and not before.stamp.unsettled_ns(began_ns)

    def _still(self, name: str) -> tuple[Slot, FileState]:
        """Return what `_now` does, after a file just written had time to settle."""
        slot, now = self._now(name)
        if now.stamp != now.file.stamp:  # its head may say another name now
            self._rescan()
            slot, now = self._now(name)
        wait_ns = now.stamp.unsettled_ns(time.time_ns())
        if wait_ns:
            time.sleep(wait_ns / 1e9)
            slot, now = self._now(name)
        return slot, now

    def _read(self, now: FileState, meter: LoadMeter) -> list[Record]:
        """Return the records in a file as it is at this moment."""
        shown = str(self._shown / now.file.file_name)
        meter.begin_reading(now.stamp.size_bytes)
        blocks = read_blocks(
            now.file.path,
            compressed=now.file.is_compressed,
            block_bytes=self._settings.block_bytes,
            on_bytes=meter.add_bytes,
        )
        try:
            with closing(blocks):
                if now.file.is_lines:
                    with collector_paused():
                        return decode_lines(blocks, shown, meter.set_records)
                data = b"".join(blocks)
            with collector_paused():
                return decode_array(data, shown)
        except CompressionError as error:
            raise DatabaseFormatError(
                f"{shown}: {error}, near byte {error.position_bytes} of the compressed file; "
                "write it again, or unpack it and drop the .gz"
            ) from error
        except FileNotFoundError as error:
            raise UnknownDatabaseError(now.file.name, self.get_available_databases()) from error
        except OSError as error:
            raise DatabaseReadError(
                f"cannot read {shown}: {error.strerror or error}; check its permissions"
            ) from error

    def _restart_in_child(self) -> None:  # pragma: no cover - nobody counts in a child
        self._scan_lock = threading.RLock()
        for slot in self._slots.values():
            slot.restart_in_child()


_loaders: weakref.WeakSet[JSONDataLoader] = weakref.WeakSet()


def _restart_in_child() -> None:  # pragma: no cover - nobody counts in a child
    for loader in _loaders:
        loader._restart_in_child()  # noqa: SLF001 - the hook is this class's own


if hasattr(os, "register_at_fork"):  # pragma: no branch - always, but on Windows
    os.register_at_fork(after_in_child=_restart_in_child)
