"""Answers that are kept: what a hit costs, what a session saves, and what an update leaves.

python benchmarks/bench_engine_cache.py
"""

from __future__ import annotations

import asyncio
import os
import platform
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import cachetools
import msgspec
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from blackcore.minimal.query_engine import (
    FullTextSearch,
    MemoryCache,
    QueryEngine,
    QueryFilter,
    QueryPagination,
    QueryResult,
    SearchConfig,
    SortField,
    StructuredQuery,
)
from blackcore.minimal.query_engine.integration import SearchAwareCacheOptimizer
from blackcore.minimal.query_engine.search.words import fold, parse, relevance, texts
from blackcore.minimal.query_engine.settings import CachePolicy, SearchAwareSettings
from examples.flights import flights_directory

Row = dict[str, Any]
T = TypeVar("T")
PAGE = 100


class Rows:
    """A loader over rows that are there already."""

    def __init__(self, **databases: list[Row]) -> None:
        self.databases = databases

    def load_database(self, name: str) -> list[Row]:
        """Return the rows of a database."""
        return self.databases[name]

    def get_available_databases(self) -> list[str]:
        """Return the names."""
        return list(self.databases)

    def refresh_cache(self, name: str | None = None) -> None:
        """Forget nothing: the rows are all there is."""


def late(carrier: str = "AA", page: int = 1) -> StructuredQuery:
    """Return a question of two filters, a sort and a page."""
    return StructuredQuery(
        "flights",
        [QueryFilter("carrier", "eq", carrier), QueryFilter("distance", "gt", 900)],
        [SortField("dep_delay", "desc")],
        QueryPagination(page, PAGE),
    )


