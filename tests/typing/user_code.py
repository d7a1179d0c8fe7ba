"""What a user writes, checked by a strict type checker: every line must type as it reads.

`assert_type` is checked where types are checked, and harmless where the file is run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, assert_type

from blackcore.minimal.query_engine import (
    CacheManager,
    CacheWarmer,
    CostBasedOptimizer,
    CsvOptions,
    DataLoader,
    EngineSettings,
    Explanation,
    ExportProgress,
    FilterGroup,
    FullTextSearch,
    JsonOptions,
    MemoryCache,
    OptimizedQuery,
    QueryEngine,
    QueryFilter,
    QueryLog,
    QueryLogSettings,
    QueryOperator,
    QueryOptimizer,
    QueryPagination,
    QueryResult,
    QueryStatistics,
    SearchAwareCacheOptimizer,
    SearchConfig,
    SortField,
    StatusUpdate,
    StreamingExporter,
    StructuredQuery,
    TextSearchEngine,
    field,
    update_agent_status,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from blackcore.minimal.query_engine.query import Condition


class People:
    """A loader of the user's own: nothing inherited."""

    def load_database(self, name: str) -> list[dict[str, object]]:
        return [{"name": "Ann", "age": 41}, {"name": "Bo", "age": 17}]

    def get_available_databases(self) -> list[str]:
        return ["people"]

    def refresh_cache(self, name: str | None = None) -> None:
        return None


class Everything:
    """A search engine of the user's own."""

    def search(
        self, query_text: str, data: list[dict[str, object]], config: SearchConfig, /
    ) -> Sequence[object]:
        return [{"entity": record, "score": 1.0} for record in data]


class AsGiven:
    """An optimizer of the user's own, around ours."""

    def __init__(self) -> None:
        self.inner = CostBasedOptimizer(keep_order=True)

    def optimize_query(self, query: StructuredQuery, statistics: QueryStatistics) -> OptimizedQuery:
        return self.inner.optimize_query(query, statistics)


def parts() -> QueryEngine:
    loader: DataLoader = People()
    search: TextSearchEngine = Everything()
    cache: CacheManager = MemoryCache(max_size_mb=16, ttl_seconds=60)
    optimizer: QueryOptimizer = AsGiven()
    assert_type(QueryEngine(loader, False, False, False), QueryEngine)
    return QueryEngine(loader, search=search, cache=cache, optimizer=optimizer)


def conditions() -> Condition:
    assert_type(field("age") == 5, QueryFilter)
    assert_type(field("age") != None, QueryFilter)  # noqa: E711 - a condition
    assert_type(field("age").between(1, 2), QueryFilter)
    assert_type(field("name").is_in(["Ann"]), QueryFilter)
    assert_type((field("age") > 5) & (field("name") == "Ann"), FilterGroup)
    assert_type((field("age") > 5) | ~(field("name") == "Ann"), FilterGroup)
    return ~(field("name").contains("n", case_sensitive=False))


def fluent(engine: QueryEngine) -> QueryResult:
    adults = engine.query("people").where(field("age") >= 18, conditions()).sort("-age")
    paged = adults.page(1, size=10).select("name").distinct().search("ann", {"name": 2})
    assert_type(paged.explain(), Explanation)
    assert_type(paged.structured, StructuredQuery)
    assert_type(paged.run(), QueryResult)
    assert_type(engine.execute(paged), QueryResult)
    return adults.run()


def plain(engine: QueryEngine) -> QueryResult:
    query = StructuredQuery(
        database="people",
        filters=(
            QueryFilter("age", "gt", 17),
            QueryFilter(field="name", operator=QueryOperator.REGEX, value="^A"),
            FilterGroup("or", [QueryFilter("age", "is_null"), QueryFilter("age", "lt", 99)]),
        ),
        sort_fields=(SortField("age", "desc"),),
        pagination=QueryPagination(1, 5),
    )
    assert_type(query.fingerprint, str)
    assert_type(engine.explain(query, analyze=True).to_dict(), dict[str, object])
    return engine.execute(query)


def rows(result: QueryResult) -> list[str]:
    assert_type(result.data, list[dict[str, object]])
    assert_type(len(result), int)
    assert_type(result.total_count, int)
    assert_type(result.page_size, int | None)
    frame: pl.DataFrame = result.to_polars()
    return [str(row["name"]) for row in result][: frame.height]


def noted(path: Path) -> StatusUpdate:
    update = update_agent_status("cache", "export", path=path)
    assert_type(update.set_aside, Path | None)
    return update


async def kept(loader: DataLoader, path: Path) -> int:
    cache, search = MemoryCache(), FullTextSearch()
    settings = EngineSettings(query_log=QueryLogSettings(path=path))
    engine = QueryEngine(loader, search, cache, settings=settings)
    assert_type(engine.query_log, QueryLog | None)
    optimizer = SearchAwareCacheOptimizer(cache, search, engine)
    update = optimizer.invalidate_records("people", [{"name": "Ann"}])
    report = await CacheWarmer(cache, loader, engine).warm_common_queries()
    assert_type(optimizer.trending(), list[tuple[str, float]])
    return update.kept + report.warmed


async def awaited(engine: QueryEngine, path: Path) -> int:
    result = await engine.execute_async(StructuredQuery(database="people"))
    assert_type(result, QueryResult)
    written = await engine.query("people").export(path)
    assert_type(written, int)
    assert_type(engine.export_sync(engine.query("people"), path), int)
    return written


async def exported(engine: QueryEngine, folder: Path) -> int:
    heard: list[ExportProgress] = []
    exporter = StreamingExporter(on_progress=heard.append)
    people = engine.query("people")
    csv = CsvOptions(delimiter=";", escape_formulas=True)
    written = await exporter.export_csv_async(people, folder / "a.csv", 500, options=csv)
    assert_type(written, int)
    written += exporter.export_json([{"n": 1}], folder / "b.json", options=JsonOptions(indent=True))
    written += exporter.export(people.run(), folder / "c.jsonl.gz", on_exists="error")
    async for block in exporter.stream_csv(({"n": n} for n in range(3)), compression="gzip"):
        assert_type(block, bytes)
    return written
