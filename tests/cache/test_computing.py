"""Values computed where they are missing: once per key."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from blackcore.minimal.query_engine.cache import MemoryCache
from blackcore.minimal.query_engine.errors import SettingsError

Make = Callable[..., MemoryCache]
PATIENCE_SECONDS = 20
"""How long a test waits for what should happen at once, before it fails instead of hanging."""


def wait_until_waiting(cache: MemoryCache, key: object, waiters: int) -> None:
    """Spin until so many wait for a key; what they wait for is under the caller's control."""
    for _ in range(10_000_000):
        flight = cache._flights.by_key.get(key)
        if flight is not None and len(flight._wake_ups) >= waiters:
            return
    pytest.fail(f"{waiters} waiters for {key!r} never came")


class Gate:
    """A computation that waits until it may go on, and counts its runs."""

    def __init__(self, value: object = "value") -> None:
        self.value = value
        self.runs = 0
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self) -> object:
        self.runs += 1
        self.entered.set()
        assert self.opened.wait(PATIENCE_SECONDS)
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value


def test_a_missing_value_is_computed_kept_and_served(make_cache: Make, clock: Any) -> None:
    cache = make_cache()

    def compute() -> str:
        clock.advance(2)
        return "value"

    assert cache.get_or_compute("k", compute, ttl_seconds=60, tags=["t"]) == "value"
    assert cache.get_or_compute("k", lambda: pytest.fail("computed twice")) == "value"
    described = cache.describe("k")
    assert described is not None
    assert (described.ttl, described.tags, described.hit_count) == (60, ("t",), 1)
    statistics = cache.get_statistics()
    assert (statistics.cache_hits, statistics.cache_misses) == (1, 1)
    assert statistics.computations == 1
    assert statistics.average_compute_time_ns == pytest.approx(2e9)
    assert statistics.compute_seconds_saved == pytest.approx(2)


async def test_a_missing_value_is_awaited_kept_and_served(make_cache: Make, clock: Any) -> None:
    cache = make_cache()

    async def compute() -> str:
        clock.advance(2)
        await asyncio.sleep(0)
        return "value"

    for _ in range(2):
        assert await cache.get_or_compute_async("k", compute, ttl_seconds=60) == "value"
    statistics = cache.get_statistics()
    assert (statistics.cache_hits, statistics.cache_misses) == (1, 1)
    assert statistics.compute_seconds_saved == pytest.approx(2)


def test_32_threads_on_one_cold_key_compute_it_once(
    cache: MemoryCache, threads: ThreadPoolExecutor
) -> None:
    gate = Gate(object())
    calls = [threads.submit(cache.get_or_compute, "k", gate) for _ in range(32)]
    wait_until_waiting(cache, "k", 31)
    gate.opened.set()
    assert {id(call.result(PATIENCE_SECONDS)) for call in calls} == {id(gate.value)}
    assert gate.runs == 1
    assert cache.get_statistics().total_requests == 32


async def test_many_tasks_on_one_cold_key_compute_it_once(cache: MemoryCache) -> None:
    runs = 0
    gate = asyncio.Event()

    async def compute() -> str:
        nonlocal runs
        runs += 1
        await gate.wait()
        return "value"

    calls = [asyncio.create_task(cache.get_or_compute_async("k", compute)) for _ in range(32)]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*calls) == ["value"] * 32
    assert runs == 1


async def test_tasks_wait_for_a_thread_that_computes_their_key(
    cache: MemoryCache, threads: ThreadPoolExecutor
) -> None:
    gate = Gate()
    leader = threads.submit(cache.get_or_compute, "k", gate)
    assert gate.entered.wait(PATIENCE_SECONDS)

    async def never() -> str:
        pytest.fail("computed twice")

    calls = [asyncio.create_task(cache.get_or_compute_async("k", never)) for _ in range(3)]
    await asyncio.sleep(0)
    gate.opened.set()
    assert await asyncio.gather(*calls) == ["value"] * 3
    assert leader.result(PATIENCE_SECONDS) == "value"


