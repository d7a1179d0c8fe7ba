"""Hits and misses: what they return, count and time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from blackcore.minimal.query_engine.cache import (
    MemoryCache,
)
from blackcore.minimal.query_engine.cache.reading import make_get
from blackcore.minimal.query_engine.errors import SettingsError

Make = Callable[..., MemoryCache]


def test_a_cached_none_is_a_hit(make_cache: Make) -> None:
    cache = make_cache(sizer=lambda _: 1)
    cache.set("k", None)
    assert cache.get("k", "default") is None
    assert cache["k"] is None
    assert cache.get_with_age("k") == (None, 0.0)
    assert cache.get_or_compute("k", lambda: "computed") is None
    assert cache.get_statistics().cache_hits == 4


def test_an_entry_older_than_max_age_is_a_miss_and_stays(make_cache: Make, clock: Any) -> None:
    cache = make_cache()
    cache.cache_result("q", "x")
    clock.advance(5)
    assert cache.get_cached_result("q", max_age=4) is None
    assert cache.get_cached_result("q", max_age=5) == "x"
    assert cache.get_cached_result("other", max_age=5) is None
    assert cache.get_with_age("q") == ("x", 5.0)
    assert cache.get_with_age("other") is None
    assert cache.get_statistics().cache_hits == 2
    assert cache.get_statistics().cache_misses == 3


@pytest.mark.parametrize("max_age", [-1, float("nan"), "5", True])
def test_an_age_that_cannot_be_is_refused_by_name(make_cache: Make, max_age: Any) -> None:
    cache = make_cache()
    cache.set("q", "x")
    with pytest.raises(SettingsError, match=f"max_age is {max_age!r}"):
        cache.get_cached_result("q", max_age=max_age)
    assert cache.get_cached_result("q", max_age=math.inf) == "x"


def test_an_entry_can_be_described_without_counting_as_asked(make_cache: Make, clock: Any) -> None:
    cache = make_cache()
    cache.set("q", "value", ttl_seconds=60, tags=["a", "b", "a"])
    for _ in range(40):
        cache.get("q")
    clock.advance(3)
    described = cache.describe("q")
    assert described is not None
    assert described.result == "value"
    assert described.query_hash == "q"
    assert described.created_at == clock.now - 3
    assert described.ttl == 60
    assert described.tags == ("a", "b")
    assert described.hit_count == 40
    assert cache.describe("other") is None
    assert cache.get_statistics().total_requests == 40


def test_hits_are_counted_per_entry_though_entries_share_their_terms(make_cache: Make) -> None:
    cache = make_cache()
    for number in range(50):
        cache.set(str(number), "x")
    for number in range(50):
        for _ in range(number):
            assert cache.get(str(number)) == "x"
    for number in range(50):
        described = cache.describe(str(number))
        assert described is not None
        assert described.hit_count == number
    assert cache.get_statistics().cache_hits == 49 * 50 // 2


def test_a_value_whose_entry_leaves_while_it_is_got_is_still_an_answer() -> None:
    cache = MemoryCache()
    policy = cache._store.policy
    move_to_end = policy.move_to_end
    assert move_to_end is not None

    def after_another_thread_deleted_it(key: object) -> None:
        cache.delete(key)
        move_to_end(key)

    policy.move_to_end = after_another_thread_deleted_it
    get = make_get(cache._reader, cache._store, cache._counters, cache._clock)
    cache.set("other", "x")
    cache.get("other")
    cache.set("a", "x")
    assert get("a") == "x"
    assert get("a", "gone") == "gone"


def test_statistics_tell_causes_costs_and_what_hits_saved(make_cache: Make, clock: Any) -> None:
    cache = make_cache(10)
    cache.set("a", "x" * 6, cost=0.5)
    cache.set("b", "x" * 6, cost=1.5)
    for _ in range(3):
        cache.get("b")
    cache.get("a")
    statistics = cache.get_statistics()
    assert statistics.compute_seconds_saved == pytest.approx(4.5)
    assert statistics.average_compute_time_ns == pytest.approx(1e9)
    assert statistics.computations == 2
    assert statistics.evictions_by_cause["capacity"] == statistics.evictions == 1
    assert statistics.average_hit_time_ns > 0
    assert statistics.average_miss_time_ns > 0
    cache.reset_statistics()
    assert cache.get_statistics().total_requests == 0
    assert cache.get_statistics().entries == 1


def test_one_hit_and_one_miss_in_64_are_timed_the_first_included(make_cache: Make) -> None:
    cache = make_cache()
    cache.set("a", "x")
    for _ in range(129):
        cache.get("a")
        cache.get("b")
    assert cache._counters.hits_timed == 3
    assert cache._counters.misses_timed == 3


@pytest.mark.parametrize(
    "ask",
    [
        lambda cache, key: cache.get(key),
        lambda cache, key: cache.get_with_age(key),
        lambda cache, key: cache.get_cached_result(key, max_age=5),
        lambda cache, key: cache.get_or_compute(key, lambda: "x"),
        lambda cache, key: cache.get_or_compute(key, lambda: "x", early_refresh=1.0),
    ],
)
def test_the_first_hit_and_the_first_miss_are_timed_however_they_come(
    make_cache: Make, ask: Callable[[MemoryCache, str], object]
) -> None:
    cache = make_cache()
    cache.set("a", "x")
    ask(cache, "a")
    ask(cache, "b")
    statistics = cache.get_statistics()
    assert statistics.total_requests == 2
    assert statistics.average_hit_time_ns > 0
    assert statistics.average_miss_time_ns > 0
