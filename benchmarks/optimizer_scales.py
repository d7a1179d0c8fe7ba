"""Cold columns, small databases, growing ones, and columns bounded in memory."""

from __future__ import annotations

import math
import time
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from benchmarks.optimizer_contenders import Engine, RowsInMemory, ours
from benchmarks.optimizer_measure import Timing, checked, geomean, verdict
from blackcore.minimal.query_engine import QueryEngine, field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.optimizer_question import Question, Row, Rows

SIZES = (10_000, 100_000, 1_000_000, 3_000_000)
_SLACK = 1.5
"""Times what n log n allows from one size to the next, for caches that no longer hold it all."""


def cold(databases: Mapping[str, Rows], timings: Sequence[Timing], rounds: int = 2) -> bool:
    """Print how long first answers take, with no column and no statistics made before.

    Beside that what a new version of the database adds, and the bound that nothing which looks at
    one value in every record can pass: a comprehension that does no more.
    """
    contender = ours(databases)
    gains, anew, bounds, slowest = [], [], [], 0.0
    for timing in timings:
        question = timing.question
        loaded = [_cold_seconds(contender, question, is_loaded=True) for _ in range(rounds)]
        slowest = max(slowest, min(loaded))
        gains.append(timing.seconds["by hand"] / min(loaded))
        fresh = [_cold_seconds(contender, question, is_loaded=False) for _ in range(rounds)]
        anew.append(timing.seconds["by hand"] / min(fresh))
        looks = [_one_look_seconds(databases[question.database]) for _ in range(rounds)]
        bounds.append(timing.seconds["by hand"] / min(looks))
    print(f"{'all columns cold: slowest question, ms':62}{slowest * 1e3:9.0f}")
    print(f"{'all columns cold, records handed over anew: over by hand':62}{geomean(anew):9.2f}")
    print(f"{'one look at one field of all records: over by hand':62}{geomean(bounds):9.2f}")
    return verdict("all columns cold: over by hand, geometric mean", geomean(gains), 2)


def _cold_seconds(contender: Engine, question: Question, *, is_loaded: bool) -> float:
    contender.forget()
    if is_loaded:
        contender.engine.execute(contender.engine.query(question.database).page(1, 1))
    start = time.perf_counter()
    contender.answer(question)
    return time.perf_counter() - start


def _one_look_seconds(rows: Rows) -> float:
    name = next(iter(rows[0]))
    start = time.perf_counter()
    _ = [row for row in rows if row[name] == 0]
    return time.perf_counter() - start


def _best_us(
    runs: Mapping[str, Callable[[], object]], rounds: int, repeats: int
) -> dict[str, float]:
    """Return microseconds a call, the best of rounds in which all take turns."""
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            for _ in range(repeats):
                run()
            best[name] = min(best[name], (time.perf_counter() - start) / repeats * 1e6)
    return best


def known_shape(rows: Rows, rounds: int) -> bool:
    """Print what a question of a known shape with new values costs over few records."""
    engine = QueryEngine(RowsInMemory({"flights": rows}))
    values = {"ours": count(100), "by hand": count(100)}

    def by_hand(distance: int) -> Rows:
        kept = [r for r in rows if r["carrier"] == "AA" and r["distance"] > distance]
        return sorted(kept, key=lambda r: -r["distance"])[:100]

    def ask(distance: int) -> list[Row]:
        query = engine.query("flights").where(
            field("carrier") == "AA", field("distance") > distance
        )
        return engine.execute(query.sort("-distance").page(1, 100)).data

    assert ask(50) == by_hand(50)
    took = _best_us(
        {
            "ours": lambda: ask(next(values["ours"])),
            "by hand": lambda: by_hand(next(values["by hand"])),
        },
        rounds * 10,
        5,  # few at a time: a busy machine takes its slices out of most longer runs
    )
    label = f"{len(rows):,} records, known shape, new values, by hand: us"
    print(f"{label:62}{took['by hand']:9.1f}")
    allowed = round(1.2 * took["by hand"] + 100)
    return verdict("  the same by us: us", took["ours"], allowed, at_most=True)


def five_predicates(rows: Rows, rounds: int) -> bool:
    """Print what five predicates cost, the first time and from then on."""
    engine = QueryEngine(RowsInMemory({"flights": rows}), cache=False)
    query = (
        engine.query("flights")
        .where(
            field("dest").contains("LA"),
            field("carrier") == "AA",
            field("distance") > 1000,
            field("month").is_in([1, 2, 3, 6, 7, 8]),
            field("dep_delay").is_not_null(),
        )
        .sort("-dep_delay")
        .page(1, 100)
    )
    kept = [r for r in rows if "LA" in r["dest"] and r["carrier"] == "AA" and r["distance"] > 1000]
    kept = [r for r in kept if r["month"] in (1, 2, 3, 6, 7, 8) and r["dep_delay"] is not None]
    start = time.perf_counter()
    found = engine.execute(query).data
    first = (time.perf_counter() - start) * 1e3
    assert found == sorted(kept, key=lambda r: -r["dep_delay"])[:100]
    warm = _best_us({"ours": lambda: engine.execute(query).data}, rounds, 20)["ours"] / 1e3
    print(f"{f'{len(rows):,} records, five predicates, the first time: ms':62}{first:9.2f}")
    return verdict("  from then on: ms", warm, 5, at_most=True)


def growth(rows: Rows, questions: Sequence[Question], sizes: Sequence[int] = SIZES) -> bool:
    """Print nanoseconds per record over databases of growing size, warm."""
    print(f"\nns per record, warm{'':28}" + "".join(f"{size:>12,}" for size in sizes))
    took: dict[str, list[float]] = {question.title: [] for question in questions}
    for size in sizes:
        part = (rows * math.ceil(size / len(rows)))[:size]
        contender = ours({"flights": part})
        for question in questions:
            contender.answer(question)
            run = _best_us({"ours": partial(contender.answer, question)}, 5, 3)["ours"]
            took[question.title].append(run * 1e3 / size)
    worst = 0.0
    for title, costs in took.items():
        print(f"{title:47}" + "".join(f"{cost:>12.2f}" for cost in costs))
        worst = max(worst, *_over_n_log_n(costs, sizes))
    return verdict("growth beyond n log n, the worst step", worst, _SLACK, at_most=True)


def _over_n_log_n(costs: Sequence[float], sizes: Sequence[int]) -> list[float]:
    """Return by how many times more each step grows than n log n does."""
    steps = zip(costs, costs[1:], sizes, sizes[1:], strict=False)
    return [after / before * math.log(small) / math.log(large)
            for before, after, small, large in steps]  # fmt: skip


def bounded(databases: Mapping[str, Rows], questions: Sequence[Question], max_bytes: int) -> bool:
    """Print what columns take under a bound that does not hold them all; answers stay right."""
    contender = Engine("bounded", databases, columns_max_bytes=max_bytes)
    free = ours(databases)
    most = 0
    for question in questions:
        checked(question, [free, contender])
        most = max(most, contender.engine.statistics().columns.used_bytes)
    print(f"\nall columns of the suite, unbounded: {free.engine.statistics().columns}")
    print(f"the same under a bound:              {contender.engine.statistics().columns}")
    return verdict("columns under their bound: MB", most / 1e6, max_bytes / 1e6, at_most=True)
