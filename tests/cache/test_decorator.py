"""Functions that remember."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from blackcore.minimal.query_engine.cache import CacheInfo, MemoryCache, cached
from blackcore.minimal.query_engine.errors import CacheKeyError, SettingsError

Make = Callable[..., MemoryCache]


def test_a_function_is_called_once_for_equal_arguments(make_cache: Make) -> None:
    calls = []

    @cached(make_cache(sizer=lambda _: 1))
    def add(first: int, second: int = 0) -> int:
        """Add."""
        calls.append((first, second))
        return first + second

    assert [add(1), add(1), add(1, second=2), add(1, second=2), add(2)] == [1, 1, 3, 3, 2]
    assert calls == [(1, 0), (1, 2), (2, 0)]
    assert add.cache_info() == CacheInfo(hits=2, misses=3)
    assert inspect.signature(add) == inspect.signature(add.__wrapped__)  # type: ignore[attr-defined]
    assert add.__doc__ == "Add."


async def test_a_coroutine_function_stays_one_and_runs_once_at_a_time(make_cache: Make) -> None:
    calls = []
    gate = asyncio.Event()

    @cached(make_cache())
    async def load(name: str) -> str:
        calls.append(name)
        await gate.wait()
        return name.upper()

    assert inspect.iscoroutinefunction(load)
    running = [asyncio.ensure_future(load("a")) for _ in range(5)]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*running) == ["A"] * 5
    assert await load("a") == "A"
    assert calls == ["a"]
    assert load.cache_info() == CacheInfo(hits=5, misses=1)


def test_results_expire_and_are_invalidated_by_tag(make_cache: Make, clock: Any) -> None:
    calls = []
    cache = make_cache()

    @cached(cache, ttl_seconds=10, tags=["flights"])
    def load() -> str:
        calls.append(clock.now)
        return "rows"

    load()
    clock.advance(11)
    load()
    assert len(calls) == 2
    cache.invalidate_by_tags(["flights"])
    load()
    assert len(calls) == 3


def test_clearing_one_function_leaves_the_others_of_the_cache(make_cache: Make) -> None:
    cache = make_cache()

    def make(prefix: str) -> Any:
        @cached(cache)
        def load(name: str) -> str:
            return prefix + name

        return load

    first, second = make("a"), make("b")
    assert (first("x"), second("x"), first("y")) == ("ax", "bx", "ay")
    assert first.cache_clear() == 2
    assert len(cache) == 1
    assert second("x") == "bx"
    assert second.cache_info() == CacheInfo(1, 1)


def test_a_method_is_kept_per_object(make_cache: Make) -> None:
    cache = make_cache()

    class Reader:
        def __init__(self, name: str) -> None:
            self.name = name

        @cached(cache)
        def read(self) -> str:
            return self.name

    first, second = Reader("a"), Reader("b")
    assert (first.read(), second.read(), first.read()) == ("a", "b", "a")
    assert Reader.read.cache_info() == first.read.cache_info() == CacheInfo(1, 2)
    assert Reader.read(first) == "a"


def test_positional_arguments_are_never_taken_for_keywords(make_cache: Make) -> None:
    @cached(make_cache(sizer=lambda _: 1))
    def show(*args: object, **kwargs: object) -> str:
        return f"{args} {kwargs}"

    calls = [
        ((1,), {"x": 2}),
        (((1,), (("x", 2),)), {}),
        ((1, ("x", 2)), {}),
        ((1, "x", 2), {}),
        (((1,),), {"x": 2}),
    ]
    assert [show(*args, **kwargs) for args, kwargs in calls] == [
        f"{args} {kwargs}" for args, kwargs in calls
    ]
    assert show.cache_info() == CacheInfo(0, 5)


def test_an_early_refresh_is_made_through_the_decorator_too(make_cache: Make, clock: Any) -> None:
    @cached(make_cache(ttl_seconds=100, random=lambda: 0.9999), early_refresh=1.0)
    def load() -> str:
        clock.advance(20)
        return f"loaded at {clock.now}"

    first = load()
    clock.advance(50)
    assert load() != first
    assert load.cache_info() == CacheInfo(0, 2)


def test_a_key_function_says_which_calls_are_equal(make_cache: Make) -> None:
    @cached(make_cache(sizer=lambda _: 1), key=len)
    def count(rows: list[int]) -> int:
        return len(rows)

    assert count([1, 2]) == count([3, 4]) == 2
    assert count.cache_info() == CacheInfo(1, 1)


def test_arguments_that_are_not_hashable_are_an_error_of_ours(make_cache: Make) -> None:
    @cached(make_cache())
    def count(rows: list[int]) -> int:
        return len(rows)

    with pytest.raises(CacheKeyError, match="hashable"):
        count([1])


def test_what_a_function_raises_is_raised_and_not_kept(make_cache: Make) -> None:
    @cached(make_cache())
    def fail() -> str:
        raise ValueError("no data")

    for _ in range(2):
        with pytest.raises(ValueError, match="no data"):
            fail()
    assert fail.cache_info() == CacheInfo(0, 2)


@pytest.mark.parametrize("option", ["ttl_seconds", "stale_seconds", "early_refresh"])
def test_options_that_cannot_be_are_refused_when_decorating(make_cache: Make, option: str) -> None:
    with pytest.raises(SettingsError, match=f"{option} is -1"):
        cached(make_cache(), **{option: -1})


def test_tags_that_cannot_be_are_refused_when_decorating(make_cache: Make) -> None:
    with pytest.raises(SettingsError, match="tags is the text"):
        cached(make_cache(), tags="flights")
