"""The cache's figures: repeated queries found, what a lookup takes, what a million items take."""

from __future__ import annotations

import random
import threading
import time
from array import array
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.cache_contenders import Contender, contenders, value_of
from benchmarks.cache_hit_ratios import REPLAYS, zipf_trace
from benchmarks.cache_latency import make_keys
from benchmarks.cache_memory import measure_apart
from benchmarks.targets.figures import Figure, Part, figure
from blackcore.minimal.query_engine import (
    EngineSettings,
    MemoryCache,
    QueryEngine,
    QueryFilter,
    StructuredQuery,
)

OURS = "lru"
"""The default policy: what somebody has who chooses nothing."""
PEERS = ("cachetools", "cachebox", "moka-py", "theine")
TITLES = {"lru": "ours", "s3fifo": "ours, s3fifo"}
EXPONENT = 1.3
_KEPT = (*TITLES, *PEERS)
THREADS = (1, 4)
PERCENTILES = {"p50": 50.0, "p99": 99.0, "p99.9": 99.9}
GRID = [0.0, *np.geomspace(1, 1e-4, 60).tolist()]
"""Parts of the calls that are slower, for the plot."""


def measure(
    *,
    questions: int,
    distinct: int,
    entries: int,
    rounds: int,
    million: int,
    weighed: Sequence[str],
) -> Part:
    """Return figures and latency curves of the cache; `weighed` are the peers by memory."""
    latency, curves = lookups(entries, rounds)
    weights = memory(million, weighed)
    taken = {**weights[0].peers, "ours": weights[0].measured}
    return Part(
        [*hit_rate(questions, distinct), *latency, *weights],
        {"latency": curves, "memory": taken},
    )


def hit_rate(questions: int, distinct: int) -> list[Figure]:
    """Return how many repeated questions an engine finds that has room for a fifth of them."""
    entries = distinct // 5
    trace = zipf_trace(EXPONENT, questions, distinct)
    cache = MemoryCache(max_entries=entries)
    rows: list[dict[str, object]] = [{"number": number} for number in range(distinct)]
    engine = QueryEngine(_Rows(rows), cache=cache, settings=EngineSettings())
    found = 0
    for number in trace:
        query = StructuredQuery("rows", [QueryFilter("number", "eq", number)])
        result = engine.execute(query)
        assert result.data == [rows[number]]
        found += result.from_cache
    ratios = {name: 100 * replay(trace, entries) for name, replay in REPLAYS.items()}
    peers = {name: ratios[name] for name in ("theine", "moka-py", "cachebox LFU")}
    asked = f"{questions:,} of {distinct} distinct, Zipf {EXPONENT}, room for {entries}"
    return [
        figure(
            "repeated_queries_percent",
            "hit rate",
            f"repeated questions found in cache ({asked})",
            "%",
            100 * found / questions,
            "above",
            80.0,
            peers,
        ),
        figure(
            "repeated_queries_optimum_percent",
            "hit rate",
            "  the most that could be found (Belady's optimum)",
            "%",
            ratios["optimum"],
            "above",
        ),
    ]


def lookups(entries: int, rounds: int) -> tuple[list[Figure], dict[str, object]]:
    """Return percentiles of a hit, for one thread and several, and curves of their distribution."""
    keys = make_keys(entries)
    made = {name: each for name, each in contenders(2 * entries).items() if name in _KEPT}
    for name, each in made.items():
        for key in keys:
            each.set(key, key)
        assert all(value_of(name, each.get(key)) == key for key in keys), name
    order = random.Random(2).sample(keys, entries)  # noqa: S311 - an order
    figures = []
    curves: dict[str, object] = {}
    for threads in THREADS:
        times = _interleaved(made, order, threads, rounds)
        figures += _percentiles(times, threads)
        quantiles = [1 - part for part in GRID]
        curves[str(threads)] = {
            TITLES.get(name, name): np.quantile(each, quantiles).tolist()
            for name, each in times.items()
        }
    return figures, {"slower_part": GRID, "threads": curves}


def _interleaved(
    made: dict[str, Contender], keys: list[str], threads: int, rounds: int
) -> dict[str, np.ndarray]:
    times: dict[str, list[array[int]]] = {name: [] for name in made}
    for _ in range(rounds):
        for name, each in made.items():
            times[name] += _timed_calls(each.get, keys, threads)
    return {name: np.concatenate(runs) for name, runs in times.items()}


def _timed_calls(get: Callable[[str], object], keys: list[str], threads: int) -> list[array[int]]:
    """Return the nanoseconds of each call, thread by thread; all threads begin together."""
    together = threading.Barrier(threads)
    runs = [array("q") for _ in range(threads)]

    def work(times: array[int]) -> None:
        note, clock = times.append, time.perf_counter_ns
        together.wait()
        for key in keys:
            began = clock()
            get(key)
            note(clock() - began)

    workers = [threading.Thread(target=work, args=(times,)) for times in runs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return runs


def _percentiles(times: dict[str, np.ndarray], threads: int) -> list[Figure]:
    figures = []
    for label, percent in PERCENTILES.items():
        ms = {name: float(np.percentile(each, percent)) / 1e6 for name, each in times.items()}
        is_headline = threads == THREADS[-1] and label == "p99.9"
        who = "one thread" if threads == 1 else f"{threads} threads at once"
        figures.append(
            figure(
                "lookup_time_ms" if is_headline else f"lookup_{label}_{threads}_threads_ms",
                "lookup",
                f"memory lookup, {label}, {who}",
                "ms",
                ms[OURS],
                "below",
                1.0,
                {name: ms[name] for name in PEERS},
            )
        )
    return figures


def memory(million: int, weighed: Sequence[str]) -> list[Figure]:
    """Return what so many items take, beyond a plain dict of them, and in all."""
    plain = {by: measure_apart("dict", million, by) for by in ("tracemalloc", "rss")}
    ours = {by: measure_apart(OURS, million, by) for by in plain}
    beyond = max(ours[by] - plain[by] for by in plain)
    peers = {name: measure_apart(name, million, "rss") - plain["rss"] for name in weighed}
    in_all = measure_apart("s3fifo", million, "tracemalloc")
    scale = 1_000_000 / million
    return [
        figure(
            "memory_overhead_mb",
            "memory",
            f"memory of {million:,} items beyond a plain dict of them",
            "MB",
            beyond * scale,
            "below",
            100.0,
            {name: each * scale for name, each in peers.items()},
        ),
        figure(
            "memory_in_all_s3fifo_mb",
            "memory",
            f"memory of {million:,} items in all, policy s3fifo",
            "MB",
            in_all * scale,
            "below",
            100.0,
        ),
    ]


class _Rows:
    """A loader over rows that are there already."""

    def __init__(self, rows: list[dict[str, object]]) -> None:
        self.rows = rows

    def load_database(self, name: str) -> list[dict[str, object]]:  # noqa: ARG002 - the loaders' signature
        """Return the rows, whatever the name."""
        return self.rows

    def get_available_databases(self) -> list[str]:
        """Return the one name."""
        return ["rows"]

    def refresh_cache(self, name: str | None = None) -> None:
        """Forget nothing: the rows are all there is."""
