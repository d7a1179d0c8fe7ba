"""Waits that would never end are errors, and nobody is left waiting."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from blackcore.minimal.query_engine.cache import MemoryCache
from blackcore.minimal.query_engine.errors import SingleFlightError
from tests.cache.test_computing import PATIENCE_SECONDS, Gate, wait_until_waiting


def test_asking_again_from_inside_is_an_error_that_names_the_key(cache: MemoryCache) -> None:
    with pytest.raises(SingleFlightError, match="computation of 'k' asks for 'k'"):
        cache.get_or_compute("k", lambda: cache.get_or_compute("k", lambda: 1))
    assert cache.get_or_compute("k", lambda: "fine") == "fine"


async def test_awaiting_again_from_inside_is_an_error_that_names_the_key(
    cache: MemoryCache,
) -> None:
    async def again() -> object:
        return await asyncio.create_task(cache.get_or_compute_async("k", again))

    with pytest.raises(SingleFlightError, match="computation of 'k' asks for 'k'"):
        await cache.get_or_compute_async("k", again)


def test_a_way_back_through_other_keys_and_caches_is_found(policy: Any) -> None:
    first, second = MemoryCache(policy=policy), MemoryCache(policy=policy)

    def a() -> object:
        return second.get_or_compute("b", b)

    def b() -> object:
        return first.get_or_compute("a", a)

    with pytest.raises(SingleFlightError, match=r"computation of 'b' asks for 'a'.*waits for 'b'"):
        first.get_or_compute("a", a)


def test_asking_from_inside_for_other_keys_is_fine(cache: MemoryCache) -> None:
    def fibonacci(number: int) -> int:
        if number < 2:
            return number
        return sum(
            cache.get_or_compute(n, lambda n=n: fibonacci(n)) for n in (number - 1, number - 2)
        )

    assert cache.get_or_compute(30, lambda: fibonacci(30)) == 832_040


def test_two_threads_that_would_wait_for_each_other_get_an_error_instead(
    cache: MemoryCache, threads: ThreadPoolExecutor
) -> None:
    both = threading.Barrier(2)

    def compute(other: str) -> object:
        both.wait(PATIENCE_SECONDS)
        return cache.get_or_compute(other, lambda: pytest.fail("computed twice"))

    calls = [
        threads.submit(cache.get_or_compute, key, lambda other=other: compute(other))
        for key, other in ("ab", "ba")
    ]
    for call in calls:
        with pytest.raises(SingleFlightError, match="never end"):
            call.result(PATIENCE_SECONDS)


async def test_two_tasks_that_would_wait_for_each_other_get_an_error_instead(
    cache: MemoryCache,
) -> None:
    async def compute(other: str) -> object:
        await asyncio.sleep(0)
        return await cache.get_or_compute_async(other, lambda: pytest.fail("computed twice"))

    calls = [
        cache.get_or_compute_async(key, lambda other=other: compute(other))
        for key, other in ("ab", "ba")
    ]
    outcomes = await asyncio.wait_for(
        asyncio.gather(*calls, return_exceptions=True), PATIENCE_SECONDS
    )
    assert all(isinstance(each, SingleFlightError) for each in outcomes)


async def test_a_task_and_a_thread_that_would_wait_for_each_other_get_an_error_instead(
    cache: MemoryCache, threads: ThreadPoolExecutor
) -> None:
    loop = asyncio.get_running_loop()
    task_computes = threading.Event()

    def in_thread() -> object:
        assert task_computes.wait(PATIENCE_SECONDS)
        return cache.get_or_compute("by task", lambda: pytest.fail("computed twice"))

    thread = loop.run_in_executor(threads, lambda: cache.get_or_compute("by thread", in_thread))

    async def in_task() -> object:
        task_computes.set()
        return await cache.get_or_compute_async("by thread", lambda: pytest.fail("twice"))

    while not cache._flights.running("by thread"):  # noqa: ASYNC110 - a thread makes it so
        await asyncio.sleep(0)
    outcomes = await asyncio.wait_for(
        asyncio.gather(
            cache.get_or_compute_async("by task", in_task), thread, return_exceptions=True
        ),
        PATIENCE_SECONDS,
    )
    assert any(isinstance(each, SingleFlightError) for each in outcomes)


async def test_blocking_the_loop_of_ones_own_async_leader_is_an_error(cache: MemoryCache) -> None:
    gate = asyncio.Event()

    async def compute() -> str:
        await gate.wait()
        return "value"

    leader = asyncio.create_task(cache.get_or_compute_async("k", compute))
    await asyncio.sleep(0)
    with pytest.raises(
        SingleFlightError,
        match=r"'k' is asked for on the thread that computes 'k'.*get_or_compute_async",
    ):
        cache.get_or_compute("k", lambda: "other")
    gate.set()
    assert await leader == "value"


async def test_blocking_the_loop_that_a_thread_waits_for_is_an_error(
    cache: MemoryCache, threads: ThreadPoolExecutor
) -> None:
    gate = asyncio.Event()

    async def by_task() -> str:
        await gate.wait()
        return "value"

    leader = asyncio.create_task(cache.get_or_compute_async("by task", by_task))
    await asyncio.sleep(0)
    thread = threads.submit(
        cache.get_or_compute,
        "by thread",
        lambda: cache.get_or_compute("by task", lambda: pytest.fail("computed twice")),
    )
    wait_until_waiting(cache, "by task", 1)
    with pytest.raises(SingleFlightError, match="'by thread' is asked for on the thread"):
        cache.get_or_compute("by thread", lambda: "other")
    gate.set()
    assert await leader == "value"
    assert await asyncio.wrap_future(thread) == "value"


async def test_waiting_for_a_loop_that_is_blocked_on_oneself_is_an_error(
    cache: MemoryCache, threads: ThreadPoolExecutor
) -> None:
    gate = asyncio.Event()

    async def by_task() -> str:
        await gate.wait()
        return "value"

    leader = asyncio.create_task(cache.get_or_compute_async("by task", by_task))
    await asyncio.sleep(0)

    def by_thread() -> object:
        wait_until_waiting(cache, "by thread", 1)
        return cache.get_or_compute("by task", lambda: pytest.fail("computed twice"))

    thread = threads.submit(cache.get_or_compute, "by thread", by_thread)
    while not cache._flights.running("by thread"):
        pass
    with pytest.raises(SingleFlightError, match="'by thread' asks for 'by task'"):
        cache.get_or_compute("by thread", lambda: "other")
    gate.set()
    assert await leader == "value"
    with pytest.raises(SingleFlightError):
        await asyncio.wrap_future(thread)


async def test_code_left_running_after_its_computation_may_ask_for_its_key(
    cache: MemoryCache,
) -> None:
    left: list[asyncio.Task[str]] = []
    gate = asyncio.Event()

    async def again() -> str:
        return "again"

    async def later() -> str:
        await gate.wait()
        return await cache.get_or_compute_async("k", again)

    async def compute() -> str:
        left.append(asyncio.create_task(later()))
        return "value"

    assert await cache.get_or_compute_async("k", compute) == "value"
    cache.delete("k")
    gate.set()
    assert await left[0] == "again"


def test_a_waiter_whose_event_loop_is_gone_holds_nobody_up(
    cache: MemoryCache, threads: ThreadPoolExecutor
) -> None:
    gate = Gate()
    leader = threads.submit(cache.get_or_compute, "k", gate)
    assert gate.entered.wait(PATIENCE_SECONDS)
    loop = asyncio.new_event_loop()

    async def never() -> str:
        pytest.fail("computed twice")

    waiting = loop.create_task(cache.get_or_compute_async("k", never))
    loop.run_until_complete(asyncio.sleep(0))
    flight = cache._flights.by_key["k"]
    wake_ups = list(flight._wake_ups)
    waiting.cancel()
    loop.run_until_complete(asyncio.gather(waiting, return_exceptions=True))
    loop.close()
    flight._wake_ups.extend(wake_ups)  # as if it were closed between the landing and the waking
    gate.opened.set()
    assert leader.result(PATIENCE_SECONDS) == "value"


def test_a_waiter_that_comes_when_the_flight_has_landed_does_not_wait(cache: MemoryCache) -> None:
    flight, leads = cache._flights.join("k", ())
    assert leads
    cache._flights.land(flight, "value")
    flight.wait()
    asyncio.run(flight.wait_async())
    assert flight.outcome() == "value"
