"""Many threads on one small cache: counted operations, and everything adds up afterwards."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from blackcore.minimal.query_engine.cache import MemoryCache

THREADS = 16
MB = 1024**2


@pytest.fixture(autouse=True)
def eager_switching() -> Iterator[None]:
    """Have the interpreter change threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def in_threads(work: Callable[[int], None]) -> None:
    together = threading.Barrier(THREADS)

    def begin(number: int) -> None:
        together.wait(20)
        work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(begin, number) for number in range(THREADS)]:
            done.result()


def check_books(cache: MemoryCache) -> None:
    store = cache._store
    held = dict(store.policy.held())
    assert store.policy.used_bytes == sum(entry.terms.weight_bytes for entry in held.values())
    assert store.policy.used_bytes <= store.policy.max_bytes
    tagged = {(tag, key) for key, entry in held.items() for tag in entry.terms.tags}
    assert {(t, key) for t, keys in store.tags.keys_by_tag.items() for key in keys} == tagged
    assert dict(store.policy.resize(0, 0)) == held, "the order names just what is held"
    assert store.policy.used_bytes == len(store.entries) == 0
    assert not cache._flights.by_key


def hammer(cache: MemoryCache, operations: int) -> dict[str, int]:
    """Do so many random operations per thread; return what was done, by kind."""
    done: dict[str, list[int]] = {name: [0] * THREADS for name in ("gets", "left", "over")}

    def work(number: int) -> None:
        numbers = random.Random(number)  # noqa: S311 - operations, no secrets
        for _ in range(operations):
            key: Any = numbers.randrange(60)
            key = f"key {key}" if numbers.random() < 0.9 else (key,)
            what = numbers.random()
            if what < 0.5:
                value = cache.get(key)
                done["gets"][number] += 1
                assert value is None or value.startswith(str(key))  # type: ignore[attr-defined]
            elif what < 0.85:
                cache.set(key, f"{key}{'x' * numbers.randrange(50)}", tags=[f"tag {key}"[:6]])
            elif what < 0.9:
                cache.delete(key)
            elif what < 0.93:
                cache.invalidate_by_tags([f"tag {numbers.randrange(6)}", "tag ke"])
            elif what < 0.95:
                cache.resize(numbers.choice([400, 1_000, 3_000]) / MB)
            elif what < 0.97:
                assert cache.get_or_compute(key, lambda key=key: f"{key}!").startswith(str(key))
                done["gets"][number] += 1
            else:
                with cache._store.lock:
                    policy = cache._store.policy
                    done["over"][number] += policy.used_bytes > policy.max_bytes

    in_threads(work)
    return {name: sum(counts) for name, counts in done.items()}


@pytest.mark.parametrize("operations", [600, pytest.param(20_000, marks=pytest.mark.deep)])
def test_sixteen_threads_leave_the_books_in_order(policy: Any, operations: int) -> None:
    left = []
    cache = MemoryCache(
        1_000 / MB, policy=policy, sizer=len, on_evict=lambda *gone: left.append(gone)
    )
    done = hammer(cache, operations)
    statistics = cache.get_statistics()
    assert done["over"] == 0
    assert statistics.total_requests == done["gets"]
    assert sum(statistics.evictions_by_cause.values()) == len(left)
    check_books(cache)


def test_sixteen_threads_leave_the_books_in_order_while_a_listener_raises(policy: Any) -> None:
    def fail(key: object, value: object, cause: str) -> None:
        raise RuntimeError("no thanks")

    import logging

    logging.getLogger("blackcore.minimal.query_engine.cache.store").disabled = True
    try:
        cache = MemoryCache(1_000 / MB, policy=policy, sizer=len, on_evict=fail)
        hammer(cache, 200)
    finally:
        logging.getLogger("blackcore.minimal.query_engine.cache.store").disabled = False
    statistics = cache.get_statistics()
    assert statistics.listener_errors == sum(statistics.evictions_by_cause.values())
    check_books(cache)


