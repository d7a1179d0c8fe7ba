"""Children made while threads use the cache go on."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from blackcore.minimal.query_engine.cache import MemoryCache, single_flight

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

LIFE_SECONDS = 30
"""A child that has not ended by itself is ended, and its test fails."""


def in_child(work: Callable[[], None]) -> None:
    """Run `work` in a forked child; fail where it fails or does not end."""
    tracer = sys.gettrace()
    # A lock of the tool that measures coverage, held by another thread now, would never be free
    # again in the child.
    sys.settrace(None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is the point
        child = os.fork()
    if child == 0:
        import signal

        signal.alarm(LIFE_SECONDS)
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    sys.settrace(tracer)
    _, status = os.waitpid(child, 0)
    assert status == 0, "the child failed or hung"


@contextmanager
def busy_threads(cache: MemoryCache) -> Iterator[None]:
    """Have threads use the cache until the block is left."""
    ended = threading.Event()

    def work(number: int) -> None:
        step = 0
        while not ended.is_set():
            step += 1
            cache.set(f"{number} {step % 50}", "x" * 20, tags=[str(number)])
            cache.get(f"{number} {step % 7}")
            cache.get_or_compute(f"computed {step % 20}", lambda: "value")
            cache.invalidate_by_tags([str(number)])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_children_forked_while_threads_use_the_cache_go_on(policy: Any) -> None:
    cache = MemoryCache(2_000 / 1024**2, policy=policy, sizer=len)

    def work() -> None:
        cache.set("from the child", "value")
        assert cache.get("from the child") == "value"
        assert cache.get_or_compute("computed 3", lambda: "value") == "value"
        cache.invalidate_by_tags(["1"])
        held = cache._store.policy.held()
        used = sum(entry.terms.weight_bytes for _, entry in held)
        assert cache.get_statistics().memory_used_bytes == used
        cache.clear()

    with busy_threads(cache):
        for _ in range(10):
            in_child(work)


def test_a_key_that_a_lost_thread_was_computing_is_computed_by_the_child(policy: Any) -> None:
    cache = MemoryCache(policy=policy)
    entered, opened = threading.Event(), threading.Event()

    def compute() -> str:
        entered.set()
        opened.wait(LIFE_SECONDS)
        return "parent's"

    leader = threading.Thread(target=cache.get_or_compute, args=("k", compute))
    waiter = threading.Thread(target=cache.get_or_compute, args=("k", compute))
    leader.start()
    entered.wait(LIFE_SECONDS)
    waiter.start()
    while not single_flight._blocked_threads:
        pass

    def work() -> None:
        assert not single_flight._blocked_threads
        assert cache.get_or_compute("k", lambda: "child's") == "child's"

    in_child(work)
    opened.set()
    leader.join()
    waiter.join()
    assert cache.get("k") == "parent's"


def test_a_computation_that_forks_may_end_in_both_processes(policy: Any) -> None:
    cache = MemoryCache(policy=policy)

    def compute() -> str:
        in_child(lambda: None)
        assert cache._flights.running("k")
        return "value"

    assert cache.get_or_compute("k", compute) == "value"


def test_a_thread_that_holds_the_lock_may_fork(policy: Any) -> None:
    cache = MemoryCache(policy=policy)
    with cache._store.lock:
        in_child(lambda: cache.set("a", "x"))  # type: ignore[arg-type, return-value]
    assert cache.set("a", "x")
