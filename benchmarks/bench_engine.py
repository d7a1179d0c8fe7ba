"""What a question costs on its way through the engine, beside what must be paid anyway.

python benchmarks/bench_engine.py
"""

from __future__ import annotations

import gc
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from itertools import count
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from blackcore.minimal.query_engine import (
    QueryEngine,
    QueryFilter,
    QueryPagination,
    SortField,
    StructuredQuery,
    field,
)
from examples.flights import flights_directory

Row = dict[str, object]


class RowsInMemory:
    """A loader over rows that are there already."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows

    def load_database(self, name: str) -> list[Row]:  # noqa: ARG002 - the loaders' signature
        """Return the rows, whatever the name."""
        return self.rows

    def get_available_databases(self) -> list[str]:
        """Return the one name."""
        return ["flights"]

    def refresh_cache(self, name: str | None = None) -> None:
        """Forget nothing: the rows are all there is."""


def five_filters(distance: int) -> StructuredQuery:
    """Return a new query of five filters, a sort and a page."""
    return StructuredQuery(
        database="flights",
        filters=[
            QueryFilter("carrier", "eq", "AA"),
            QueryFilter("distance", "gt", distance),
            QueryFilter("dest", "contains", "LA"),
            QueryFilter("month", "in", [1, 2, 3, 6, 7, 8]),
            QueryFilter("dep_delay", "is_not_null"),
        ],
        sort_fields=[SortField("dep_delay", "desc")],
        pagination=QueryPagination(1, 100),
    )


def best_us(run: Callable[[], object], rounds: int, repeats: int) -> float:
    """Return microseconds a call, of the best of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(repeats):
            run()
        best = min(best, (time.perf_counter() - start) / repeats)
    return best * 1e6


def fingerprint_us(rounds: int) -> tuple[float, float]:
    """Return microseconds for the digest of a new query, and of one seen before."""
    best = float("inf")
    for _ in range(rounds):
        fresh = [five_filters(distance) for distance in range(200)]
        start = time.perf_counter()
        for query in fresh:
            query.fingerprint  # noqa: B018 - the digest is made and kept by looking at it
        best = min(best, (time.perf_counter() - start) / len(fresh))
    seen = fresh[0]
    again = best_us(lambda: seen.fingerprint, rounds, 1000)
    return best * 1e6, again


def repeated_us(rows: list[Row], rounds: int) -> float:
    """Return microseconds of a repeated question of 100 rows, its dicts picked."""
    engine = QueryEngine(RowsInMemory(rows))
    query = engine.query("flights").where(field("distance") > 500).sort("-distance").page(1, 100)
    expected = query.run().data
    assert query.run().data == expected
    assert query.run().from_cache
    assert len(expected) == min(100, len(expected))
    return best_us(lambda: engine.execute(query).data, rounds, 200)


def new_values_us(rows: list[Row], rounds: int) -> tuple[float, float]:
    """Return microseconds of a known shape with new values, and of the same by hand."""
    engine = QueryEngine(RowsInMemory(rows))
    values = count(100)

    def by_hand(distance: int) -> list[Row]:
        kept = [r for r in rows if r["carrier"] == "AA" and r["distance"] > distance]
        return sorted(kept, key=lambda r: -r["distance"])[:100]

    def ask(distance: int) -> list[Row]:
        query = engine.query("flights").where(
            field("carrier") == "AA", field("distance") > distance
        )
        return engine.execute(query.sort("-distance").page(1, 100)).data

    assert ask(50) == by_hand(50)
    return (
        best_us(lambda: ask(next(values)), rounds, 50),
        best_us(lambda: by_hand(next(values)), rounds, 50),
    )


def first_answer_ratio(directory: Path, rounds: int) -> tuple[float, float, float]:
    """Return seconds from opening a directory to an answer, of decoding alone, and their ratio."""
    content = (directory / "flights.json").read_bytes()
    decode = msgspec.json.Decoder(list[dict[str, object]]).decode
    ratios, opened, decoded = [], [], []
    for _ in range(rounds):
        gc.collect()
        start = time.perf_counter()
        rows = decode(content)
        decoded.append(time.perf_counter() - start)
        del rows
        gc.collect()
        start = time.perf_counter()
        engine = QueryEngine.open(directory)
        query = engine.query("flights").where(field("carrier") == "AA", field("distance") > 2000)
        assert len(query.sort("-dep_delay").page(1, 100).run().data) > 0
        opened.append(time.perf_counter() - start)
        ratios.append(opened[-1] / decoded[-1])
        del engine, query
    return statistics.median(opened), statistics.median(decoded), statistics.median(ratios)


def machine() -> str:
    """Return what this ran on."""
    parts = [f"Python {platform.python_version()}", f"{os.cpu_count()} cores"]
    parts += [f"{name} {version(name)}" for name in ("polars", "numpy", "msgspec", "pydantic")]
    return ", ".join(parts)


def report(rows: list[Row], rounds: int) -> None:
    """Print the figures that need no file."""
    new, seen = fingerprint_us(rounds)
    print(f"fingerprint of a new query of five filters  {new:8.1f} us   (target 20)")
    print(f"fingerprint of a query seen before          {seen:8.2f} us   (target 1)")
    repeated = repeated_us(rows, rounds)
    print(f"repeated question, {len(rows):,} rows, 100 shown {repeated:8.1f} us   (target 50)")
    ours, by_hand = new_values_us(rows[:1000], rounds)
    print(f"known shape, new values, 1,000 rows         {ours:8.1f} us   (target 300)")
    print(f"  the same by hand                          {by_hand:8.1f} us   {ours / by_hand:.1f}x")


def main() -> None:
    """Print all figures at full size."""
    print(machine())
    directory = flights_directory()
    opened, decoded, ratio = first_answer_ratio(directory, 3)
    print(f"open a directory to the first answer        {opened:8.2f} s")
    print(f"  decoding the file alone                   {decoded:8.2f} s    {ratio:.2f}x")
    content = (directory / "flights.json").read_bytes()
    report(msgspec.json.decode(content, type=list[dict[str, object]]), 20)


def test_engine_bench_runs_small(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"carrier": "AA" if i % 2 else "UA", "distance": i % 977, "dest": "LAX", "dep_delay": i}
        for i in range(3000)
    ]
    report(rows, 1)
    (tmp_path / "flights.json").write_bytes(
        msgspec.json.encode([row | {"distance": 2500} for row in rows])
    )
    assert first_answer_ratio(tmp_path, 1)[2] > 0


if __name__ == "__main__":
    main()