async def test_threads_wait_for_a_task_that_computes_their_key(
    cache: MemoryCache, threads: ThreadPoolExecutor
) -> None:
    gate = asyncio.Event()

    async def compute() -> str:
        await gate.wait()
        return "value"

    leader = asyncio.create_task(cache.get_or_compute_async("k", compute))
    await asyncio.sleep(0)
    calls = [threads.submit(cache.get_or_compute, "k", lambda: "other") for _ in range(3)]
    wait_until_waiting(cache, "k", 3)
    gate.set()
    assert await leader == "value"
    assert [await asyncio.wrap_future(call) for call in calls] == ["value"] * 3


def test_different_keys_are_computed_at_the_same_time(
    cache: MemoryCache, threads: ThreadPoolExecutor
) -> None:
    both = threading.Barrier(2)
    calls = [
        threads.submit(cache.get_or_compute, key, lambda: both.wait(PATIENCE_SECONDS))
        for key in "ab"
    ]
    assert sorted(call.result(PATIENCE_SECONDS) for call in calls) == [0, 1]


def test_a_computation_that_raises_raises_for_all_and_leaves_nothing_behind(
    cache: MemoryCache, threads: ThreadPoolExecutor
) -> None:
    gate = Gate(ValueError("no data"))
    calls = [threads.submit(cache.get_or_compute, "k", gate) for _ in range(8)]
    wait_until_waiting(cache, "k", 7)
    gate.opened.set()
    for call in calls:
        with pytest.raises(ValueError, match="no data"):
            call.result(PATIENCE_SECONDS)
    assert gate.runs == 1
    assert "k" not in cache
    assert cache.get_or_compute("k", lambda: "next") == "next"


class NoDataError(Exception):
    """An error whose end can be watched."""


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What is freed in a test is freed because nothing holds it, and not by a collection."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_what_a_computation_raised_is_let_go_of_by_leader_and_waiter(cache: MemoryCache) -> None:
    raised: list[weakref.ref[BaseException]] = []
    entered, opened = threading.Event(), threading.Event()

    def compute() -> str:
        entered.set()
        assert opened.wait(PATIENCE_SECONDS)
        raise NoDataError

    def ask() -> None:
        try:
            cache.get_or_compute("k", compute)
        except NoDataError as error:
            raised.append(weakref.ref(error))

    leader, waiter = threading.Thread(target=ask), threading.Thread(target=ask)
    leader.start()
    assert entered.wait(PATIENCE_SECONDS)
    waiter.start()
    wait_until_waiting(cache, "k", 1)
    opened.set()
    leader.join()
    waiter.join()
    assert [each() for each in raised] == [None, None]


@pytest.mark.usefixtures("no_collector")
async def test_what_an_awaited_computation_raised_is_let_go_of(cache: MemoryCache) -> None:
    raised: list[weakref.ref[BaseException]] = []

    async def compute() -> str:
        await asyncio.sleep(0)
        raise NoDataError

    async def ask() -> None:
        try:
            await cache.get_or_compute_async("k", compute)
        except NoDataError as error:
            raised.append(weakref.ref(error))

    await asyncio.gather(ask(), ask())
    assert [each() for each in raised] == [None, None]


