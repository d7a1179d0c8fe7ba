"""Nanoseconds a call, and what several threads get done together."""

from __future__ import annotations

import gc
import random
import statistics
import threading
import time
from collections.abc import Callable

from benchmarks.cache_contenders import contenders, value_of


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
    runs = {name: _over_keys(each.get, order) for name, each in made.items()}
    runs["(a loop around nothing)"] = _over_keys(lambda _: None, order)
    return _median_ns(runs, rounds, entries)


def set_ns(entries: int, rounds: int) -> dict[str, float]:
    """Return the median nanoseconds of a set, each of which makes an entry leave."""
    made = contenders(entries)
    keys = make_keys(2 * entries)
    for each in made.values():
        for key in keys[:entries]:
            each.set(key, key)
    runs = {
        name: _over_keys(lambda key, put=each.set: put(key, key), keys)
        for name, each in made.items()
    }
    # Twice the keys that fit, again and again: each is gone when its turn comes again.
    return _median_ns(runs, rounds, 2 * entries)


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


def _over_keys(call: Callable[[str], object], keys: list[str]) -> Callable[[], None]:
    def run() -> None:
        for key in keys:
            call(key)

    return run


def _median_ns(runs: dict[str, Callable[[], None]], rounds: int, calls: int) -> dict[str, float]:
    times: dict[str, list[int]] = {name: [] for name in runs}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, run in runs.items():
                began = time.perf_counter_ns()
                run()
                times[name].append(time.perf_counter_ns() - began)
    finally:
        gc.enable()
    return {name: statistics.median(each) / calls for name, each in times.items()}
