"""What planning costs: statistics on first use, plans of new and of known shapes, calibration.

python benchmarks/bench_planning.py [--copies N] [--rounds N]
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import optimizer_data
from blackcore.minimal.query_engine import StructuredQuery, field
from blackcore.minimal.query_engine.data import Records
from blackcore.minimal.query_engine.optimization import CostBasedOptimizer, calibrate, gather
from blackcore.minimal.query_engine.optimization.query_optimizer import needed_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.optimizer_question import Rows
    from blackcore.minimal.query_engine.query import Condition

SMALL_ROWS = 1_000


class Shape(NamedTuple):
    """Six predicates, with values that some dice choose."""

    title: str
    filters: Callable[[random.Random], Sequence[Condition]]


def _plain(dice: random.Random) -> Sequence[Condition]:
    return [
        field("carrier") == dice.choice(["UA", "AA", "HA"]),
        field("distance") > dice.randrange(100, 2_000),
        field("dep_delay") < dice.randrange(10, 300),
        field("dest").is_in(dice.sample(["ABQ", "BOS", "LAX", "SFO", "ORD"], 3)),
        field("month") == dice.randrange(1, 13),
        field("tailnum") != f"N{dice.randrange(10_000, 99_999)}",
    ]


def _texts(dice: random.Random) -> Sequence[Condition]:
    number = dice.randrange(100, 999)
    return [
        *_plain(dice)[:3],
        field("tailnum").contains(str(number)),
        field("dest").regex(f"^[A-{dice.choice('GMT')}]"),
        field("tailnum").fuzzy(f"N{number}UA", threshold=0.8),
    ]


def _ruled(dice: random.Random) -> Sequence[Condition]:
    low = dice.randrange(100, 1_000)
    return [
        (field("carrier") == "UA") | (field("carrier") == dice.choice(["AA", "HA"])),
        field("distance") >= low,
        field("distance") <= low + 1_000,
        field("dest").is_in([dice.choice(["ABQ", "BOS"])]),
        field("month") == dice.randrange(1, 13),
        field("dep_delay").is_not_null(),
    ]


SHAPES = (
    Shape("six comparisons", _plain),
    Shape("three of them, and three of text", _texts),
    Shape("six that four rules rewrite", _ruled),
)


class Spent(NamedTuple):
    """Median microseconds of one plan."""

    new: float
    new_values: float
    same_values: float


def planned(records: Records, shape: Shape, rounds: int) -> Spent:
    """Return what a plan costs, statistics gathered.

    First of its shape by an optimizer that planned nothing before; then by one that planned other
    values in the shape before; and the same values again.
    """
    dice = random.Random(3)  # noqa: S311 - seeded values, no secret
    before, queries = _asked(records, shape, dice, rounds), _asked(records, shape, dice, rounds)
    queries = [query for query in queries if query not in before]  # never planned before
    gather(records, needed_fields(queries[0]))
    optimizer = CostBasedOptimizer()
    for query in before:  # as many shapes as the values make are known then
        optimizer.optimize_query(query, gather(records, needed_fields(query)))
    spent = [
        Spent(
            _microseconds(CostBasedOptimizer(), query, records),
            _microseconds(optimizer, query, records),
            _microseconds(optimizer, query, records),
        )
        for query in queries
    ]
    return Spent(*map(median, zip(*spent, strict=True)))


def _asked(
    records: Records, shape: Shape, dice: random.Random, count: int
) -> list[StructuredQuery]:
    return [
        StructuredQuery(database=records.name, filters=list(shape.filters(dice)))
        for _ in range(count)
    ]


def _microseconds(optimizer: CostBasedOptimizer, query: StructuredQuery, records: Records) -> float:
    start = time.perf_counter_ns()
    statistics = gather(records, needed_fields(query))
    optimizer.optimize_query(query, statistics)
    return (time.perf_counter_ns() - start) / 1e3


def gathered(rows: Rows, rounds: int) -> float:
    """Return the median milliseconds that the statistics of a field take on first use."""
    spent = []
    for _ in range(rounds):
        records = Records("flights", rows)
        for path in ("carrier", "distance", "dep_delay", "tailnum"):
            start = time.perf_counter_ns()
            gather(records, [path])
            spent.append((time.perf_counter_ns() - start) / 1e6)
    return median(spent)


def _line(title: str, value: float, unit: str, most: float) -> bool:
    met = value <= most
    told = "met" if met else "missed"
    print(f"{title:72}{value:9.3g} {unit:2}  target {most:g}: {told}", flush=True)
    return met


def report(rows: Rows, rounds: int) -> list[bool]:
    """Print all figures beside their targets; return which are met."""
    met = [_line("statistics of a field on first use", gathered(rows, 5), "ms", 1.0)]
    for count in (SMALL_ROWS, len(rows)):
        records = Records("flights", rows[:count])
        for path in ("carrier", "distance", "dep_delay", "dest", "month", "tailnum"):
            records.column(path)
        for shape in SHAPES:
            spent = planned(records, shape, rounds)
            title = f"{count:,} rows, {shape.title}"
            met.append(_line(f"{title}, new", spent.new, "us", 400.0))
            met.append(_line(f"{title}, known, new values", spent.new_values, "us", 50.0))
            met.append(_line(f"{title}, known, same values", spent.same_values, "us", 50.0))
    start = time.perf_counter()
    calibrate()
    met.append(_line("calibrate()", time.perf_counter() - start, "s", 1.0))
    return met


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=200)
    chosen = parser.parse_args()
    report(optimizer_data.flights(chosen.copies), chosen.rounds)


def test_planning_bench_runs_small() -> None:
    figures = 2 * 3 * len(SHAPES) + 2
    assert len(report(optimizer_data.made_flights(2_000), 2)) == figures


if __name__ == "__main__":
    main()
