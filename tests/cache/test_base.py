"""What every cache speaks."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

from blackcore.minimal.query_engine.cache import (
    CachedResult,
    CacheManager,
    CacheStatistics,
    MemoryCache,
    TaggedCacheManager,
)
from blackcore.minimal.query_engine.cache.base import EVICTION_CAUSES
from blackcore.minimal.query_engine.errors import SettingsError
from blackcore.minimal.query_engine.settings import CACHE_POLICIES, CacheSettings


class ForeignCache:
    def get_cached_result(self, query_hash: str, max_age: float | None = None) -> object | None:
        return None

    def cache_result(
        self, query_hash: str, result: object, ttl: float | None = 3600, tags: object = ()
    ) -> None:
        return None

    def get_statistics(self) -> CacheStatistics:
        return CacheStatistics()


def test_anything_with_the_three_methods_is_a_cache_manager() -> None:
    assert isinstance(ForeignCache(), CacheManager)
    assert not isinstance(ForeignCache(), TaggedCacheManager)
    assert not isinstance({}, CacheManager)


def test_a_cache_manager_is_three_methods_and_a_tagged_one_four() -> None:
    def methods(protocol: type) -> dict[str, str]:
        return {
            name: str(inspect.signature(each))
            for name, each in vars(protocol).items()
            if not name.startswith("_")
        }

    assert methods(CacheManager) == {
        "get_cached_result": (
            "(self, query_hash: 'str', max_age: 'float | None' = None) -> 'object | None'"
        ),
        "cache_result": (
            "(self, query_hash: 'str', result: 'object', ttl: 'float | None' = None, "
            "tags: 'Iterable[str]' = ()) -> 'object'"
        ),
        "get_statistics": "(self) -> 'CacheStatistics'",
    }
    assert methods(TaggedCacheManager) == {
        "invalidate_by_tags": "(self, tags: 'Iterable[str]') -> 'int'"
    }


def test_a_ttl_of_none_is_the_caches_own() -> None:
    for cache, expected in ((MemoryCache(), 3600), (MemoryCache(ttl_seconds=7), 7)):
        cache.cache_result("q", "x", ttl=None)
        described = cache.describe("q")
        assert described is not None
        assert described.ttl == expected


def test_statistics_begin_with_the_seven_fields_everybody_knows_all_with_defaults() -> None:
    names = [each.name for each in dataclasses.fields(CacheStatistics)]
    assert names[:15] == [
        "total_requests",
        "cache_hits",
        "cache_misses",
        "average_hit_time_ns",
        "average_miss_time_ns",
        "memory_used_bytes",
        "evictions",
        "entries",
        "expirations",
        "invalidations",
        "rejected",
        "hit_rate",
        "evictions_by_cause",
        "average_compute_time_ns",
        "compute_seconds_saved",
    ]
    assert CacheStatistics(5, 3, 2).cache_misses == 2
    assert CacheStatistics().evictions_by_cause == {}


def test_the_difference_of_two_snapshots_is_what_happened_between() -> None:
    cache = MemoryCache(max_entries=2, sizer=lambda _: 10)
    cache.set("a", 1, cost=1.0)
    cache.get("a")
    cache.get("nothing")
    before = cache.get_statistics()
    cache.set("b", 1, cost=3.0)
    cache.set("c", 1, cost=3.0)
    for _ in range(3):
        cache.get("c")
    span = cache.get_statistics() - before
    assert (span.total_requests, span.cache_hits, span.cache_misses) == (3, 3, 0)
    assert span.hit_rate == 1.0
    assert span.evictions == span.evictions_by_cause["capacity"] == 1
    assert span.entries == 1
    assert span.memory_used_bytes == 10
    assert span.compute_seconds_saved == 9.0
    assert span.average_compute_time_ns == pytest.approx(3e9)
    assert span.average_miss_time_ns == 0.0
    assert (before - before) == CacheStatistics(
        evictions_by_cause=dict.fromkeys(EVICTION_CAUSES, 0)
    )


def test_averages_of_a_span_are_those_of_the_span() -> None:
    before = CacheStatistics(cache_hits=10, average_hit_time_ns=100.0)
    after = CacheStatistics(cache_hits=30, average_hit_time_ns=300.0)
    assert (after - before).average_hit_time_ns == pytest.approx(400.0)


def test_a_notebook_shows_every_figure_escaped() -> None:
    shown = CacheStatistics(
        total_requests=1_234_567, hit_rate=0.5, evictions_by_cause={"<capacity>": 7}
    )._repr_html_()
    for part in ("1,234,567", "0.500", "&lt;capacity&gt; 7", "compute_seconds_saved", "<table>"):
        assert part in shown


def test_a_described_result_is_a_value() -> None:
    first = CachedResult([1], "q", 5.0, 60.0)
    assert first == CachedResult([1], "q", 5.0, 60.0, (), 0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.ttl = 5  # type: ignore[misc]


def test_cache_settings_refuse_by_name_what_cannot_be() -> None:
    assert [CacheSettings(policy=policy).policy for policy in CACHE_POLICIES] == [*CACHE_POLICIES]
    assert CacheSettings(max_entries=5).max_entries == 5
    for options in ({"max_size_mb": 0}, {"ttl_seconds": -1}, {"max_entries": 0}, {"policy": "x"}):
        with pytest.raises(SettingsError, match=next(iter(options))):
            CacheSettings(**options)  # type: ignore[arg-type]


def test_the_settings_name_the_policies_that_there_are() -> None:
    for policy in CACHE_POLICIES:
        assert len(MemoryCache(policy=policy)) == 0
