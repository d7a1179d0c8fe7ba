"""What the profiler wants of an engine."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast, runtime_checkable

from ...data import QueryResult
from ...errors import ProfileError
from ...query import Query, StructuredQuery
from ..explanation import Explanation

if TYPE_CHECKING:
    from os import PathLike

AskedQuery: TypeAlias = StructuredQuery | Query[QueryResult, Explanation]


@runtime_checkable
class ProfiledEngine(Protocol):
    """Whatever answers and explains queries; any object with these methods serves."""

    def execute(self, query: AskedQuery) -> QueryResult:
        """Return the rows that a query asks for, and what each stage took."""
        ...

    def explain(self, query: AskedQuery, analyze: bool = False) -> Explanation:
        """Return how a query is run; with `analyze` it is run, cache aside, and measured."""
        ...


class _SparingEngine(Protocol):
    def execute(self, query: AskedQuery, *, use_cache: bool) -> QueryResult: ...


class _RowsExporter(Protocol):
    def export(
        self, rows: Iterable[list[dict[str, object]]], target: str | PathLike[str], /
    ) -> object: ...


def asking(
    engine: ProfiledEngine, query: StructuredQuery, *, use_cache: bool
) -> Callable[[], QueryResult]:
    """Return what executes the query, leaving the cache aside where that is wanted.

    Raises:
        ProfileError: the engine cannot leave its cache aside.
    """
    if use_cache:
        return lambda: engine.execute(query)
    if "use_cache" not in inspect.signature(engine.execute).parameters:
        raise ProfileError(
            f"use_cache=False wants an engine whose execute() takes use_cache; that of "
            f"{type(engine).__name__} does not: profile with an engine made without a cache"
        )
    sparing = cast("_SparingEngine", engine)
    return lambda: sparing.execute(query, use_cache=False)


def exporting_to(
    engine: ProfiledEngine, path: str | PathLike[str]
) -> Callable[[QueryResult], object]:
    """Return what writes the rows of a result to a file.

    Raises:
        ProfileError: the engine has no exporter.
    """
    exporter = getattr(engine, "exporter", None)
    if not callable(getattr(exporter, "export", None)):
        raise ProfileError(
            f"export_to wants an engine with an exporter, which {type(engine).__name__} has not; "
            "profile it without export_to"
        )
    writer = cast("_RowsExporter", exporter)
    return lambda result: writer.export(result.chunks(), path)