def test_no_key_is_lost_that_nobody_removed(policy: Any) -> None:
    cache = MemoryCache(policy=policy, sizer=lambda _: 1)

    def work(number: int) -> None:
        for step in range(300):
            cache.set(f"{number} {step}", step)
            for earlier in range(0, step, 50):
                assert cache.get(f"{number} {earlier}") == earlier

    in_threads(work)
    assert len(cache) == THREADS * 300


def test_a_value_is_popped_by_one_thread_only(policy: Any) -> None:
    cache = MemoryCache(policy=policy, sizer=lambda _: 1)
    for key in range(500):
        cache.set(key, key)
    popped: list[list[object]] = [[] for _ in range(THREADS)]

    def work(number: int) -> None:
        for key in range(400):
            value = cache.pop(key, None)
            if value is not None:
                popped[number].append(value)
        while True:
            try:
                key, value = cache.popitem()
            except KeyError:
                return
            assert key == value
            popped[number].append(value)

    in_threads(work)
    assert sorted(value for each in popped for value in each) == list(range(500))  # type: ignore[type-var]
    assert len(cache) == 0


def test_threads_that_set_a_default_get_the_same_one(policy: Any) -> None:
    cache = MemoryCache(policy=policy, sizer=lambda _: 1)
    got: list[list[object]] = [[] for _ in range(THREADS)]

    def work(number: int) -> None:
        got[number].extend(cache.setdefault(key, (key, number)) for key in range(300))

    in_threads(work)
    assert all(each == got[0] for each in got)
    assert list(cache.values()) == got[0]


def test_a_key_that_is_set_again_and_again_is_never_missed(policy: Any) -> None:
    cache = MemoryCache(policy=policy, sizer=lambda _: 1)
    cache.set("k", 0)

    def work(number: int) -> None:
        for step in range(500):
            if number % 2:
                cache.set("k", step)
            else:
                assert cache.get("k") is not None

    in_threads(work)
    assert cache.get_statistics().cache_misses == 0


def test_hits_are_counted_exactly_without_a_lock(policy: Any) -> None:
    cache = MemoryCache(policy=policy, sizer=lambda _: 1)
    for key in "abc":
        cache.set(key, key, tags=["t"] if key == "a" else [], cost=0.5 if key == "b" else None)

    def work(number: int) -> None:
        for _ in range(700):
            for key in "abc":
                cache.get(key)
            cache.get("nobody")

    in_threads(work)
    statistics = cache.get_statistics()
    assert statistics.cache_hits == THREADS * 2_100
    assert statistics.cache_misses == THREADS * 700
    assert statistics.compute_seconds_saved == THREADS * 350
    for key in "abc":
        described = cache.describe(key)
        assert described is not None
        assert described.hit_count == THREADS * 700


def test_a_hit_takes_no_lock(policy: Any) -> None:
    cache = MemoryCache(policy=policy)
    cache.set("k", 1)
    with ThreadPoolExecutor(1) as pool, cache._store.lock:
        hits = pool.submit(lambda: [cache.get("k") for _ in range(200)])
        assert hits.result(20) == [1] * 200


def test_a_snapshot_taken_while_hits_go_on_agrees_with_itself(policy: Any) -> None:
    cache = MemoryCache(policy=policy, sizer=lambda _: 1)
    cache.set("k", 1)

    def work(number: int) -> None:
        for _ in range(300):
            if number:
                cache.get("k")
                cache.get("nobody")
            else:
                statistics = cache.get_statistics()
                requests = statistics.cache_hits + statistics.cache_misses
                assert statistics.total_requests == requests

    in_threads(work)


def test_every_key_is_computed_once_however_many_threads_ask(policy: Any) -> None:
    cache = MemoryCache(policy=policy, sizer=lambda _: 1)
    computed: list[int] = []

    def work(number: int) -> None:
        for key in range(200):
            assert cache.get_or_compute(key, lambda key=key: computed.append(key) or key) == key

    in_threads(work)
    assert sorted(computed) == list(range(200))
