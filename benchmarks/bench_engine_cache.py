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

from benchmarks.engine_cache_searches import hit_rates, updates
from blackcore.minimal.query_engine import (
    MemoryCache,
    QueryEngine,
    QueryFilter,
    QueryPagination,
    QueryResult,
    SortField,
    StructuredQuery,
)
from blackcore.minimal.query_engine.cache.sizing import weigh
from blackcore.minimal.query_engine.data import Answer
from blackcore.minimal.query_engine.settings import CACHE_POLICIES, CacheSettings
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


def best_us(run: Callable[[], object], rounds: int, repeats: int = 20) -> float:
    """Return microseconds a call, of the best of some rounds: short ones, which nobody disturbs."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(repeats):
            run()
        best = min(best, (time.perf_counter() - start) / repeats)
    return best * 1e6


def verdict(what: str, figure: float, target: float, unit: str) -> None:
    """Print a figure beside its target."""
    met = "met" if figure <= target else "MISSED"
    print(f"{what:50}{figure:8.2f} {unit}   (at most {target:g}: {met})")


def hits(rows: list[Row], rounds: int) -> None:
    """Print what a repeated question costs, and that its pages and projections are hits."""
    engine = QueryEngine(Rows(flights=rows))
    seen = late()
    expected = engine.execute(seen).data
    assert engine.execute(seen).data == expected
    assert len(expected) == PAGE
    again = best_us(lambda: engine.execute(seen).data, 10 * rounds)
    fresh = best_us(lambda: engine.execute(late()).data, 10 * rounds)
    verdict(f"repeated question, {PAGE} rows, a new query object", fresh, 30, "us")
    verdict("  the query object seen before", again, 15, "us")
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
    verdict("an answer of 1,000,000 rows", weight / 1e6, 4.2, "MB")


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
    memory = {
        "ours": warm.statistics().cache.memory_used_bytes,  # type: ignore[union-attr]  # it has a cache
        "DuckDB": sum(map(weigh, kept.values())),
    }
    columns = ("hits", "cold s", "kept s", "saved s", "saved", "MB kept")
    print(f"{'':20}" + "".join(f"{column:>9}" for column in columns))
    for name in ("ours", "DuckDB"):
        without, with_cache = spent[f"{name}, cold"], spent[name]
        saved = without - with_cache
        label = name if name == "ours" else "DuckDB + cachetools"
        print(
            f"{label:20}{hit[name] / count:9.1%}{without:9.2f}{with_cache:9.2f}{saved:9.2f}"
            f"{saved / without:9.1%}{memory[name] / 1e6:9.1f}"
        )


def patterned(count: int, seed: int = 5) -> Iterator[StructuredQuery]:
    """Yield the questions of a session with dearer ones in between: patterns, some asked often."""
    draw = random.Random(seed)  # noqa: S311 - a replay
    patterns = [f"N{a}{b}[0-9]*[AU]" for a in range(1, 9) for b in range(10)]
    popular = [1 / (rank + 1) for rank in range(len(patterns))]
    for step in session(count, seed):
        if draw.random() < 0.75:
            yield step.query
        else:
            pattern = QueryFilter("tailnum", "regex", draw.choices(patterns, popular)[0])
            month = QueryFilter("month", "eq", draw.randint(1, 3))
            yield StructuredQuery("flights", [pattern, month], pagination=QueryPagination(1, PAGE))


def by_policy(rows: list[Row], count: int) -> None:
    """Print what each policy saves where there is room for a part of the answers.

    What each question costs is measured beforehand, so that all policies are told the same.
    """
    engine = QueryEngine(Rows(flights=rows), cache=False)
    asked = list(patterned(count))
    cost_seconds: dict[str, float] = {}
    answers: dict[str, Answer] = {}
    for query in {query.fingerprint: query for query in asked}.values():
        key, whole = query.fingerprint, query.model_copy(update={"pagination": None})
        results = [engine.execute(whole) for _ in range(2)]
        cost_seconds[key] = min(each.execution_time_ms for each in results) / 1e3
        answers[key] = Answer(results[0].ids, len(results[0]))
    total = sum(cost_seconds[query.fingerprint] for query in asked)
    room_mb = sum(each.cache_weight_bytes() for each in answers.values()) / 2**20
    print(f"\n{count:,} questions, {len(answers):,} different: hits, computing time saved by room")
    for policy in CACHE_POLICIES:
        line = f"{policy:8}"
        for part in (0.05, 0.1, 0.25):
            cache, hits, saved = MemoryCache(part * room_mb, policy=policy), 0, 0.0
            for query in asked:
                key = query.fingerprint
                if cache.get(key) is None:
                    cache.set(key, answers[key], cost=cost_seconds[key])
                else:
                    hits, saved = hits + 1, saved + cost_seconds[key]
            line += f"   {part:4.0%}: {hits / count:5.1%} {saved / total:5.1%}"
        print(line + ("   (the engine's own)" if policy == CacheSettings().policy else ""))


def _with_data(result: QueryResult) -> QueryResult:
    assert len(result.data) == len(result)
    return result


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
    by_policy(flights, 2_000)
    hit_rates(Rows, airports, count=8_000, entries=60)
    updates(Rows, airports, 1_000)


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
            "tailnum": f"N{draw.randrange(1000)}A",
        }
        for _ in range(4_000)
    ]
    names = [f"{a}{b} field" for a in ("north", "south", "east") for b in range(40)]
    airports = [{"name": name, "alt": draw.randrange(6000)} for name in names]
    hits(flights, 1)
    million()
    single_flight(flights, rounds=3)
    replay(flights, 30)
    by_policy(flights, 30)
    hit_rates(Rows, airports, count=60, entries=10, seeds=(5,), shifts=(20,))
    assert min(updates(Rows, airports, 30)) == 1


def test_engine_cache_bench_runs_small() -> None:
    # in a process of its own: DuckDB and pandas in one report each other's types at its end
    subprocess.run([sys.executable, __file__, "small"], check=True)  # noqa: S603 - this file


if __name__ == "__main__":
    small() if sys.argv[1:] == ["small"] else main()
