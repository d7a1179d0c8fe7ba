"""The one place where the stages meet.

StructuredQuery -> fingerprint -> cache? -> optimize -> plan -> execute -> QueryResult -> export
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Literal, Unpack

from .answers import AnswerCache
from .data import Answer, QueryObserver, QueryResult, Records, RowIds, StageActual
from .errors import OptimizerError, QueryDepthError, QueryError, SearchError, SettingsError
from .execution import Executor
from .export import StreamingExporter
from .loaders import DataLoader, JSONDataLoader
from .loaders.databases import databases_of
from .monitoring import EngineStatistics, Monitor
from .optimization import (
    CostBasedOptimizer,
    ExecutionPlan,
    Explanation,
    QueryOptimizer,
    RuleFired,
    gather,
)
from .optimization.query_optimizer import needed_fields, plan_as_written
from .query import Query, StructuredQuery
from .query_log import QueryLog
from .search import FullTextSearch, TextSearchEngine, wire_search
from .settings import EngineSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from os import PathLike

    from .cache import CacheManager
    from .export.formats import TextOptions
    from .export.streaming_exporter import FileArguments

AnyQuery = StructuredQuery | Query[QueryResult, Explanation]


class QueryEngine:
    """Answers queries over the databases of a loader: from cache, or by a plan made for them.

    Safe to share between threads and tasks. Not with children made by `os.fork` (multiprocessing's
    "fork"): what is kept or small is answered in them, but Polars, which looks through larger
    databases, has lost its threads there and waits for ever. Make the engine in the child, or have
    children made by "spawn" or "forkserver".

    Args:
        loader: anything with `load_database`, `get_available_databases` and `refresh_cache`.
        search: a text search engine; None for the embedded one, False for none.
        cache: a cache manager; None for a `MemoryCache`, False for none.
        optimizer: a query optimizer; None for the cost-based one, False to run queries as written.
        settings: limits and defaults of all parts.

    Attributes:
        query_log: what is asked is noted there; None unless the settings have a `query_log`.

    Raises:
        LoaderContractError: the loader lacks a method.
        CacheError, SearchError, OptimizerError, SettingsError: what is given is none.
        QueryLogError: the file of the query log cannot be used.
    """

    def __init__(
        self,
        loader: DataLoader,
        search: TextSearchEngine | Literal[False] | None = None,
        cache: CacheManager | Literal[False] | None = None,
        optimizer: QueryOptimizer | Literal[False] | None = None,
        settings: EngineSettings | None = None,
    ) -> None:
        self.settings = _checked_settings(settings)
        self.loader = loader
        self.exporter = StreamingExporter(self.settings.export)
        self._databases = databases_of(loader)
        self._monitor = Monitor()
        self._executor = Executor(self.settings.execution)
        self._optimizer = _checked_optimizer(optimizer, self.settings)
        self._search = (
            None
            if search is False
            else wire_search(
                self._full_text() if search is None else search, settings=self.settings.search
            )
        )
        # our own engine answers alike wherever its settings are; of others nobody knows
        token = repr(self.settings.search) if search is None else secrets.token_hex(4)
        self._answers = AnswerCache(cache, self.settings.cache, self._monitor, token)
        log = self.settings.query_log
        self.query_log = None if log is None else QueryLog(settings=log)
        if self.query_log is not None:
            self.add_observer(self.query_log)
        self._databases.tell(self._let_go)  # from here on it may be called, so it comes last

    @classmethod
    def open(
        cls, directory: str | PathLike[str], *, settings: EngineSettings | None = None
    ) -> QueryEngine:
        """Return an engine over a directory of JSON databases.

        Raises:
            DataDirectoryError: the directory is missing, or holds no database.
        """
        return cls(JSONDataLoader(directory), settings=settings)

    def query(self, database: str) -> Query[QueryResult, Explanation]:
        """Return a question to put together: `engine.query("flights").where(...).run()`."""
        return Query(self, database)

    def execute(self, query: AnyQuery, *, use_cache: bool = True) -> QueryResult:
        """Return the rows that a query asks for.

        With `use_cache=False` the answer is computed whether or not it is kept, and not kept.

        Raises:
            UnknownDatabaseError: the loader has no such database.
            UnknownFieldError: no record has a field that the query names.
            QueryEngineError: loading, searching or a pattern's time failed; the message says how.
        """
        run = _Run()
        asked = _structured(query)
        records = self._databases.current(asked.database)
        records.require_fields(asked.field_paths)
        run.lap("load")
        if use_cache:
            answer, from_cache = self._answers.answer(
                asked, records, lambda wanted: self._computed(wanted, records, run)
            )
        else:
            answer, from_cache = self._computed(asked, records, run), False
        return self._answered(run, asked, records, answer, from_cache=from_cache)

    def _answered(
        self,
        run: _Run,
        query: StructuredQuery,
        records: Records,
        answer: Answer,
        *,
        from_cache: bool,
    ) -> QueryResult:
        if from_cache:
            run.lap("cache")
        result = run.result(query, records, answer, from_cache=from_cache)
        self._monitor.answered(query, records.version, result)
        return result

    async def execute_async(self, query: AnyQuery) -> QueryResult:
        """Return what `execute` returns, computed in a thread.

        What the engine's own cache holds is returned at once: a thread takes longer to begin.
        """
        asked = _structured(query)
        at_hand = self._at_hand(asked)
        return await asyncio.to_thread(self.execute, asked) if at_hand is None else at_hand

    def _at_hand(self, query: StructuredQuery) -> QueryResult | None:
        """Return the result where nothing has to be waited for, else None."""
        run = _Run()
        records = self._databases.at_hand(query.database)
        if records is None or not records.knows_fields(query.field_paths):
            return None
        answer = self._answers.at_hand(query, records)
        if answer is None:
            return None
        return self._answered(run, query, records, answer, from_cache=True)

    def explain(self, query: AnyQuery, analyze: bool = False) -> Explanation:
        """Return how a query is run; with `analyze` it is run, cache aside, and measured."""
        asked = _structured(query)
        records = self._databases.current(asked.database)
        records.require_fields(asked.field_paths)
        start = time.perf_counter_ns()
        plan, fired = self._plan(asked, records)
        planning_ns = time.perf_counter_ns() - start
        rules = self._told(fired)
        kept = self._answers.holds(asked, records)
        if not analyze:
            return Explanation(asked, plan, (), rules, planning_ns, kept)
        ranked = self._ranked(asked, records, plan)
        _, actuals = self._executor.execute(plan, records, ranked=ranked)
        return Explanation(asked, plan, tuple(actuals), rules, planning_ns, kept)

    async def export(
        self,
        query: AnyQuery,
        path: str | PathLike[str],
        options: TextOptions | None = None,
        **arguments: Unpack[FileArguments],
    ) -> int:
        """Write the rows of a query to a file; return how many.

        All its rows, or its page where it has one. The suffix tells the format.

        Args:
            query: what to write.
            path: where to.
            options: `CsvOptions` or `JsonOptions`, as the format wants.
            **arguments: progress, compression and the like; see `StreamingExporter`.

        Raises:
            ExportError: the file cannot be written; what was there before is untouched.
        """
        result = await self.execute_async(query)
        return await self.exporter.export_async(result, path, options=options, **arguments)

    def export_sync(
        self,
        query: AnyQuery,
        path: str | PathLike[str],
        options: TextOptions | None = None,
        **arguments: Unpack[FileArguments],
    ) -> int:
        """Write what `export` writes, for callers that do not await."""
        result = self.execute(query)
        return self.exporter.export(result, path, options=options, **arguments)

    def refresh(self, database: str | None = None) -> None:
        """Forget the records and answers of one database, or of all; the next query loads anew."""
        self._databases.forget(database)

    def _let_go(self, records: Records) -> None:
        """Drop what is kept about a version that is no longer the current one."""
        self._answers.drop(records)
        if self._search is not None:
            self._search.forget(records.rows)

    def add_observer(self, observer: QueryObserver) -> Callable[[], None]:
        """Tell an observer of every answer from now on; return what ends that."""
        return self._monitor.add_observer(observer)

    def statistics(self) -> EngineStatistics:
        """Return what the engine has done and holds."""
        return self._monitor.statistics(
            self._databases.loaded, self._answers.statistics(), self._executor.column_memory()
        )

    def records(self, database: str) -> Records:
        """Return the current version of a database: its rows, and what is derived from them.

        Raises:
            LoaderError: it cannot be had.
        """
        return self._databases.current(database)

    @property
    def search_engine(self) -> object | None:
        """The search engine, as it was given or made; None with `search=False`."""
        return None if self._search is None else self._search.engine

    def answer_key(self, query: AnyQuery) -> str:
        """Return the key under which a cache keeps the answer to a query, for its current rows."""
        asked = _structured(query)
        return self._answers.key(asked, self._databases.current(asked.database).version)

    def _full_text(self) -> FullTextSearch:
        return FullTextSearch(max_indexes=self.settings.search.max_indexed_databases)

    def __repr__(self) -> str:
        loaded = ", ".join(f"{name}: {len(r):,}" for name, r in self._databases.loaded.items())
        return f"QueryEngine({type(self.loader).__name__}, loaded {{{loaded}}})"

    def _computed(self, query: StructuredQuery, records: Records, run: _Run) -> Answer:
        run.lap("cache")
        plan, _ = self._plan(query, records)
        run.lap("plan")
        ranked = self._ranked(query, records, plan)
        if ranked is not None:
            run.lap("search")
        try:
            answer, actuals = self._executor.execute(plan, records, ranked=ranked)
        except RecursionError as error:
            raise QueryDepthError(
                f"records of {query.database!r} are nested too deep to be compared; "
                "filter or select by paths further in"
            ) from error
        if not answer.covers(None if query.pagination is None else query.pagination.stop):
            raise OptimizerError(
                f"the plan of {type(self._optimizer).__name__} leaves out rows that are asked for; "
                "a plan's limit must not be below the end of the page"
            )
        run.add(actuals)
        return answer

    def _plan(
        self, query: StructuredQuery, records: Records
    ) -> tuple[ExecutionPlan, Iterator[RuleFired]]:
        if self._optimizer is False:
            return plan_as_written(query, len(records)), iter(())
        statistics = gather(records, needed_fields(query))
        try:
            optimized = self._optimizer.optimize_query(query, statistics)
            plan, fired = optimized.plan, iter(optimized.rules_fired)
            if not isinstance(plan, ExecutionPlan):
                raise TypeError(f"its plan is a {type(plan).__name__}, not an ExecutionPlan")  # noqa: TRY301 - wrapped below like the rest
        except RecursionError as error:
            raise QueryDepthError(
                f"values of {query.database!r} are nested too deep to be estimated"
            ) from error
        except Exception as error:
            raise self._optimizer_failed(error) from error
        return plan, fired

    def _told(self, fired: Iterator[RuleFired]) -> tuple[RuleFired, ...]:
        """Return the rules, which an optimizer may find out by now only."""
        try:
            return tuple(fired)
        except Exception as error:
            raise self._optimizer_failed(error) from error

    def _optimizer_failed(self, error: Exception) -> OptimizerError:
        name = type(self._optimizer).__name__
        return OptimizerError(
            f"optimizer {name} failed on this query: {type(error).__name__}: {error}"
        )

    def _ranked(
        self, query: StructuredQuery, records: Records, plan: ExecutionPlan
    ) -> RowIds | None:
        if query.search is None:
            return None
        if self._search is None:
            raise SearchError("this engine was made with search=False; it cannot search for text")
        if plan.is_empty:
            return None  # no row can match, whatever the search would find
        return self._search.matches(
            query.search.text,
            records.rows,
            query.database,
            weights=query.search.field_weights,
            min_score=query.search.min_score,
        ).ids


class _Run:
    """The clock of one query: laps in nanoseconds, shown as milliseconds by stage."""

    def __init__(self) -> None:
        self.start = self.last = time.perf_counter_ns()
        self.stages: dict[str, float] = {}
        self.actuals: tuple[StageActual, ...] = ()

    def lap(self, name: str) -> None:
        """Book the time since the last lap under a stage."""
        now = time.perf_counter_ns()
        self.stages[name] = (now - self.last) / 1e6
        self.last = now

    def add(self, actuals: Sequence[StageActual]) -> None:
        """Book what the executor measured."""
        for actual in actuals:
            before = self.stages.get(actual.kind, 0.0)
            self.stages[actual.kind] = before + actual.nanoseconds / 1e6
        self.actuals = tuple(actuals)

    def result(
        self, query: StructuredQuery, records: Records, answer: Answer, *, from_cache: bool
    ) -> QueryResult:
        page = query.pagination
        return QueryResult(
            records=records,
            ids=answer.ids if page is None else answer.ids[page.start : page.stop],
            total_count=answer.total_rows,
            page=1 if page is None else page.page,
            page_size=None if page is None else page.size,
            select=query.select,
            from_cache=from_cache,
            execution_time_ms=(time.perf_counter_ns() - self.start) / 1e6,
            stages=self.stages,
            actuals=() if from_cache else self.actuals,
        )


def _checked_settings(settings: EngineSettings | None) -> EngineSettings:
    if settings is None or isinstance(settings, EngineSettings):
        return settings or EngineSettings()
    raise SettingsError(
        f"settings are {type(settings).__name__}; give EngineSettings(...), whose parts are the "
        "settings of each part"
    )


def _checked_optimizer(
    optimizer: QueryOptimizer | Literal[False] | None, settings: EngineSettings
) -> QueryOptimizer | Literal[False]:
    if optimizer is None:
        return CostBasedOptimizer(settings=settings.execution)
    if optimizer is False or isinstance(optimizer, QueryOptimizer):
        return optimizer
    raise OptimizerError(
        f"{type(optimizer).__name__} is not an optimizer; it needs the method "
        "optimize_query(query, statistics)"
    )


def _structured(query: AnyQuery) -> StructuredQuery:
    if isinstance(query, StructuredQuery):
        return query
    if isinstance(query, Query):
        return query.structured
    raise QueryError(
        f"a query is expected, not {type(query).__name__}; give a StructuredQuery, or build one "
        "with engine.query(database)"
    )
