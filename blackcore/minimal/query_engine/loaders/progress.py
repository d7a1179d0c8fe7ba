"""How far a load has come, told to whoever asked."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProgress:
    """One moment of a load.

    Attributes:
        database: the name the database is listed under.
        bytes_read: bytes of the file read so far (compressed ones, for a .gz). They begin again at
            0 where a file changed under the reader and is read anew.
        total_bytes: the size of the file.
        records: records known so far; None until the first is decoded.
        done: True in the last report of a load that succeeded; a load that fails has none.
        elapsed_seconds: since the load began.
    """

    database: str
    bytes_read: int
    total_bytes: int
    records: int | None
    done: bool
    elapsed_seconds: float


ProgressCallback = Callable[[LoadProgress], None]


class LoadMeter:
    """The progress of one load; belongs to the thread that loads."""

    def __init__(
        self,
        database: str,
        callback: ProgressCallback | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._callback = callback
        self._clock = clock
        self._began_seconds = clock()
        self._bytes_read = 0
        self._total_bytes = 0
        self._records: int | None = None

    def begin_reading(self, total_bytes: int) -> None:
        """Start, or start again, at the first byte of a file of this size."""
        self._bytes_read = 0
        self._total_bytes = total_bytes
        self._records = None

    def add_bytes(self, count_bytes: int) -> None:
        """Report that so many more bytes of the file were read."""
        self._bytes_read += count_bytes
        self._report(done=False)

    def set_records(self, records: int) -> None:
        """Note how many records there are so far; the next report tells."""
        self._records = records

    def finish(self, records: int) -> None:
        """Report the end of a load that succeeded."""
        self._records = records
        self._report(done=True)

    def _report(self, *, done: bool) -> None:
        if self._callback is None:
            return
        progress = LoadProgress(
            database=self._database,
            bytes_read=self._bytes_read,
            total_bytes=self._total_bytes,
            records=self._records,
            done=done,
            elapsed_seconds=self._clock() - self._began_seconds,
        )
        try:
            self._callback(progress)
        except Exception:  # a broken progress bar must not cost the records
            self._callback = None  # once is enough: the next block would fail the same way
            logger.exception(
                "the progress callback failed while loading %r; it is not called again "
                "during this load",
                self._database,
            )
