"""What leaves: tags, listeners, and that nothing stays behind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from blackcore.minimal.query_engine.cache import (
    MemoryCache,
)

Make = Callable[..., MemoryCache]


def test_invalidating_tags_removes_what_carries_any_of_them(
    make_cache: Make, departures: Any
) -> None:
    cache = make_cache(on_evict=departures)
    cache.set("a", "1", tags=["t", "u"])
    cache.set("b", "2", tags=["u"])
    cache.set("c", "3", tags=["v"])
    cache.set("d", "4")
    assert cache.invalidate_by_tags(["t", "u", "nobody's"]) == 2
    assert set(cache) == {"c", "d"}
    assert set(departures.causes().values()) == {"invalidated"}
    assert cache.get_statistics().invalidations == 2
    assert cache.invalidate_by_tags([]) == 0


def test_invalidating_a_tag_costs_what_is_removed_and_not_what_is_held(policy: Any) -> None:
    def calls_to_invalidate(held: int) -> int:
        cache = MemoryCache(policy=policy, sizer=lambda _: 1)
        for number in range(held):
            cache.set(number, "x", tags=["t" if number < 5 else f"other {number}"])
        calls = 0

        def count(frame: object, event: str, called: object) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(count)
        try:
            assert cache.invalidate_by_tags(["t"]) == 5
        finally:
            sys.setprofile(None)
        return calls

    assert calls_to_invalidate(10) == calls_to_invalidate(3_000)


def test_no_tag_is_remembered_once_its_entries_left_by_any_road(
    make_cache: Make, clock: Any
) -> None:
    cache = make_cache(20)

    def keep(key: str) -> None:
        cache.set(key, "x" * 5, ttl_seconds=10, tags=[f"only {key}", "all"])

    for key in "abcdef":  # two leave for want of room
        keep(key)
    keep("f")  # replaced
    cache.delete("f")
    keep("g")
    cache.invalidate_by_tags(["only g"])
    clock.advance(11)
    assert [cache.get(key) for key in "abcde"] == [None] * 5
    cache.expire()
    assert len(cache._store.tags) == 0
    keep("h")
    cache.clear()
    assert len(cache._store.tags) == 0
    keep("i")
    assert cache.set("i", "x" * 21) is False
    assert len(cache._store.tags) == 0


def test_a_cache_that_nobody_holds_is_freed_at_once(policy: Any) -> None:
    import gc
    import weakref

    gc.disable()
    try:
        cache = MemoryCache(policy=policy)
        cache.set("a", "x")
        cache.get("a")
        ghost = weakref.ref(cache)
        del cache
        assert ghost() is None
    finally:
        gc.enable()


def test_a_value_that_left_by_any_road_is_let_go_of_at_once(policy: Any, clock: Any) -> None:
    import weakref

    class Value:
        pass

    def keep(key: str, **options: Any) -> weakref.ref[Value]:
        value = Value()
        cache.set(key, value, **options)
        return weakref.ref(value)

    cache = MemoryCache(policy=policy, clock=clock, sizer=lambda _: 1)
    for number in range(50):
        cache.set(str(number), number)
    deleted, replaced, expired = keep("a"), keep("b"), keep("c", ttl_seconds=5)
    invalidated = keep("d", tags=["t"])
    cache.delete("a")
    cache.set("b", 1)
    clock.advance(6)
    cache.get("c")
    cache.invalidate_by_tags(["t"])
    assert [each() for each in (deleted, replaced, expired, invalidated)] == [None] * 4
    evicted, cleared = keep("e"), keep("f", cost=1e9)
    for _ in range(99):
        cache.get("f")
    cache.resize(1 / 1024**2)
    assert evicted() is None
    cache.clear()
    assert cleared() is None


def test_a_raising_listener_is_logged_and_counted_and_the_others_are_told(
    make_cache: Make, departures: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(key: object, value: object, cause: str) -> None:
        raise RuntimeError("no thanks")

    cache = make_cache(on_evict=fail)
    cache.add_listener(departures)
    cache.set("a", "x")
    assert cache.delete("a") is True
    assert departures.causes() == {"a": "explicit"}
    assert cache.get_statistics().listener_errors == 1
    assert "no thanks" in caplog.text


def test_a_listener_is_called_outside_the_lock_and_may_use_the_cache(make_cache: Make) -> None:
    cache = make_cache(2)
    seen = []

    def put_aside(key: object, value: object, cause: str) -> None:
        seen.append((key, cache._store.lock.acquire(blocking=False)))
        cache._store.lock.release()
        if key == "a":
            cache.get("b")
            cache.delete("b")

    cache.add_listener(put_aside)
    cache.set("a", "x")
    cache.set("b", "x")
    cache.delete("a")
    assert [key for key, _ in seen] == ["a", "b"]
    assert len(cache) == 0


def test_a_listener_can_be_taken_off_again(make_cache: Make, departures: Any) -> None:
    cache = make_cache()
    remove = cache.add_listener(departures)
    remove()
    remove()
    cache.set("a", "x")
    cache.delete("a")
    assert departures.told == []
