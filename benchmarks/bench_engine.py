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
    Explanation,
    QueryEngine,
    QueryFilter,
    QueryPagination,
    QueryResult,
    SortField,
    StructuredQuery,
    field,
)
from blackcore.minimal.query_engine.query import Query
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
    """Return microseconds a call, of the best of some rounds.

    Many short rounds tell more than a few long ones, in which others get their turn.
    """
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


def repeated_us(rows: list[Row], rounds: int) -> tuple[float, float]:
    """Return microseconds of a repeated question of 100 rows, its dicts picked.

    First with the question put together anew each time, then with the query object seen before.
    """
    engine = QueryEngine(RowsInMemory(rows))

    def question() -> Query[QueryResult, Explanation]:
        filters = (field("carrier") == "AA", field("distance") > 500)
        return engine.query("flights").where(*filters).sort("-distance").page(1, 100)

    seen = question()
    expected = seen.run().data
    assert len(expected) == min(100, len(expected))
    again = question().run()
    assert again.from_cache
    assert again.data == expected
    new = best_us(lambda: engine.execute(question()).data, 10 * rounds, 20)
    return new, best_us(lambda: engine.execute(seen).data, 10 * rounds, 20)


def new_values_us(rows: list[Row], rounds: int) -> tuple[float, float]:
    """Return microseconds of a known shape with new values, and of the same by hand.

    The values are close together, so that every question leaves as many rows as the others.
    """
    engine = QueryEngine(RowsInMemory(rows))
    numbers = count()

    def value() -> float:
        return 100 + next(numbers) / 1e6

    def by_hand(distance: float) -> list[Row]:
        kept = [r for r in rows if r["carrier"] == "AA" and r["distance"] > distance]
        return sorted(kept, key=lambda r: -r["distance"])[:100]

    def ask(distance: float) -> list[Row]:
        query = engine.query("flights").where(
            field("carrier") == "AA", field("distance") > distance
        )
        return engine.execute(query.sort("-distance").page(1, 100)).data

    assert ask(50) == by_hand(50)
    ours = by_hands = float("inf")
    for _ in range(10 * rounds):
        ours = min(ours, best_us(lambda: ask(value()), 1, 5))
        by_hands = min(by_hands, best_us(lambda: by_hand(value()), 1, 5))
    assert engine.statistics().answered_from_cache == 0
    return ours, by_hands


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


def verdict(what: str, figure: float, target: float, unit: str = "us") -> None:
    """Print a figure beside its target."""
    met = "met" if figure <= target else "MISSED"
    print(f"{what:46}{figure:9.2f} {unit:3} (at most {target:g}: {met})")


def report(rows: list[Row], rounds: int) -> None:
    """Print the figures that need no file."""
    new, seen = fingerprint_us(rounds)
    verdict("fingerprint of a new query of five filters", new, 20)
    verdict("fingerprint of a query seen before", seen, 1)
    new, seen = repeated_us(rows, rounds)
    verdict(f"repeated question, 100 of {len(rows):,} rows, put anew", new, 30)
    verdict("  the query object seen before", seen, 15)
    ours, by_hand = new_values_us(rows[:1000], rounds)
    verdict("known shape, new values, 1,000 rows", ours, 300)
    print(f"{'  the same by hand':46}{by_hand:9.2f} us  ({ours / by_hand:.1f}x)")


def main() -> None:
    """Print all figures at full size."""
    print(machine())
    directory = flights_directory()
    opened, decoded, ratio = first_answer_ratio(directory, 3)
    print(f"{'open a directory to the first answer':46}{opened:9.2f} s")
    print(f"{'  decoding the file alone':46}{decoded:9.2f} s   ({ratio:.2f}x)")
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
