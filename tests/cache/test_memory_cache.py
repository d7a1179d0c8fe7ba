from __future__ import annotations

import pytest

from blackcore.minimal.query_engine.cache import (
    CacheManager,
    CacheStatistics,
    MemoryCache,
    TaggedCacheManager,
)
from blackcore.minimal.query_engine.errors import CacheKeyError, SettingsError


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_memory_cache_is_a_tagged_cache_manager() -> None:
    cache = MemoryCache()
    assert isinstance(cache, CacheManager)
    assert isinstance(cache, TaggedCacheManager)


def test_a_cached_result_is_the_value_itself_and_a_miss_is_none() -> None:
    cache = MemoryCache()
    value = [1, 2, 3]
    cache.cache_result("q", value, tags=("flights",))
    assert cache.get_cached_result("q") is value
    assert cache.get_cached_result("other") is None
    assert cache.get_statistics().cache_hits == 1
    assert cache.get_statistics().total_requests == 2


def test_expired_entry_is_a_miss_and_frees_its_bytes() -> None:
    clock = Clock()
    cache = MemoryCache(ttl_seconds=10, clock=clock)
    cache.set("a", "x" * 100)
    clock.now += 10
    assert cache.get("a", "gone") == "gone"
    assert cache.get_statistics().memory_used_bytes == 0


def test_an_entry_older_than_max_age_is_a_miss_and_stays() -> None:
    clock = Clock()
    cache = MemoryCache(clock=clock)
    cache.cache_result("q", 1)
    clock.now += 5
    assert cache.get_cached_result("q", max_age=4) is None
    assert cache.get_cached_result("q", max_age=6) == 1


def test_the_least_recently_used_entry_leaves_first() -> None:
    cache = MemoryCache(max_size_mb=0.003, sizer=len)
    for name in "abc":
        cache.set(name, b"x" * 1_000)
    cache.get("a")
    cache.set("d", b"x" * 1_000)
    assert "b" not in cache
    assert set(cache) == {"a", "c", "d"}


def test_invalidating_a_tag_removes_what_carries_it() -> None:
    cache = MemoryCache()
    cache.set("a", 1, tags=["t", "u"])
    cache.set("b", 2, tags=["u"])
    assert cache.invalidate_by_tags(["t"]) == 1
    assert list(cache) == ["b"]


def test_unhashable_key_is_an_error_of_ours() -> None:
    with pytest.raises(CacheKeyError):
        MemoryCache().get([])


@pytest.mark.parametrize("option", ["max_size_mb", "ttl_seconds"])
def test_a_bound_that_is_not_positive_is_refused_by_name(option: str) -> None:
    with pytest.raises(SettingsError, match=option):
        MemoryCache(**{option: 0})


def test_statistics_begin_at_zero() -> None:
    assert CacheStatistics().total_requests == 0
