"""A change that is broken off leaves what is held in order."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from blackcore.minimal.query_engine.cache import MemoryCache
from tests.cache.test_threads import check_books

MB = 1024**2
CHANGED_IN = ("fifo.py", "gdsf.py", "lru.py", "s3fifo.py", "base.py", "tags.py")


def interrupted(call: Callable[[], object], after_lines: int) -> bool:
    """Call; interrupt before the so-manieth line of a policy or the tags; say whether it came."""
    left = after_lines

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal left
        is_watched = frame.f_code.co_filename.endswith(CHANGED_IN)
        if is_watched and frame.f_code.co_name not in {"put_right", "_order_anew"}:
            left -= 1
            if left == 0:
                raise KeyboardInterrupt  # which ends the tracing, too
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def filled(policy: Any) -> MemoryCache:
    cache = MemoryCache(300 / MB, policy=policy, sizer=len)
    numbers = random.Random(1)  # noqa: S311 - entries, no secrets
    for number in range(60):
        cache.set(f"k{number}", "x" * numbers.randrange(1, 20), tags=[f"t{number % 3}"])
        for _ in range(numbers.randrange(4)):
            cache.get(f"k{numbers.randrange(60)}")
        if number % 7 == 0:
            cache.delete(f"k{number - 3}")
    return cache


CHANGES: dict[str, Callable[[MemoryCache], object]] = {
    "set a new key": lambda cache: cache.set("new", "y" * 40, tags=["t1"]),
    "set a key again": lambda cache: cache.set(next(iter(cache)), "y" * 60, tags=["t1"], cost=2),
    "delete": lambda cache: cache.delete(next(iter(cache))),
    "invalidate": lambda cache: cache.invalidate_by_tags(["t0"]),
    "resize": lambda cache: cache.resize(150 / MB),
    "clear": lambda cache: cache.clear(),
}


@pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.deep)])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_an_interrupt_at_any_line_of_a_change_leaves_the_books_in_order(
    policy: Any, change: Callable[[MemoryCache], object], every: int
) -> None:
    after_lines = 3 - every
    came = True
    while came:
        after_lines += every
        cache = filled(policy)
        came = interrupted(lambda: change(cache), after_lines)  # noqa: B023 - called at once
        for number in range(3):
            cache.set(f"afterwards {number}", "z" * 30)
        assert cache.get("afterwards 2") == "z" * 30
        check_books(cache)
    assert after_lines > 3


def test_a_key_that_fails_to_compare_leaves_the_books_in_order(policy: Any) -> None:
    class Broken(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("not comparable")

    cache = filled(policy)
    cache.set(Broken("broken"), "x")
    for call in (lambda: cache.set("broken", "y"), lambda: cache.delete("broken")):
        with pytest.raises(RuntimeError, match="not comparable"):
            call()
    check_books(cache)
