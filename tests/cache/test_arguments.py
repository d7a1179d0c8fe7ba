"""What callers must not pass is refused by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from blackcore.minimal.query_engine.cache import (
    MemoryCache,
)
from blackcore.minimal.query_engine.errors import CacheKeyError, CacheWeightError, SettingsError

Make = Callable[..., MemoryCache]


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
