"""Which questions are asked, how often, how lately and at what cost: kept between processes."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ..cache.forking import survive_fork, tell_after_fork
from ..errors import QueryLogError
from ..settings import QueryLogSettings
from .background import is_in_background
from .log_file import LogFile, written_bytes
from .questions import LoggedQuestion, hottest, joined, line_of, reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from ..data import AnsweredQuery
    from ..query import StructuredQuery

_logger = logging.getLogger(__name__)


class QueryLog:
    """Notes what an engine is asked: `EngineSettings(query_log=QueryLogSettings())` has it do so.

    Any other engine is told to by `engine.add_observer(QueryLog(path))`.

    What was asked is gathered in memory and appended to the file every few seconds, when enough
    was gathered, on `flush` and `close`, and when the process ends; a process that is killed loses
    what it had gathered. Several processes may keep one log. When the file grows too large, each
    question becomes one line, and the coldest beyond the bound are forgotten.

    Thread-safe; noting a question takes about a microsecond.

    Args:
        path: of the file, which only its owner may read; None for that of the settings, and where
            they name none `default_path()`.
        settings: bounds and times.
        clock: seconds since 1970.

    Attributes:
        unreadable: questions found in the file that this version cannot read, at the last look.

    Raises:
        QueryLogError: the file is a directory, cannot be written, or is from a newer version.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        settings: QueryLogSettings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings or QueryLogSettings()
        named = self.settings.path if path is None else path
        self.path = default_path() if named is None else Path(named)
        self.unreadable = 0
        self._clock = clock
        self._gathered = _Gathered(LogFile(self.path), self.settings, clock)
        self._closing = weakref.finalize(self, _flush_at_exit, self._gathered)

    @property
    def torn_lines(self) -> int:
        """How many lines could not be read so far, and were set aside."""
        return self._gathered.file.torn_lines

    def answered(self, event: AnsweredQuery) -> None:
        """Note one question, unless it was asked on nobody's behalf.

        Raises:
            QueryLogError: what was gathered cannot be written. It is tried again later.
        """
        if not is_in_background():
            self._gathered.add(event)

    def flush(self) -> None:
        """Write what was gathered.

        Raises:
            QueryLogError: it cannot be written.
        """
        self._gathered.flush()

    def questions(self) -> list[LoggedQuestion]:
        """Return what was asked, by all processes, the hottest first; ties: the dearest first."""
        self.flush()
        found, self.unreadable = joined(self._gathered.file.read(), self.settings.half_life_seconds)
        return hottest(found, self._clock(), self.settings)

    def close(self) -> None:
        """Write what was gathered, and note no more at the end of the process."""
        self._closing.detach()
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"QueryLog({str(self.path)!r})"


def default_path() -> Path:
    """Return where a log is kept that nobody named: in the user's folder for such things."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "blackcore" / "queries.jsonl"


class _Gathered:
    """What was asked since the last write. Apart from the log, so that its end can be noticed."""

    def __init__(
        self, file: LogFile, settings: QueryLogSettings, clock: Callable[[], float]
    ) -> None:
        self.file = file
        self._settings = settings
        self._clock = clock
        self._lock = survive_fork(threading.RLock())
        self._new: dict[str, _Tally] = {}
        self._times = 0
        self._due = clock() + settings.flush_seconds
        tell_after_fork(self)

    def after_fork_in_child(self) -> None:
        """Leave what was gathered to the parent."""
        self._new.clear()
        self._times = 0

    def add(self, event: AnsweredQuery) -> None:
        """Count a question; write all when it is time to."""
        query = event.query
        fingerprint = query.fingerprint
        now = self._clock()
        with self._lock:
            tally = self._new.get(fingerprint)
            if tally is None:
                tally = self._new[fingerprint] = _Tally(query)
            tally.add(event, now)
            self._times += 1
            if now < self._due and self._times < self._settings.flush_questions:
                return
            self.flush()

    def flush(self) -> None:
        """Append what was gathered; it stays gathered where that fails."""
        with self._lock:
            # a failure is not met again at every question
            self._due = self._clock() + self._settings.flush_seconds
            self._times = 0
            if not self._new:
                return
            try:
                size = self.file.append(map(line_of, self._logged()))
            except QueryLogError:
                self._bound()
                raise
            self._new.clear()
            if size > self._settings.max_bytes:
                self._compact()

    def _logged(self) -> Iterable[LoggedQuestion]:
        return (tally.logged(fingerprint) for fingerprint, tally in self._new.items())

    def _bound(self) -> None:
        while len(self._new) > self._settings.max_questions:
            del self._new[next(iter(self._new))]

    def _compact(self) -> None:
        left = self._settings.max_bytes // 2  # so that it is not done again at once
        with self.file.rewriting() as (lines, new):
            found, unreadable = joined(lines, self._settings.half_life_seconds)
            for question in hottest(found, self._clock(), self._settings):
                line = line_of(question)
                size = written_bytes(line)
                if size <= left:  # one too large does not keep out those behind it
                    left -= size
                    new.append(line)
        _logger.info(
            "query log %r compacted: %d questions kept, %d forgotten, %d not readable",
            str(self.file.path),
            len(new),
            len(found) - len(new),
            unreadable,
        )


class _Tally:
    """How often one question was asked since the last write."""

    __slots__ = ("cost_seconds", "count", "last_asked", "query", "total_rows")

    def __init__(self, query: StructuredQuery) -> None:
        self.query = query
        self.count = 0
        self.cost_seconds = 0.0
        self.last_asked = 0.0
        self.total_rows = 0

    def add(self, event: AnsweredQuery, now: float) -> None:
        """Count one time more."""
        self.count += 1
        self.last_asked = max(now, self.last_asked)
        self.total_rows = event.total_rows
        if not event.from_cache:
            self.cost_seconds = event.elapsed_ns / 1e9
        if reach(event.query) > reach(self.query):
            self.query = event.query

    def logged(self, fingerprint: str) -> LoggedQuestion:
        """Return it as it is kept."""
        return LoggedQuestion(
            fingerprint=fingerprint,
            query=self.query,
            count=self.count,
            heat=float(self.count),
            last_asked=self.last_asked,
            cost_seconds=self.cost_seconds,
            total_rows=self.total_rows,
        )


def _flush_at_exit(gathered: _Gathered) -> None:
    try:
        gathered.flush()
    except QueryLogError:
        _logger.exception("what was asked last is not in the query log")
