"""What a loader keeps of one file, and the state of the file it belongs to."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from .reading import Stamp

if TYPE_CHECKING:
    from .base import Record
    from .catalog import DatabaseFile


class FileState(NamedTuple):
    """How things stood with a file when it was last looked at."""

    file: DatabaseFile
    stamp: Stamp
    refreshes: int
    version: str


class Slot:
    """What is kept of one file; `lock` is held by whoever reads it."""

    __slots__ = ("kept", "loading", "lock", "refreshes", "state")

    def __init__(self) -> None:
        self.kept: tuple[str, list[Record]] | None = None
        self.refreshes = 0
        self.state: FileState | None = None
        self.restart_in_child()

    def restart_in_child(self) -> None:
        """Make a new lock: the thread that held it does not exist in a forked child."""
        self.lock = threading.RLock()
        self.loading = False

    def rows_of(self, version: str) -> list[Record] | None:
        """Return the records kept of this version, None if there are none."""
        kept = self.kept  # read once: another thread may replace it
        return kept[1] if kept is not None and kept[0] == version else None

    def state_of(self, file: DatabaseFile, seen: tuple[int, int, int, int]) -> FileState:
        """Return the state of a file, the same object for as long as nothing changes."""
        state = self.state
        refreshes = self.refreshes
        if (
            state is not None
            and state.stamp == seen
            and state.refreshes == refreshes
            and state.file is file
        ):
            return state
        stamp = Stamp(*seen)
        version = f"{stamp}+{refreshes}" if refreshes else str(stamp)
        self.state = state = FileState(file, stamp, refreshes, version)
        return state
