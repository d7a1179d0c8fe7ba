"""What an engine has done and holds, as numbers one can read."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape

import psutil

from .cache import CacheStatistics
from .data import AnsweredQuery, ColumnMemory, QueryObserver, QueryResult, Records
from .query import StructuredQuery

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DatabaseStatistics:
    """One loaded database: how many rows, which version, and the memory its columns take."""

    rows: int
    version: str
    columns: tuple[str, ...]
    columns_bytes: int


@dataclass(frozen=True, slots=True)
class EngineStatistics:
    """A snapshot of an engine.

    Attributes:
        queries: answered so far.
        answered_from_cache: of these, from the cache.
        cache_failures: times the cache raised or returned rubbish, and was bypassed.
        observer_failures: times an observer raised.
        databases: what is loaded, by name.
        columns: what the columns of all databases keep in memory, may keep, and how many had to go.
        cache: the cache's own statistics, None without one.
        process_memory_bytes: resident memory of the whole process, which alone sees everything:
            Polars and numpy allocate outside of Python.
    """

    queries: int
    answered_from_cache: int
    cache_failures: int
    observer_failures: int = 0
    databases: Mapping[str, DatabaseStatistics] = field(default_factory=dict)
    columns: ColumnMemory = field(default_factory=ColumnMemory)
    cache: CacheStatistics | None = None
    process_memory_bytes: int = 0

    def __str__(self) -> str:
        """Return the snapshot in a few lines."""
        counts = f"{self.queries:,} queries, {self.answered_from_cache:,} from cache"
        memory = f"{self.process_memory_bytes / 1e6:,.0f} MB"
        lines = [f"{counts}, {self.cache_failures:,} cache failures, {memory}"]
        lines += [
            f"{name}: {each.rows:,} rows, {len(each.columns)} columns of "
            f"{each.columns_bytes / 1e6:,.1f} MB"
            for name, each in self.databases.items()
        ]
        if self.columns.max_bytes:
            lines.append(str(self.columns))
        if self.cache is not None:
            size = f"{self.cache.memory_used_bytes / 1e6:,.2f} MB"
            rate = f"hit rate {self.cache.hit_rate:.1%}"
            lines.append(f"cache: {self.cache.entries:,} entries of {size}, {rate}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


class Monitor:
    """Counts what passes through an engine. Thread-safe; counts are exact."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queries = 0
        self._from_cache = 0
        self._cache_failures = 0
        self._observer_failures = 0
        self._observers: tuple[QueryObserver, ...] = ()

    def answered(self, query: StructuredQuery, version: str, result: QueryResult) -> None:
        """Count one answer, and tell the observers of it."""
        with self._lock:
            self._queries += 1
            self._from_cache += result.from_cache
        if self._observers:
            self._tell(
                AnsweredQuery(
                    query,
                    version,
                    result.from_cache,
                    round(result.execution_time_ms * 1e6),
                    len(result),
                    result.total_count,
                    result.stages,
                )
            )

    def _tell(self, event: AnsweredQuery) -> None:
        for observer in self._observers:
            try:
                observer.answered(event)
            except Exception:  # noqa: BLE001 - an observer of any kind; it is logged and counted
                _log.exception("observer %r failed; the answer is not touched by it", observer)
                with self._lock:
                    self._observer_failures += 1

    def add_observer(self, observer: QueryObserver) -> Callable[[], None]:
        """Tell an observer of every answer from now on; return what ends that."""
        with self._lock:
            self._observers = (*self._observers, observer)

        def remove() -> None:
            with self._lock:
                self._observers = tuple(o for o in self._observers if o is not observer)

        return remove

    def cache_failed(self) -> None:
        """Count one time that the cache was bypassed."""
        with self._lock:
            self._cache_failures += 1

    def statistics(
        self,
        loaded: Mapping[str, Records],
        cache: CacheStatistics | None,
        columns: ColumnMemory | None = None,
    ) -> EngineStatistics:
        """Return a snapshot."""
        with self._lock:
            counts = (self._queries, self._from_cache, self._cache_failures)
            observer_failures = self._observer_failures
        databases = {name: _of_database(records) for name, records in loaded.items()}
        memory = psutil.Process().memory_info().rss
        return EngineStatistics(
            *counts, observer_failures, databases, columns or ColumnMemory(), cache, memory
        )


def _of_database(records: Records) -> DatabaseStatistics:
    columns = records.column_store.made
    made = tuple(sorted(path for path, column in columns.items() if column is not None))
    return DatabaseStatistics(len(records), records.version, made, records.columns_bytes)
