"""Nanoseconds a call, and what several threads get done together."""

from __future__ import annotations

import gc
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable

from benchmarks.cache_contenders import contenders, value_of
from blackcore.minimal.query_engine.cache import weigh


def make_keys(count: int) -> list[str]:
    """Return so many texts of 32 characters."""
    numbers = random.Random(1)  # noqa: S311 - keys of a benchmark
    return [f"{numbers.getrandbits(128):032x}" for _ in range(count)]


def hit_ns(entries: int, rounds: int) -> dict[str, float]:
    """Return the median nanoseconds of a hit, over rounds in which each contender has its turn."""
    keys = make_keys(entries)
    order = random.Random(2).sample(keys, len(keys))  # noqa: S311 - an order
    made = contenders(2 * entries)
    for name, each in made.items():
        for key in keys:
            each.set(key, key)
        assert all(value_of(name, each.get(key)) == key for key in keys), name
    gets = {name: each.get for name, each in made.items()}
    gets["(a loop around nothing)"] = lambda _: None
    runs = {name: _over_keys(get, order) for name, get in gets.items()}
    return _median_ns({name: lambda run=run: run for name, run in runs.items()}, rounds, entries)


def set_ns(entries: int, rounds: int) -> dict[str, float]:
    """Return the median nanoseconds of a set of a new key, each of which makes an entry leave."""
    made = contenders(entries)
    keys = make_keys((rounds + 1) * entries)
    for each in made.values():
        for key in keys[:entries]:
            each.set(key, key)
    # New keys in each round: of old ones that come again, all but LRU would keep some for good.
    runs = {name: _over_new_keys(each.set, keys, entries) for name, each in made.items()}
    times = _median_ns(runs, rounds, entries)
    for name, each in made.items():
        if each.evictions is not None:
            assert each.evictions() == rounds * entries, name
    return times


def weighing(rounds: int) -> tuple[float, float, float]:
    """Return the median microseconds of weighing 100 rows of 8 fields, and of a walk through all.

    The third is the furthest that a weight is from what the walk finds, as a fraction of that.
    """
    samples = [_make_rows(100, seed) for seed in range(20)]
    furthest = max(abs(weigh(each) / _deep_bytes(each) - 1) for each in samples)
    times: tuple[list[int], list[int]] = ([], [])
    for _ in range(rounds):
        for each in samples:
            for call, took in zip((weigh, _deep_bytes), times, strict=True):
                began = time.perf_counter_ns()
                call(each)
                took.append(time.perf_counter_ns() - began)
    return statistics.median(times[0]) / 1e3, statistics.median(times[1]) / 1e3, furthest


def _make_rows(count: int, seed: int) -> list[dict[str, object]]:
    numbers = random.Random(seed)  # noqa: S311 - rows of a benchmark
    return [
        {
            "carrier": "".join(numbers.choices("ABCD", k=2)),
            "flight": 1_000 + number,
            "origin": "".join(numbers.choices("JFKLGAEWR", k=3)),
            "distance": numbers.random() * 3_000,
            "note": "x" * numbers.randrange(20, 60),
            "cancelled": numbers.random() < 0.1,
            "delay": None if numbers.random() < 0.1 else numbers.randrange(300, 900),
            "tail": f"N{numbers.randrange(10**5)}",
        }
        for number in range(count)
    ]


def _deep_bytes(value: object) -> int:
    """Return the bytes of all that a value reaches, each object once."""
    seen: set[int] = set()
    total, open_ends = 0, [value]
    while open_ends:
        each = open_ends.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        if isinstance(each, dict):
            open_ends += [*each.keys(), *each.values()]
        elif isinstance(each, list):
            open_ends += each
    return total


def thread_scaling(entries: int, rounds: int, threads: int) -> dict[str, tuple[float, float]]:
    """Return million hits a second of one thread, and of several together."""
    keys = make_keys(entries)
    made = contenders(2 * entries)
    for each in made.values():
        for key in keys:
            each.set(key, key)
    rates: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in made}
    for _ in range(rounds):
        for name, each in made.items():
            rates[name][0].append(_rate(each.get, keys, 1))
            rates[name][1].append(_rate(each.get, keys, threads))
    return {
        name: (statistics.median(one), statistics.median(many))
        for name, (one, many) in rates.items()
    }


def _rate(get: Callable[[str], object], keys: list[str], threads: int) -> float:
    together = threading.Barrier(threads + 1)

    def work() -> None:
        together.wait()
        for key in keys:
            get(key)
        together.wait()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    together.wait()
    began = time.perf_counter()
    together.wait()
    took = time.perf_counter() - began
    for worker in workers:
        worker.join()
    return threads * len(keys) / took / 1e6


def _over_new_keys(
    put: Callable[[str, object], object], keys: list[str], entries: int
) -> Callable[[], Callable[[], None]]:
    starts = iter(range(entries, len(keys), entries))

    def prepare() -> Callable[[], None]:
        start = next(starts)
        return _over_keys(lambda key: put(key, key), keys[start : start + entries])

    return prepare


def _over_keys(call: Callable[[str], object], keys: list[str]) -> Callable[[], None]:
    def run() -> None:
        for key in keys:
            call(key)

    return run


def _median_ns(
    prepared: dict[str, Callable[[], Callable[[], None]]], rounds: int, calls: int
) -> dict[str, float]:
    times: dict[str, list[int]] = {name: [] for name in prepared}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, prepare in prepared.items():
                run = prepare()
                began = time.perf_counter_ns()
                run()
                times[name].append(time.perf_counter_ns() - began)
    finally:
        gc.enable()
    return {name: statistics.median(each) / calls for name, each in times.items()}