def best_us(run: Callable[[], object], rounds: int, repeats: int = 200) -> float:
    """Return microseconds a call, of the best of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(repeats):
            run()
        best = min(best, (time.perf_counter() - start) / repeats)
    return best * 1e6


def hits(rows: list[Row], rounds: int) -> None:
    """Print what a repeated question costs, and that its pages and projections are hits."""
    engine = QueryEngine(Rows(flights=rows))
    seen = late()
    expected = engine.execute(seen).data
    assert engine.execute(seen).data == expected
    assert len(expected) == PAGE
    again = best_us(lambda: engine.execute(seen).data, rounds)
    new = [late() for _ in range(rounds * 200)]
    fresh = best_us(lambda: engine.execute(new.pop()).data, rounds)
    print(f"repeated question, {PAGE} rows, a new query object   {fresh:8.1f} us   (at most 30)")
    print(f"  the query object seen before                    {again:8.1f} us   (at most 15)")
    page = late(page=7)
    assert engine.execute(page).from_cache
    assert engine.execute(page.model_copy(update={"select": ("origin",)})).from_cache
    with tempfile.TemporaryDirectory() as folder:
        before = engine.statistics().answered_from_cache
        asyncio.run(engine.export(seen, Path(folder) / "late.csv"))
        assert engine.statistics().answered_from_cache == before + 1
    print("page 7, another select, the export                 all hits")


def million() -> None:
    """Print what an answer of a million rows weighs in the cache."""
    cache = MemoryCache()
    engine = QueryEngine(Rows(db=[{"a": 1}] * 1_000_000), cache=cache)
    assert len(engine.execute(StructuredQuery("db"))) == 1_000_000
    weight = cache.get_statistics().memory_used_bytes
    assert weight <= 4_200_000
    print(f"an answer of 1,000,000 rows                     {weight / 1e6:8.2f} MB   (at most 4.2)")


def single_flight(rows: list[Row], threads: int = 4, rounds: int = 20) -> None:
    """Print how often questions asked by several threads at a time are computed."""
    engine = QueryEngine(Rows(flights=rows))
    barrier = threading.Barrier(threads)
    computed: list[bool] = []

    def ask() -> None:
        for number in range(rounds):
            barrier.wait()
            query = StructuredQuery("flights", [QueryFilter("distance", "gt", number)])
            computed.append(not engine.execute(query).from_cache)

    workers = [threading.Thread(target=ask) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(computed) == rounds
    print(f"{threads} threads, {rounds} questions each at a time: computed {sum(computed)} times")


class Step(NamedTuple):
    """One question of a session, for us and as SQL."""

    query: StructuredQuery
    sql: str


def session(count: int, seed: int = 11) -> Iterator[Step]:
    """Yield the questions of somebody at a notebook: filter, page, page, narrow, sort, export."""
    draw = random.Random(seed)  # noqa: S311 - a replay
    carriers = ["UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E", "WN", "VX"]
    popular = [1 / (rank + 1) for rank in range(len(carriers))]
    made = 0
    while made < count:
        wide = [QueryFilter("carrier", "eq", draw.choices(carriers, popular)[0])]
        narrow = [*wide, QueryFilter("month", "eq", draw.randint(1, 12))]
        if draw.random() < 0.5:
            narrow.append(QueryFilter("origin", "eq", draw.choice(["JFK", "LGA", "EWR"])))
        sort = [SortField(draw.choice(["dep_delay", "distance", "air_time"]), "desc")]
        steps = [
            _step(wide, [], 1),
            _step(wide, [], 2),
            _step(wide, [], draw.randint(3, 5)),
            _step(narrow, [], 1),
            _step(narrow, sort, 1),
            _step(narrow, sort, 2),
            _step(narrow, sort, None),
        ]
        yield from steps[: count - made]
        made += len(steps)


def _step(filters: list[QueryFilter], sort: list[SortField], page: int | None) -> Step:
    pagination = None if page is None else QueryPagination(page, PAGE)
    held = " AND ".join(f"{each.field} = '{each.value}'" for each in filters)
    order = "".join(f"{each.field} {each.order} NULLS LAST, " for each in sort)
    limit = "" if page is None else f" LIMIT {PAGE} OFFSET {(page - 1) * PAGE}"
    return Step(
        StructuredQuery("flights", filters, sort, pagination),
        f"SELECT * FROM flights WHERE {held} ORDER BY {order}row_id{limit}",  # noqa: S608 - our own words
    )


def replay(rows: list[Row], count: int) -> None:
    """Print what keeping answers saves, ours and DuckDB with cachetools, over one session."""
    frame = pl.DataFrame(rows, infer_schema_length=None).with_row_index("row_id")
    import duckdb

    connection = duckdb.connect()
    connection.register("frame", frame.to_arrow())
    connection.execute("CREATE TABLE flights AS SELECT * FROM frame")
    kept: cachetools.LRUCache[str, list[Any]] = cachetools.LRUCache(100_000)
    warm, cold = QueryEngine(Rows(flights=rows)), QueryEngine(Rows(flights=rows), cache=False)

    def by_sql(sql: str) -> list[Any]:
        found = kept.get(sql)
        if found is None:
            found = kept[sql] = connection.execute(sql).fetchall()
        return found

    spent = dict.fromkeys(("ours", "ours, cold", "DuckDB", "DuckDB, cold"), 0.0)
    hit = dict.fromkeys(("ours", "DuckDB"), 0)

    def timed(name: str, run: Callable[[], T]) -> T:
        start = time.perf_counter()
        result = run()
        spent[name] += time.perf_counter() - start
        return result

    for query, sql in session(count):
        hit["DuckDB"] += sql in kept
        result = timed("ours", lambda q=query: _with_data(warm.execute(q)))
        hit["ours"] += result.from_cache
        peer = timed("DuckDB", lambda s=sql: by_sql(s))
        plain = timed("ours, cold", lambda q=query: _with_data(cold.execute(q)))
        timed("DuckDB, cold", lambda s=sql: connection.execute(s).fetchall())
        assert result.ids.tolist() == [row[0] for row in peer] == plain.ids.tolist()
    print(f"\na session of {count:,} questions over {len(rows):,} flights, rows as Python objects")
    print(f"{'':24}{'hits':>8}{'cold s':>10}{'kept s':>10}{'saved':>9}")
    for name in ("ours", "DuckDB"):
        without, with_cache = spent[f"{name}, cold"], spent[name]
        label = name if name == "ours" else "DuckDB + cachetools"
        print(
            f"{label:24}{hit[name] / count:8.1%}{without:10.2f}{with_cache:10.2f}"
            f"{1 - with_cache / without:9.1%}"
        )


def _with_data(result: QueryResult) -> QueryResult:
    assert len(result.data) == len(result)
    return result


class AloneEngine:
    """Scores each record by itself, as `calculate_relevance_score` of our own engines does."""

    scores_depend_on_corpus = False

    def calculate_relevance_score(
        self, item: Row, query_text: str, weights: dict[str, float]
    ) -> float:
        """Return the score of one record."""
        return relevance(dict(item), parse(query_text), dict(weights))

    def search(self, query_text: str, data: list[Row], config: SearchConfig) -> list[Any]:
        """Return the records that match."""
        phrases, weights = parse(query_text), dict(config.field_weights)
        scored = [{"entity": row, "score": relevance(row, phrases, weights)} for row in data]
        return [match for match in scored if match["score"] > 0]


def words_of(rows: list[Row]) -> list[str]:
    """Return the words of the records' names, each once."""
    named = [text for row in rows for path, text in texts(row) if path == "name"]
    found = {word for text in named for word in fold(text).split()}
    return sorted(word for word in found if len(word) > 2)