async def test_an_awaited_computation_that_raises_raises_for_all(cache: MemoryCache) -> None:
    async def compute() -> str:
        await asyncio.sleep(0)
        raise ValueError("no data")

    calls = [cache.get_or_compute_async("k", compute) for _ in range(8)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [str(each) for each in outcomes] == ["no data"] * 8
    assert "k" not in cache


async def test_a_cancelled_leader_hands_over_to_a_waiter(cache: MemoryCache) -> None:
    gate = asyncio.Event()
    led_by: list[str] = []

    def computing(name: str) -> Callable[[], Any]:
        async def compute() -> str:
            led_by.append(name)
            await gate.wait()
            return name

        return compute

    leader = asyncio.create_task(cache.get_or_compute_async("k", computing("first")))
    await asyncio.sleep(0)
    others = [
        asyncio.create_task(cache.get_or_compute_async("k", computing("second"))) for _ in range(3)
    ]
    await asyncio.sleep(0)
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    gate.set()
    assert await asyncio.gather(*others) == ["second"] * 3
    assert led_by == ["first", "second"]
    assert cache.get_statistics().cache_misses == 4


async def test_a_cancelled_waiter_leaves_the_others_waiting(cache: MemoryCache) -> None:
    gate = asyncio.Event()

    async def compute() -> str:
        await gate.wait()
        return "value"

    calls = [asyncio.create_task(cache.get_or_compute_async("k", compute)) for _ in range(3)]
    await asyncio.sleep(0)
    calls[1].cancel()
    await asyncio.sleep(0)
    gate.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert outcomes[0] == outcomes[2] == "value"
    assert isinstance(outcomes[1], asyncio.CancelledError)


def test_an_interrupted_leader_hands_over_to_a_waiting_thread(
    cache: MemoryCache, threads: ThreadPoolExecutor
) -> None:
    gate = Gate(KeyboardInterrupt())
    leader = threads.submit(cache.get_or_compute, "k", gate)
    assert gate.entered.wait(PATIENCE_SECONDS)
    other = threads.submit(cache.get_or_compute, "k", lambda: "second")
    wait_until_waiting(cache, "k", 1)
    gate.opened.set()
    with pytest.raises(KeyboardInterrupt):
        leader.result(PATIENCE_SECONDS)
    assert other.result(PATIENCE_SECONDS) == "second"


@pytest.mark.parametrize("how", ["delete", "tags", "clear", "set"])
def test_a_value_invalidated_while_it_is_computed_is_returned_but_not_kept(
    cache: MemoryCache, how: str
) -> None:
    def compute() -> str:
        if how == "delete":
            cache.delete("k")
        elif how == "tags":
            assert cache.invalidate_by_tags(["t", "other"]) == 0
        elif how == "clear":
            cache.clear()
        else:
            cache.set("k", "newer")
        return "older"

    assert cache.get_or_compute("k", compute, tags=["t"]) == "older"
    assert cache.get("k") == ("newer" if how == "set" else None)


def test_invalidating_something_else_meanwhile_keeps_the_value(cache: MemoryCache) -> None:
    def compute() -> str:
        cache.delete("other")
        cache.invalidate_by_tags(["other"])
        return "value"

    cache.get_or_compute("k", compute, tags=["t"])
    assert cache.get("k") == "value"


def test_a_computed_value_that_cannot_be_weighed_is_returned_but_not_kept(
    make_cache: Make, caplog: pytest.LogCaptureFixture
) -> None:
    cache = make_cache(sizer=lambda _: -1)
    assert cache.get_or_compute("k", lambda: "value") == "value"
    assert "k" not in cache
    assert cache.get_statistics().rejected == 1
    assert "not kept" in caplog.text


def test_a_computed_value_that_outweighs_the_cache_is_returned_but_not_kept(
    make_cache: Make,
) -> None:
    cache = make_cache(3)
    assert cache.get_or_compute("k", lambda: "value") == "value"
    assert cache.get_statistics().rejected == 1


@pytest.mark.parametrize("option", ["stale_seconds", "early_refresh", "ttl_seconds"])
def test_options_that_cannot_be_are_refused_by_name(make_cache: Make, option: str) -> None:
    with pytest.raises(SettingsError, match=f"{option} is -1"):
        make_cache().get_or_compute("k", lambda: 1, **{option: -1})


def test_a_leader_that_finds_the_value_already_there_serves_it(
    cache: MemoryCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Between looking and leading, another flight may land.
    join = cache._flights.join

    def join_late(key: Any, tags: Any) -> Any:
        joined = join(key, tags)
        cache._store.put(key, "landed meanwhile", 1, 60)
        return joined

    monkeypatch.setattr(cache._flights, "join", join_late)
    assert cache.get_or_compute("k", lambda: pytest.fail("computed twice")) == "landed meanwhile"


def test_a_result_is_typed_as_what_is_computed() -> None:
    future: Future[int] = Future()
    number: int = MemoryCache().get_or_compute("k", lambda: 5)
    future.set_result(number)
    assert future.result() == 5
