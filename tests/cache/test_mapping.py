"""The cache as a mapping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cachetools
import pytest

from blackcore.minimal.query_engine.cache import (
    MemoryCache,
)

Make = Callable[..., MemoryCache]


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
