"""Queries that took too long: the newest in memory, all of them as JSON lines where wanted."""

from __future__ import annotations

import json
import logging
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import QueryEngineError, QueryLogError
from ...query import Query, StructuredQuery, describe
from ...query.query_json import query_from_json, query_to_json
from ...settings import SlowQueryLogSettings
from .bounded_file import BoundedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike

    from ...data import QueryResult
    from ...data.observer import AnsweredQuery

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SlowQuery:
    """One slow query.

    Attributes:
        at: when the answer was ready, UTC.
        text: the query in a line.
        database: whose rows.
        fingerprint: equal for equal questions, whatever their page.
        elapsed_ms: from the question to the answer.
        rows: in the result.
        from_cache: whether the answer was in the cache all the same.
        stages: milliseconds by stage.
        query: to ask again; None where a file does not have it: another version wrote it, or it
            was larger than the file may be.
    """

    at: datetime
    text: str
    database: str
    fingerprint: str
    elapsed_ms: float
    rows: int
    from_cache: bool
    stages: Mapping[str, float] = field(default_factory=dict)
    query: StructuredQuery | None = field(default=None, repr=False)

    def to_json(self, *, with_query: bool = True) -> str:
        """Return the entry as one line of JSON, without its end."""
        entry = {
            "at": self.at.isoformat(),
            "text": self.text,
            "database": self.database,
            "fingerprint": self.fingerprint,
            "elapsed_ms": self.elapsed_ms,
            "rows": self.rows,
            "from_cache": self.from_cache,
            "stages": dict(self.stages),
            "query": query_to_json(self.query) if with_query and self.query is not None else None,
        }
        return json.dumps(entry, allow_nan=False)

    @classmethod
    def from_json(cls, line: str | bytes) -> SlowQuery:
        """Return the entry that a line holds.

        Raises:
            ValueError: the line is not a whole entry.
        """
        try:
            entry = json.loads(line)
            return cls(
                at=datetime.fromisoformat(entry["at"]),
                text=str(entry["text"]),
                database=str(entry["database"]),
                fingerprint=str(entry["fingerprint"]),
                elapsed_ms=float(entry["elapsed_ms"]),
                rows=int(entry["rows"]),
                from_cache=bool(entry["from_cache"]),
                stages={str(name): float(ms) for name, ms in entry["stages"].items()},
                query=_asked_again(entry["query"]),
            )
        except (
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
            RecursionError,
        ) as error:
            raise ValueError(f"not an entry of a slow-query log: {error!r}") from error

    def __str__(self) -> str:
        """Return the entry in a line."""
        source = " from cache" if self.from_cache else ""
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.elapsed_ms:,.1f} ms{source}  {self.text}"


def _asked_again(values: object) -> StructuredQuery | None:
    if values is None:
        return None
    try:
        return query_from_json(values)
    except QueryEngineError:  # written by another version, which knew other operators
        return None


class SlowQueryLog:
    """Notes the queries that take long: an observer of an engine.

    Its work for a fast query is one comparison. It is safe to share between threads, and takes no
    lock that a fork or a slow disk could hold. A file that cannot be written costs notes, not
    answers: failures are logged and counted, and the entries in memory are there all the same.

    The entries, and the file, hold what was asked for, values included: keep them as private as the
    data.

    Args:
        path: a file of JSON lines to add to; None for none. Its directory must exist. Several
            processes may add to one file. When it is full it becomes `<name>.1`.
        settings: the threshold, and the bounds of memory and file.
        now: the time, with its zone.

    Attributes:
        write_failures: entries that could not be written to the file.

    Raises:
        QueryLogError: the file cannot be written.
    """

    def __init__(
        self,
        path: str | PathLike[str] | None = None,
        settings: SlowQueryLogSettings | None = None,
        *,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.settings = settings or SlowQueryLogSettings()
        self.path = None if path is None else Path(path)
        self.write_failures = 0
        self._threshold_ns = self.settings.threshold_ms * 1e6
        self._now = now or _utc_now
        self._entries: deque[SlowQuery] = deque(maxlen=self.settings.kept_entries)
        self._file = None if self.path is None else _opened(self.path, self.settings.file_bytes)

    def answered(self, event: AnsweredQuery) -> None:
        """Note an answer, if it took long."""
        if event.elapsed_ns >= self._threshold_ns:
            elapsed_ms = event.elapsed_ns / 1e6
            self._note(event.query, elapsed_ms, event.rows, event.from_cache, event.stages)

    def record(self, query: StructuredQuery | Query[object, object], result: QueryResult) -> None:
        """Note a query and its result, if it took long."""
        if result.execution_time_ms >= self.settings.threshold_ms:
            asked = query if isinstance(query, StructuredQuery) else query.structured
            elapsed_ms, stages = result.execution_time_ms, result.stages
            self._note(asked, elapsed_ms, len(result), result.from_cache, stages)

    def entries(self) -> tuple[SlowQuery, ...]:
        """Return the entries in memory, the oldest first."""
        while True:
            try:
                return tuple(self._entries)
            except RuntimeError:  # another thread added one meanwhile
                continue

    def slowest(self, count: int = 10) -> list[SlowQuery]:
        """Return the entries in memory that took longest, the slowest first."""
        return sorted(self.entries(), key=lambda entry: -entry.elapsed_ms)[:count]

    def clear(self) -> None:
        """Forget the entries in memory; the file stays."""
        self._entries.clear()

    @staticmethod
    def read(path: str | PathLike[str]) -> list[SlowQuery]:
        """Return the entries of a file, the oldest first.

        A line that is not whole, as a process leaves one that is killed while it writes, is left
        out; how many were is logged.

        Raises:
            QueryLogError: the file cannot be read.
        """
        try:
            lines = Path(path).read_bytes().splitlines()
        except OSError as error:
            raise _unusable("read", path, error) from error
        entries = []
        torn = 0
        for line in lines:
            try:
                entries.append(SlowQuery.from_json(line))
            except ValueError:
                torn += bool(line.strip())
        if torn:
            _logger.warning("%s: left out %d lines that are not whole entries", path, torn)
        return entries

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        where = "" if self.path is None else f", {str(self.path)!r}"
        threshold = self.settings.threshold_ms
        return f"SlowQueryLog({len(self)} entries of {threshold:g} ms and more{where})"

    def _note(
        self,
        query: StructuredQuery,
        elapsed_ms: float,
        rows: int,
        from_cache: bool,
        stages: Mapping[str, float],
    ) -> None:
        entry = SlowQuery(
            at=self._now(),
            text=describe(query),
            database=query.database,
            fingerprint=query.fingerprint,
            elapsed_ms=elapsed_ms,
            rows=rows,
            from_cache=from_cache,
            stages=dict(stages),
            query=query,
        )
        self._entries.append(entry)
        if self._file is not None:
            self._write(self._file, entry)

    def _write(self, file: BoundedFile, entry: SlowQuery) -> None:
        line = entry.to_json().encode()
        if len(line) >= file.bound_bytes:
            line = entry.to_json(with_query=False).encode()
        try:
            file.add(line)
        except OSError:
            self.write_failures += 1
            _logger.warning("%s: a slow query could not be written", file.path, exc_info=True)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _opened(path: Path, bound_bytes: int) -> BoundedFile:
    try:
        return BoundedFile(path, bound_bytes)
    except OSError as error:
        raise _unusable("write", path, error) from error


def _unusable(verb: str, path: str | PathLike[str], error: OSError) -> QueryLogError:
    return QueryLogError(f"cannot {verb} the slow-query log {str(path)!r}: {error.strerror}")
