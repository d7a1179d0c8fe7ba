"""Questions answered before anybody asks them, so that their answers are in the cache."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, cast, runtime_checkable

from ..cache import CacheManager
from ..data import QueryResult
from ..engine import QueryEngine
from ..errors import CacheError, LoaderError, QueryError
from ..loaders.base import checked_records
from ..query import StructuredQuery
from ..query_log import QueryLog, in_background
from ..query_log.questions import reach
from ..settings import WarmingSettings
from .room import Room

if TYPE_CHECKING:
    from ..engine import AnyQuery
    from ..loaders import DataLoader

_log = logging.getLogger(__name__)

StopCause: TypeAlias = Literal["time", "bytes", "full", "questions", "cancelled"]
"""Why warming ended before its last question: the time, the bytes or the number of questions was
used up, the cache has no room left that nobody uses, or whoever awaited it gave up."""


@runtime_checkable
class QueryExecutor(Protocol):
    """Whoever answers questions and keeps the answers in the cache: an engine, mostly."""

    def execute(self, query: StructuredQuery) -> object:
        """Return the answer, or something to await for it."""


@dataclass(frozen=True, slots=True)
class WarmingFailure:
    """A question that could not be answered, and why."""

    query: StructuredQuery
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmingProgress:
    """How far warming is.

    Attributes:
        done: questions dealt with, whatever came of them.
        total: questions in all.
        added_bytes: by which the cache has grown meanwhile.
        elapsed_seconds: since warming began.
    """

    done: int
    total: int
    added_bytes: int
    elapsed_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmingReport:
    """What came of warming.

    Attributes:
        total: questions given, each once.
        warmed: of these, answered now.
        already_kept: of these, found in the cache.
        failures: those that could not be answered; the others went on.
        not_begun: those that a budget, the cache's room or a cancellation kept from being begun.
        stopped_by: what that was; None where every question was begun.
        evicted: entries that left the cache for want of room meanwhile, for whatever reason.
        added_bytes: by which the cache has grown.
        elapsed_seconds: from beginning to end.
    """

    total: int = 0
    warmed: int = 0
    already_kept: int = 0
    failures: tuple[WarmingFailure, ...] = ()
    not_begun: int = 0
    stopped_by: StopCause | None = None
    evicted: int = 0
    added_bytes: int = 0
    elapsed_seconds: float = 0.0

    def __str__(self) -> str:
        """Return the report in a line."""
        stopped = f", {self.not_begun} not begun ({self.stopped_by})" if self.stopped_by else ""
        return (
            f"{self.warmed} of {self.total} questions warmed, {self.already_kept} were kept "
            f"already, {len(self.failures)} failed{stopped}; {self.added_bytes / 1e6:,.1f} MB in "
            f"{self.elapsed_seconds:.2f} s"
        )


class CacheWarmer:
    """Fills a cache with the answers to what is asked most, or to given questions.

    It is preparation and gives way: a question is begun only where the cache has room for the
    largest answer it could have, so nothing has to leave for it; where a cache does not tell its
    bounds, warming ends with the first entry that had to leave. What it asks is not counted as
    asked by a `QueryLog` that observes the same engine.

    Args:
        cache: that the executor keeps its answers in.
        loader: of the databases.
        executor: an object with `execute(query)`, which may be a coroutine function; None for a
            `QueryEngine` over loader and cache. Answers kept by one engine are found by each
            engine over the same loader object and cache, searches only where both have the same
            search settings and no search engine of their own: give that engine otherwise.
        log: of what was asked; None for the executor's `query_log`, and where it has none for the
            one at the default path, where `EngineSettings(query_log=QueryLogSettings())` keeps it.
        settings: budgets.
        on_progress: called on the event loop after each question.
        clock: seconds that never go back.

    Attributes:
        executor: as given, or as made.
        last_report: of the last warming, also of one that was cancelled.

    Raises:
        CacheError: the cache is none.
        QueryError: the executor is none.
        LoaderContractError: the loader lacks a method.
    """

    def __init__(
        self,
        cache: CacheManager,
        loader: DataLoader,
        executor: QueryExecutor | None = None,
        *,
        log: QueryLog | None = None,
        settings: WarmingSettings | None = None,
        on_progress: Callable[[WarmingProgress], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(cache, CacheManager):
            raise CacheError(
                f"{type(cache).__name__} is not a cache; it needs the methods get_cached_result, "
                "cache_result and get_statistics"
            )
        if executor is not None and not isinstance(executor, QueryExecutor):
            raise QueryError(
                f"{type(executor).__name__} cannot execute queries; give a QueryEngine, or "
                "something else with a method execute(query)"
            )
        self.cache = cache
        self.loader = loader
        self.executor: QueryExecutor = (
            QueryEngine(loader, cache=cache) if executor is None else executor
        )
        self.settings = settings or WarmingSettings()
        self.last_report: WarmingReport | None = None
        self._log = log
        self._on_progress = on_progress
        self._clock = clock

    async def warm_common_queries(self) -> WarmingReport:
        """Answer what the log says is asked most, the hottest first; return what came of it.

        Raises:
            QueryLogError: the log cannot be read.
        """
        if self._log is None and isinstance(self.executor, QueryEngine):
            self._log = self.executor.query_log
        if self._log is None:
            self._log = await asyncio.to_thread(QueryLog)
        log = self._log
        logged = await asyncio.to_thread(log.questions)
        return await self.warm(question.query for question in logged)

    async def warm(self, queries: Iterable[AnyQuery]) -> WarmingReport:
        """Answer questions, the first ones first, within the budgets; return what came of it.

        Of the pages of one question the last one is asked for, whose answer is that of all.
        No question is begun after the time is over; those that were begun are awaited. When it is
        cancelled no further one is begun, while the threads of those that were run to their end.

        Raises:
            QueryError: something given is no query.
        """
        asked: dict[str, StructuredQuery] = {}
        for query in map(_structured, queries):
            known = asked.setdefault(query.fingerprint, query)
            if reach(query) > reach(known):  # the answer to a later page holds the earlier ones
                asked[query.fingerprint] = query
        run = _Run(self, list(asked.values()))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.settings.concurrency, len(run.waiting))):
                    group.create_task(run.work())
        except asyncio.CancelledError:
            run.stopped_by = "cancelled"
            raise
        finally:
            self.last_report = run.report()
            _log.info("cache warming: %s", self.last_report)
        return self.last_report

    def _tell(self, progress: WarmingProgress) -> None:
        if self._on_progress is None:
            return
        try:
            self._on_progress(progress)
        except Exception:  # noqa: BLE001 - whoever looks on; warming is not touched by it
            _log.exception("the progress callback %r failed", self._on_progress)


class _Run:
    """One warming: what waits, what came of the rest, and when to stop."""

    def __init__(self, warmer: CacheWarmer, queries: list[StructuredQuery]) -> None:
        self.waiting = queries[::-1]  # taken from the end
        self.stopped_by: StopCause | None = None
        self._warmer = warmer
        self._settings = warmer.settings
        self._total = len(queries)
        self._begun = self._warmed = self._already_kept = 0
        self._failures: list[WarmingFailure] = []
        self._unusable: dict[str, LoaderError] = {}
        self._rows: dict[str, int] = {}
        self._loading: dict[str, asyncio.Lock] = {}
        self._start = warmer._clock()  # noqa: SLF001 - one module, one secret
        self._room = Room(warmer.cache, full_fraction=warmer.settings.full_fraction)

    async def work(self) -> None:
        """Answer one question after the other until there is none, or it is time to stop."""
        while self.waiting and self._may_go_on():
            query = self.waiting.pop()
            self._begun += 1
            try:
                await self._warm(query)
            except Exception as error:  # noqa: BLE001 - whatever a foreign executor raises; reported
                self._begun -= 1  # it takes nobody's turn: a log may hold many of a database gone
                self._failed(query, error)
            self._warmer._tell(self._progress())  # noqa: SLF001 - one module, one secret

    def _may_go_on(self) -> bool:
        if self.stopped_by is not None:
            return False
        if self._elapsed() >= self._settings.max_seconds:
            self.stopped_by = "time"
        elif self._room.added_bytes >= self._settings.max_bytes:
            self.stopped_by = "bytes"
        elif self._begun >= self._settings.max_questions:
            self.stopped_by = "questions"
        elif self._room.is_used_up():
            self.stopped_by = "full"
        return self.stopped_by is None

    async def _warm(self, query: StructuredQuery) -> None:
        rows = await self._loaded(query.database)
        with self._room.reserved(rows) as fits:
            if not fits:
                self._give_back(query)
                return
            result = await self._execute(query)
        if isinstance(result, QueryResult) and result.from_cache:
            self._already_kept += 1
        else:
            self._warmed += 1

    def _give_back(self, query: StructuredQuery) -> None:
        self._begun -= 1
        self.waiting.append(query)
        self.stopped_by = self.stopped_by or "full"

    async def _loaded(self, database: str) -> int:
        """Return how many rows a database has, which loads it; each is tried once."""
        async with self._loading.setdefault(database, asyncio.Lock()):
            if database in self._unusable:
                raise self._unusable[database]
            if database not in self._rows:
                try:
                    self._rows[database] = await asyncio.to_thread(self._load, database)
                except LoaderError as error:
                    self._unusable[database] = error
                    raise
            return self._rows[database]

    def _load(self, database: str) -> int:
        executor = self._warmer.executor
        if isinstance(executor, QueryEngine):
            return len(executor.records(database))
        return len(checked_records(self._warmer.loader, database))

    async def _execute(self, query: StructuredQuery) -> object:
        execute = self._warmer.executor.execute
        with in_background():
            if inspect.iscoroutinefunction(execute):
                return await execute(query)
            result = await asyncio.to_thread(execute, query)
            return (
                await cast("Awaitable[object]", result) if inspect.isawaitable(result) else result
            )

    def _failed(self, query: StructuredQuery, error: Exception) -> None:
        self._failures.append(WarmingFailure(query, error))
        _log.warning("warming: a question to %r failed: %s", query.database, error)

    def _elapsed(self) -> float:
        return self._warmer._clock() - self._start  # noqa: SLF001 - one module, one secret

    def _progress(self) -> WarmingProgress:
        return WarmingProgress(
            done=self._warmed + self._already_kept + len(self._failures),
            total=self._total,
            added_bytes=self._room.added_bytes,
            elapsed_seconds=self._elapsed(),
        )

    def report(self) -> WarmingReport:
        """Return what came of it."""
        return WarmingReport(
            total=self._total,
            warmed=self._warmed,
            already_kept=self._already_kept,
            failures=tuple(self._failures),
            not_begun=len(self.waiting),
            stopped_by=self.stopped_by if self.waiting or self.stopped_by == "cancelled" else None,
            evicted=self._room.evicted,
            added_bytes=self._room.added_bytes,
            elapsed_seconds=self._elapsed(),
        )


def _structured(query: object) -> StructuredQuery:
    structured = getattr(query, "structured", query)  # a built query holds one
    if not isinstance(structured, StructuredQuery):
        raise QueryError(
            f"a query is expected, not {type(query).__name__}; give a StructuredQuery, or build "
            "one with engine.query(database)"
        )
    return structured
