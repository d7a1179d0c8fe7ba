"""What holds for the memory cache whoever has to go for want of room."""

from __future__ import annotations

import math
from collections.abc import Callable, MutableMapping
from typing import Any

from blackcore.minimal.query_engine.cache import (
    CacheManager,
    MemoryCache,
    TaggedCacheManager,
)

Make = Callable[..., MemoryCache]


def test_it_is_a_tagged_cache_manager_and_a_mapping(make_cache: Make) -> None:
    cache = make_cache()
    assert isinstance(cache, CacheManager)
    assert isinstance(cache, TaggedCacheManager)
    assert isinstance(cache, MutableMapping)


def test_a_cached_result_is_the_value_itself_and_a_miss_is_none(make_cache: Make) -> None:
    cache = make_cache()
    value = [1, 2, 3]
    assert cache.cache_result("q", value, tags=("flights",)) is True
    assert cache.get_cached_result("q") is value
    assert cache.get_cached_result("other") is None
    statistics = cache.get_statistics()
    assert (statistics.total_requests, statistics.cache_hits, statistics.cache_misses) == (2, 1, 1)
    assert statistics.hit_rate == 0.5


def test_expired_entry_is_a_miss_and_frees_its_bytes(make_cache: Make, clock: Any) -> None:
    cache = make_cache(ttl_seconds=10)
    cache.set("a", "x" * 100)
    clock.advance(9.5)
    assert cache.get("a") == "x" * 100
    clock.advance(0.5)
    assert cache.get("a", "gone") == "gone"
    statistics = cache.get_statistics()
    assert (statistics.memory_used_bytes, statistics.entries, statistics.expirations) == (0, 0, 1)


def test_an_entry_may_have_a_time_to_live_of_its_own(make_cache: Make, clock: Any) -> None:
    cache = make_cache(ttl_seconds=10)
    cache.set("short", "x", ttl_seconds=0.5)
    cache.set("long", "x", ttl_seconds=20)
    cache.set("ever", "x", ttl_seconds=math.inf)
    clock.advance(1)
    assert "short" not in cache
    clock.advance(15)
    assert set(cache) == {"long", "ever"}
    clock.advance(1e9)
    assert list(cache) == ["ever"]


def test_a_clock_that_stands_still_expires_nothing(make_cache: Make) -> None:
    cache = make_cache(ttl_seconds=1e-9)
    for number in range(1_000):
        cache.set(str(number), "x")
    assert all(str(number) in cache for number in range(1_000))
    assert cache.expire() == 0


def test_entries_of_one_tick_expire_at_most_a_tick_early_and_never_late(
    make_cache: Make, clock: Any
) -> None:
    cache = make_cache(ttl_seconds=60)
    born = {}
    for number in range(100):
        cache.set(str(number), "x")
        born[str(number)] = clock.now
        clock.advance(0.003)
    for key, moment in born.items():
        described = cache.describe(key)
        assert described is not None
        assert moment - 0.01 <= described.created_at <= moment


def test_weights_without_number_in_one_tick_leave_no_terms_without_number(
    make_cache: Make,
) -> None:
    cache = make_cache(sizer=lambda weight: weight)
    for weight in range(3_000):
        cache.set(weight % 10, weight)
        described = cache.describe(weight % 10)
        assert described is not None
        assert described.ttl == 3600
    assert len(cache._store._pool._by_weight) <= 1_024
    assert cache.get_statistics().memory_used_bytes == sum(range(2_990, 3_000))


def test_expire_removes_all_that_is_past_its_time(
    make_cache: Make, clock: Any, departures: Any
) -> None:
    cache = make_cache(ttl_seconds=10, on_evict=departures)
    for number in range(700):
        cache.set(str(number), "x", ttl_seconds=5 if number % 2 else 50)
    clock.advance(6)
    assert len(cache) == 700
    assert cache.expire() == 350
    assert len(cache) == 350
    assert set(departures.causes().values()) == {"expired"}


def test_what_has_expired_goes_before_a_live_entry_has_to(
    make_cache: Make, clock: Any, departures: Any
) -> None:
    cache = make_cache(10, on_evict=departures)
    cache.set("live", "x" * 4)
    cache.set("dead", "x" * 4, ttl_seconds=5)
    cache.get("dead")
    clock.advance(6)
    cache.set("new", "x" * 4)
    assert departures.causes() == {"dead": "expired"}
    assert set(cache) == {"live", "new"}


def test_of_many_entries_the_next_in_line_are_looked_through_for_expired_ones(
    make_cache: Make, clock: Any, departures: Any
) -> None:
    cache = make_cache(1_000, on_evict=departures)
    for number in range(1_000):
        cache.set(number, "x", ttl_seconds=5 if number < 100 else 50)
    clock.advance(6)
    cache.set("new", "x")
    assert set(departures.causes().values()) == {"expired"}
    assert len(departures.told) == 100


def test_the_bytes_bound_holds_whenever_a_call_returns(make_cache: Make) -> None:
    cache = make_cache(100)
    for number in range(200):
        cache.set(str(number), "x" * (1 + number % 37))
        used = cache.get_statistics().memory_used_bytes
        assert used == sum(len(value) for value in cache.values())
        assert used <= 100


