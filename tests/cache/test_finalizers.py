"""What the garbage collector finalizes in the middle of a change may use the cache."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from blackcore.minimal.query_engine.cache import MemoryCache
from tests.cache.test_threads import check_books

MB = 1024**2


class Knot:
    """Garbage that only the collector finds, and that does something as it goes."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.itself = self
        self.act = act

    def __del__(self) -> None:
        self.act()


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def invalidate(cache: MemoryCache, number: int) -> None:
    cache.invalidate_by_tags([f"t{number % 4}"])


def keep(cache: MemoryCache, number: int) -> None:
    cache.set(f"k{number}", "y" * number, tags=["t0"])


def compute(cache: MemoryCache, number: int) -> None:
    assert len(str(cache.get_or_compute(f"k{number}", lambda: "y" * number))) < 60


def clear(cache: MemoryCache, number: int) -> None:
    cache.clear()


def resize(cache: MemoryCache, number: int) -> None:
    cache.resize((400 + 10 * number) / MB)


def delete(cache: MemoryCache, number: int) -> None:
    cache.delete(f"k{number}")


@pytest.mark.parametrize("act", [invalidate, keep, compute, clear, resize, delete])
def test_a_finalizer_that_changes_the_cache_in_the_middle_of_a_change_leaves_the_books_in_order(
    policy: Any, act: Callable[[MemoryCache, int], None]
) -> None:
    cache = MemoryCache(1_000 / MB, policy=policy, sizer=len)
    numbers = random.Random(1)  # noqa: S311 - operations, no secrets
    for _ in range(500):
        key = f"k{numbers.randrange(40)}"
        tags = [f"t{numbers.randrange(4)}"] if numbers.random() < 0.5 else []
        Knot(lambda: act(cache, numbers.randrange(40)))
        gc.set_threshold(numbers.randrange(1, 12))  # so that it comes anywhere in the call
        cache.set(key, "x" * numbers.randrange(60), tags=tags)
        gc.set_threshold(100_000)
    gc.collect()
    check_books(cache)


@pytest.mark.parametrize("outer", ["set", "delete"])
def test_a_change_that_came_in_the_middle_of_another_is_made_after_it(
    policy: Any, outer: str
) -> None:
    cache = MemoryCache(policy=policy, sizer=lambda _: 1)
    came: list[object] = []

    class Name(str):
        """A key whose comparison, in the middle of a change, changes the cache."""

        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            if not came:
                came.append(None)
                came[0] = (
                    cache.set("b", 1),
                    cache.delete("c"),
                    cache.invalidate_by_tags(["t"]),
                    "b" in cache,
                    "c" in cache,
                )
            return str.__eq__(self, other)

    cache.set(Name("a"), 1)
    cache.set("c", 1)
    cache.set("d", 1, tags=["t"])
    if outer == "set":
        cache.set("a", 2)
    else:
        assert cache.delete("a") is True
    assert came == [(True, False, 0, False, True)]
    assert dict(cache.items()) == ({"a": 2, "b": 1} if outer == "set" else {"b": 1})