def shifting_searches(words: list[str], count: int, seed: int) -> Iterator[StructuredQuery]:
    """Yield searches whose topics come and go, among others that are asked once."""
    draw = random.Random(seed)  # noqa: S311 - a replay
    topics = [draw.sample(words, 20) for _ in range(40)]
    popular = [1 / (rank + 1) for rank in range(20)]
    active = draw.sample(range(len(topics)), 4)
    for number in range(count):
        if number % 400 == 0:
            active[draw.randrange(4)] = draw.randrange(len(topics))
        is_stray = draw.random() < 0.3
        topic = words if is_stray else topics[draw.choice(active)]
        text = draw.choices(topic, None if is_stray else popular)[0]
        altitude = draw.choices(range(0, 5000, 500), [1 / (k + 1) for k in range(10)])[0]
        yield StructuredQuery("airports", [QueryFilter("alt", "gt", altitude)], search=text)


def hit_rates(rows: list[Row], count: int, entries: int) -> dict[str, tuple[float, float]]:
    """Print, by policy, the hit rate of a stream with shifting interests: plain, search-aware."""
    words = words_of(rows)
    print(f"\n{count:,} searches with shifting interests, {entries} answers kept: hit rates")
    print(f"{'policy':12}{'plain':>8}{'aware':>8}{'gain':>8}")
    rates = {}
    for policy in ("lru", "s3fifo", "gdsf"):
        pair = [_hit_rate(rows, words, count, policy, entries, aware) for aware in (False, True)]
        rates[policy] = (pair[0], pair[1])
        print(f"{policy:12}{pair[0]:8.1%}{pair[1]:8.1%}{100 * (pair[1] - pair[0]):+7.1f}")
    return rates


def _hit_rate(
    rows: list[Row], words: list[str], count: int, policy: CachePolicy, entries: int, aware: bool
) -> float:
    cache, search = MemoryCache(max_entries=entries, policy=policy), FullTextSearch()
    engine = QueryEngine(Rows(airports=rows), search, cache)
    if aware:
        SearchAwareCacheOptimizer(cache, search, engine)
    found = sum(engine.execute(query).from_cache for query in shifting_searches(words, count, 5))
    return found / count