def test_the_entries_bound_holds_beside_the_bytes(make_cache: Make, departures: Any) -> None:
    cache = make_cache(max_entries=7, on_evict=departures)
    for number in range(50):
        cache.set(str(number), "x")
    assert len(cache) == 7
    assert cache.get_statistics().evictions == 43
    assert set(departures.causes().values()) == {"capacity"}
    assert "49" in cache


def test_an_entry_that_outweighs_the_cache_is_refused_without_evicting_anything(
    make_cache: Make, departures: Any
) -> None:
    cache = make_cache(10, on_evict=departures)
    cache.set("a", "x" * 5)
    assert cache.set("b", "x" * 11) is False
    assert list(cache) == ["a"]
    assert departures.told == []
    assert cache.get_statistics().rejected == 1
    assert cache.set("c", "x" * 10) is True


def test_a_refused_value_leaves_no_older_one_to_be_served(make_cache: Make) -> None:
    cache = make_cache(10)
    cache.set("a", "old")
    assert cache.set("a", "x" * 11) is False
    assert "a" not in cache
    assert cache.get_statistics().memory_used_bytes == 0


def test_setting_a_key_again_replaces_value_weight_tags_and_time(
    make_cache: Make, clock: Any, departures: Any
) -> None:
    cache = make_cache(ttl_seconds=10, on_evict=departures)
    cache.set("k", "old", tags=["before"])
    cache.get("k")
    clock.advance(6)
    cache.set("k", "newer", tags=["after"])
    clock.advance(6)
    assert cache.get("k") == "newer"
    assert departures.told == [("k", "old", "replaced")]
    assert cache.get_statistics().memory_used_bytes == 5
    assert cache.invalidate_by_tags(["before"]) == 0
    assert cache.invalidate_by_tags(["after"]) == 1
    cache.set("k", "expiring")
    clock.advance(11)
    cache.set("k", "next")
    assert departures.told[-1] == ("k", "expiring", "expired")


def test_a_replaced_entry_that_grew_makes_the_others_go(make_cache: Make) -> None:
    cache = make_cache(10)
    cache.set("a", "x" * 3)
    cache.set("b", "x" * 3)
    cache.set("c", "x" * 3)
    cache.set("b", "x" * 10)
    assert list(cache) == ["b"]
    assert cache.get_statistics().memory_used_bytes == 10


def test_deleting_tells_whether_there_was_something_to_serve(
    make_cache: Make, clock: Any, departures: Any
) -> None:
    cache = make_cache(ttl_seconds=10, on_evict=departures)
    cache.set("a", "1")
    assert cache.delete("a") is True
    assert cache.delete("a") is False
    cache.set("b", "2")
    clock.advance(11)
    assert cache.delete("b") is False
    assert departures.causes() == {"a": "explicit", "b": "expired"}


def test_clearing_removes_everything_and_keeps_the_counts(
    make_cache: Make, departures: Any
) -> None:
    cache = make_cache(on_evict=departures)
    for key in "abc":
        cache.set(key, "x", tags=["t"])
    cache.get("a")
    cache.clear()
    assert len(cache) == 0
    assert cache.get_statistics().memory_used_bytes == 0
    assert cache.get_statistics().cache_hits == 1
    assert departures.causes() == dict.fromkeys("abc", "explicit")
    cache.set("a", "again")
    assert cache.get("a") == "again"


def test_a_smaller_bound_makes_entries_leave_at_once_and_a_larger_one_lets_more_in(
    make_cache: Make, departures: Any
) -> None:
    cache = make_cache(100, on_evict=departures)
    for number in range(10):
        cache.set(str(number), "x" * 10)
    cache.resize(35 / 1024**2)
    assert len(cache) == 3
    assert cache.get_statistics().evictions == 7
    cache.resize(35 / 1024**2, max_entries=2)
    assert len(cache) == 2
    cache.resize(100 / 1024**2)
    for number in range(10):
        cache.set(str(number), "x" * 10)
    assert len(cache) == 2
    cache.resize(100 / 1024**2, max_entries=50)
    for number in range(10):
        cache.set(str(number), "x" * 10)
    assert len(cache) == 10


def test_resizing_lets_the_expired_go_first(make_cache: Make, clock: Any, departures: Any) -> None:
    cache = make_cache(100, on_evict=departures)
    cache.set("dead", "x" * 10, ttl_seconds=5)
    cache.set("live", "x" * 10)
    clock.advance(6)
    cache.resize(10 / 1024**2)
    assert departures.causes() == {"dead": "expired"}


def test_a_subclass_may_answer_in_its_own_way() -> None:
    class Loud(MemoryCache):
        def get(self, key: Any, default: object = None) -> object:
            return f"{super().get(key, default)}!"

    cache = Loud()
    cache.set("a", "x")
    assert cache.get("a") == "x!"
    assert cache.get_cached_result("a") == "x!"


def test_without_a_sizer_key_value_and_bookkeeping_count(policy: Any) -> None:
    cache = MemoryCache(policy=policy)
    cache.set("k" * 1_000, b"v" * 10_000)
    assert 11_000 < cache.get_statistics().memory_used_bytes < 11_500


def test_the_bounds_can_be_read_and_follow_a_resize() -> None:
    cache = MemoryCache(max_size_mb=2, max_entries=7)
    assert (cache.max_bytes, cache.max_entries) == (2 * 1024 * 1024, 7)
    cache.resize(1)
    assert (cache.max_bytes, cache.max_entries) == (1024 * 1024, 7)
