"""What holds for the memory cache whoever has to go for want of room."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import cachetools
import pytest

from blackcore.minimal.query_engine.cache import (
    CacheManager,
    MemoryCache,
    TaggedCacheManager,
)
from blackcore.minimal.query_engine.cache.reading import make_get
from blackcore.minimal.query_engine.errors import CacheKeyError, CacheWeightError, SettingsError

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


def test_a_cached_none_is_a_hit(make_cache: Make) -> None:
    cache = make_cache(sizer=lambda _: 1)
    cache.set("k", None)
    assert cache.get("k", "default") is None
    assert cache["k"] is None
    assert cache.get_with_age("k") == (None, 0.0)
    assert cache.get_or_compute("k", lambda: "computed") is None
    assert cache.get_statistics().cache_hits == 4


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


def test_it_is_a_mapping_like_any_other(make_cache: Make) -> None:
    cache = make_cache()
    cache["a"] = "1"
    cache.update({"b": "2", "c": "3"})
    assert cache["a"] == "1"
    assert cache == {"a": "1", "b": "2", "c": "3"}
    assert sorted(cache) == sorted(cache.keys()) == ["a", "b", "c"]
    assert sorted(cache.values()) == ["1", "2", "3"]
    assert ("a", "1") in cache.items()
    assert cache.setdefault("d", "4") == "4"
    assert cache.setdefault("d", "5") == "4"
    assert cache.pop("d") == "4"
    assert cache.pop("d", "none") == "none"
    with pytest.raises(KeyError):
        cache.pop("d")
    del cache["c"]
    with pytest.raises(KeyError):
        del cache["c"]
    with pytest.raises(KeyError):
        _ = cache["c"]
    key, _ = cache.popitem()
    assert key not in cache
    assert "3 entries" not in repr(cache)
    assert "1 entries, 1 of" in repr(cache)
    cache.clear()
    with pytest.raises(KeyError, match="empty"):
        cache.popitem()


def test_a_default_that_outweighs_the_cache_is_returned_and_not_kept(make_cache: Make) -> None:
    cache = make_cache(3)
    assert cache.setdefault("k", "value") == "value"
    assert "k" not in cache


def test_popping_an_expired_entry_finds_nothing(make_cache: Make, clock: Any) -> None:
    cache = make_cache(ttl_seconds=10)
    cache.set("k", "x")
    clock.advance(11)
    assert cache.pop("k", "none") == "none"
    cache.set("k", "x")
    clock.advance(11)
    with pytest.raises(KeyError):
        cache.popitem()


def test_going_through_items_counts_no_requests_and_survives_removals(make_cache: Make) -> None:
    cache = make_cache()
    for key in "abc":
        cache.set(key, key)
    for key, value in cache.items():
        assert cache.delete(value) is True
        assert key == value
    assert len(cache) == 0
    assert cache.get_statistics().total_requests == 0


def test_cachetools_can_use_it_as_a_cache(make_cache: Make) -> None:
    calls = []
    cache = make_cache(sizer=lambda _: 1)

    @cachetools.cached(cache=cache)
    def double(number: int) -> int:
        calls.append(number)
        return 2 * number

    assert [double(2), double(2), double(3)] == [4, 4, 6]
    assert calls == [2, 3]


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


def test_a_subclass_may_answer_in_its_own_way() -> None:
    class Loud(MemoryCache):
        def get(self, key: Any, default: object = None) -> object:
            return f"{super().get(key, default)}!"

    cache = Loud()
    cache.set("a", "x")
    assert cache.get("a") == "x!"
    assert cache.get_cached_result("a") == "x!"


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


@pytest.mark.parametrize("call", ["get", "__getitem__", "__contains__", "delete", "describe"])
def test_a_key_that_is_not_hashable_is_an_error_of_ours(make_cache: Make, call: str) -> None:
    with pytest.raises(CacheKeyError, match=r"type 'list'.*hashable"):
        getattr(make_cache(), call)([1])


def test_a_key_that_is_not_hashable_is_an_error_of_ours_in_the_midst_of_hits_too(
    make_cache: Make,
) -> None:
    cache = make_cache()
    cache.set("a", "x")
    cache.get("a")
    with pytest.raises(CacheKeyError, match=r"type 'list'.*hashable"):
        cache.get([1])


def test_no_call_takes_a_key_that_is_not_hashable(make_cache: Make) -> None:
    cache = make_cache()
    calls = [
        lambda: cache.set([1], "x"),
        lambda: cache.get_cached_result([1]),
        lambda: cache.get_cached_result([1], max_age=1),
        lambda: cache.get_with_age([1]),
        lambda: cache.get_or_compute([1], lambda: 1),
        lambda: cache.get_or_compute([1], lambda: 1, early_refresh=1),
    ]
    for call in calls:
        with pytest.raises(CacheKeyError):
            call()
    assert len(cache) == 0
    assert cache.get_statistics().total_requests == 0


@pytest.mark.parametrize("value", [0, -1, float("nan"), "10", None, True])
@pytest.mark.parametrize("option", ["max_size_mb", "ttl_seconds"])
def test_a_size_or_time_that_is_not_positive_is_refused_by_name(option: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=f"{option} is {value!r}.*greater than 0"):
        MemoryCache(**{option: value})


@pytest.mark.parametrize("value", [0, -1, 0.5, 2.5, float("nan"), "10", True])
def test_a_bound_of_entries_that_is_not_positive_is_refused_by_name(value: Any) -> None:
    with pytest.raises(SettingsError, match="max_entries"):
        MemoryCache(max_entries=value)


def test_an_unbounded_size_and_an_unknown_policy_are_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="max_size_mb is inf"):
        MemoryCache(math.inf)
    with pytest.raises(SettingsError, match=r"policy is 'fifo'; it is one of .*lru"):
        MemoryCache(policy="fifo")  # type: ignore[arg-type]


def test_options_of_an_entry_that_cannot_be_are_refused_and_change_nothing(
    make_cache: Make,
) -> None:
    cache = make_cache()
    cache.set("a", "old")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"ttl_seconds": 0}, "ttl_seconds is 0"),
        ({"ttl_seconds": -5}, "ttl_seconds is -5"),
        ({"tags": "flights"}, r"tags is the text 'flights'.*\('flights',\)"),
        ({"tags": [1]}, "tag 1 is not a text"),
        ({"tags": [[]]}, "tags is"),
        ({"tags": 5}, "tags is 5"),
        ({"cost": -1}, "cost is -1"),
        ({"cost": float("inf")}, "cost is inf"),
    ]
    for options, message in wrong:
        with pytest.raises(SettingsError, match=message):
            cache.set("a", "new", **options)
    assert cache.get("a") == "old"
    with pytest.raises(SettingsError, match="max_size_mb"):
        cache.resize(0)
    with pytest.raises(SettingsError, match="max_entries"):
        cache.resize(1, max_entries=0)
    with pytest.raises(SettingsError, match="text 'flights'"):
        cache.invalidate_by_tags("flights")


def test_a_value_that_cannot_be_weighed_is_refused_and_changes_nothing(policy: Any) -> None:
    class Stubborn:
        def __sizeof__(self) -> int:
            raise RuntimeError("will not say")

    cache = MemoryCache(policy=policy)
    cache.set("a", "old")
    with pytest.raises(CacheWeightError, match=r"'Stubborn'.*will not say.*sizer="):
        cache.set("a", Stubborn())
    assert cache.get("a") == "old"


@pytest.mark.parametrize("said", [-1, float("nan"), float("inf"), "large", None])
def test_a_sizer_that_says_what_cannot_be_is_refused(make_cache: Make, said: Any) -> None:
    with pytest.raises(CacheWeightError, match="the sizer said"):
        make_cache(sizer=lambda _: said).set("a", "x")


def test_a_sizer_that_raises_is_an_error_of_ours(make_cache: Make) -> None:
    with pytest.raises(CacheWeightError, match="the sizer failed on a value of type 'int'"):
        make_cache().set("a", 5)


def test_without_a_sizer_key_value_and_bookkeeping_count(policy: Any) -> None:
    cache = MemoryCache(policy=policy)
    cache.set("k" * 1_000, b"v" * 10_000)
    assert 11_000 < cache.get_statistics().memory_used_bytes < 11_500


def test_the_bounds_can_be_read_and_follow_a_resize() -> None:
    cache = MemoryCache(max_size_mb=2, max_entries=7)
    assert (cache.max_bytes, cache.max_entries) == (2 * 1024 * 1024, 7)
    cache.resize(1)
    assert (cache.max_bytes, cache.max_entries) == (1024 * 1024, 7)