def update(rows: list[Row], search_of: Callable[[], Any], count: int) -> float:
    """Print how many searches an update of 1 % of the records leaves; return the kept part."""
    draw = random.Random(2)  # noqa: S311 - a replay
    words = words_of(rows)
    asked = list({q.fingerprint: q for q in shifting_searches(words, count, 9)}.values())
    loader, cache, search = Rows(airports=rows), MemoryCache(), search_of()
    engine = QueryEngine(loader, search, cache)
    settings = SearchAwareSettings(max_rewarmed=0)
    optimizer = SearchAwareCacheOptimizer(cache, search, engine, settings=settings)
    for query in asked:
        engine.execute(query)
    places = draw.sample(range(len(rows)), max(1, len(rows) // 100))
    changed = {at: rows[at] | {"name": " ".join(draw.sample(words, 3))} for at in places}
    new = [changed.get(at, row) for at, row in enumerate(rows)]
    loader.databases["airports"] = new
    report = optimizer.invalidate_records("airports", list(changed.values()))
    cold = QueryEngine(Rows(airports=new), search_of(), cache=False)
    touched = [*changed.values(), *(rows[at] for at in places)]
    unaffected = kept = 0
    for query in asked:
        result = engine.execute(query)
        assert result.ids.tolist() == cold.execute(query).ids.tolist()  # none is stale
        assert query.search is not None
        phrases = parse(query.search.text)
        if not any(relevance(row, phrases, {}) for row in touched):
            unaffected += 1
            kept += result.from_cache
    name = type(search).__name__
    print(
        f"{name:16}{report.considered:9,}{unaffected:12,}{kept / unaffected:8.1%}"
        f"{report.reranked:10,}{report.elapsed_seconds * 1e3:10.0f} ms"
    )
    return kept / unaffected


def updates(rows: list[Row], count: int) -> list[float]:
    """Print what an update leaves, by search engine."""
    print(f"\nan update of 1 % of {len(rows):,} airports; no answer is stale")
    print(f"{'search engine':16}{'searches':>9}{'unaffected':>12}{'kept':>8}{'reranked':>10}")
    return [update(rows, search_of, count) for search_of in (AloneEngine, FullTextSearch)]


def machine() -> str:
    """Return what this ran on."""
    parts = [f"Python {platform.python_version()}", f"{os.cpu_count()} cores"]
    parts += [f"{name} {version(name)}" for name in ("polars", "numpy", "duckdb", "cachetools")]
    return ", ".join(parts)


def main() -> None:
    """Print all figures at full size."""
    print(machine())
    directory = flights_directory()

    def table(name: str) -> list[Row]:
        return msgspec.json.decode((directory / f"{name}.json").read_bytes(), type=list[Row])

    flights, airports = table("flights"), table("airports")
    hits(flights, 20)
    million()
    single_flight(flights)
    replay(flights, 2_000)
    rates = hit_rates(airports, 8_000, 60)
    assert rates["lru"][1] - rates["lru"][0] >= 0.03
    assert min(updates(airports, 1_000)) >= 0.8


def small() -> None:
    """Run everything once over a few rows."""
    draw = random.Random(1)  # noqa: S311 - test data
    flights = [
        {
            "carrier": draw.choice(["UA", "AA", "B6"]),
            "distance": draw.randrange(100, 3000),
            "dep_delay": draw.choice([None, *range(-20, 200)]),
            "month": draw.randint(1, 12),
            "origin": draw.choice(["JFK", "LGA", "EWR"]),
            "air_time": draw.randrange(300),
        }
        for _ in range(4_000)
    ]
    names = [f"{a}{b} field" for a in ("north", "south", "east") for b in range(40)]
    airports = [{"name": name, "alt": draw.randrange(6000)} for name in names]
    hits(flights, 1)
    single_flight(flights, rounds=3)
    replay(flights, 30)
    hit_rates(airports, 60, 10)
    assert min(updates(airports, 30)) == 1


def test_engine_cache_bench_runs_small() -> None:
    # in a process of its own: DuckDB and pandas in one report each other's types at its end
    subprocess.run([sys.executable, __file__, "small"], check=True)  # noqa: S603 - this file


if __name__ == "__main__":
    small() if sys.argv[1:] == ["small"] else main()
