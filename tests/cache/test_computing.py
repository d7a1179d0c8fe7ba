"""Values computed where they are missing: once per key, and never a deadlock."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from blackcore.minimal.query_engine.cache import MemoryCache, single_flight
from blackcore.minimal.query_engine.errors import SettingsError, SingleFlightError

Make = Callable[..., MemoryCache]
PATIENCE_SECONDS = 20
"""How long a test waits for what should happen at once, before it fails instead of hanging."""


@pytest.fixture
def cache(policy: Any) -> Iterator[MemoryCache]:
    cache = MemoryCache(policy=policy)
    yield cache
    assert len(cache._flights) == 0, "a flight was left behind"
    assert not single_flight._blocked_threads


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as pool:
        yield pool


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


def test_a_stale_value_is_served_while_one_caller_computes_anew(
    make_cache: Make, clock: Any, threads: ThreadPoolExecutor
) -> None:
    cache = make_cache(ttl_seconds=10)
    options = {"stale_seconds": 30.0, "tags": ["t"]}
    cache.get_or_compute("k", lambda: "old", **options)
    clock.advance(15)
    gate = Gate("new")
    leader = threads.submit(cache.get_or_compute, "k", gate, **options)
    assert gate.entered.wait(PATIENCE_SECONDS)
    for _ in range(5):
        assert cache.get_or_compute("k", lambda: pytest.fail("computed twice"), **options) == "old"
    assert cache.get("k") is None, "a plain get does not serve what is past its time"
    gate.opened.set()
    assert leader.result(PATIENCE_SECONDS) == "new"
    assert cache.get_or_compute("k", lambda: "newest", **options) == "new"
    assert cache.get_statistics().stale_hits == 5


async def test_a_stale_value_is_served_to_tasks_while_one_of_them_computes_anew(
    make_cache: Make, clock: Any
) -> None:
    cache = make_cache(ttl_seconds=10)
    gate = asyncio.Event()

    async def old() -> str:
        return "old"

    async def new() -> str:
        await gate.wait()
        return "new"

    await cache.get_or_compute_async("k", old, stale_seconds=30)
    clock.advance(15)
    leader = asyncio.create_task(cache.get_or_compute_async("k", new, stale_seconds=30))
    await asyncio.sleep(0)
    assert await cache.get_or_compute_async("k", new, stale_seconds=30) == "old"
    gate.set()
    assert await leader == "new"


def test_past_its_stale_time_a_value_is_gone(make_cache: Make, clock: Any, departures: Any) -> None:
    cache = make_cache(ttl_seconds=10, on_evict=departures)
    cache.get_or_compute("k", lambda: "old", stale_seconds=5)
    clock.advance(14)
    assert cache.expire() == 0
    clock.advance(1)
    assert cache.get_or_compute("k", lambda: "new", stale_seconds=5) == "new"
    assert departures.told == [("k", "old", "expired")]


def test_a_refresh_that_fails_is_counted_and_the_stale_value_served(
    make_cache: Make, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    cache = make_cache(ttl_seconds=10)

    def fail() -> str:
        raise RuntimeError("backend down")

    cache.get_or_compute("k", lambda: "old", stale_seconds=30)
    clock.advance(15)
    assert cache.get_or_compute("k", fail, stale_seconds=30) == "old"
    assert cache.get_statistics().failed_refreshes == 1
    assert "backend down" in caplog.text
    clock.advance(60)
    with pytest.raises(RuntimeError, match="backend down"):
        cache.get_or_compute("k", fail, stale_seconds=30)


def test_a_value_is_refreshed_early_the_likelier_the_dearer_and_the_nearer_its_end(
    make_cache: Make, clock: Any
) -> None:
    drawn = 0.5  # -ln(1 - 0.5) is 0.69: refresh when less than 0.69 costs are left
    cache = make_cache(ttl_seconds=100, random=lambda: drawn)

    def compute() -> str:
        clock.advance(10)
        return f"computed at {clock.now}"

    first = cache.get_or_compute("k", compute, early_refresh=1.0)
    clock.advance(93)  # 7 left, more than 6.9
    assert cache.get_or_compute("k", compute, early_refresh=1.0) == first
    clock.advance(0.5)
    assert cache.get_or_compute("k", compute) == first
    assert cache.get_or_compute("k", compute, early_refresh=1.0) != first


def test_while_one_caller_refreshes_early_the_others_get_the_fresh_value(
    make_cache: Make, threads: ThreadPoolExecutor
) -> None:
    cache = make_cache(ttl_seconds=10, random=lambda: 0.999999)
    cache.set("k", "old", cost=1_000.0)
    gate = Gate("new")
    leader = threads.submit(cache.get_or_compute, "k", gate, early_refresh=1.0)
    assert gate.entered.wait(PATIENCE_SECONDS)
    assert cache.get_or_compute("k", gate, early_refresh=1.0) == "old"
    gate.opened.set()
    assert leader.result(PATIENCE_SECONDS) == "new"
    assert cache.get_statistics().stale_hits == 0


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


def test_a_waiter_that_comes_when_the_flight_has_landed_does_not_wait(cache: MemoryCache) -> None:
    flight, leads = cache._flights.join("k", ())
    assert leads
    cache._flights.land(flight, "value")
    flight.wait()
    asyncio.run(flight.wait_async())
    assert flight.outcome() == "value"


def test_a_stale_entry_found_by_one_who_does_not_lead_is_served(
    make_cache: Make, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The flight may begin between asking whether there is one and joining it.
    cache = make_cache(ttl_seconds=10)
    cache.get_or_compute("k", lambda: "old", stale_seconds=30)
    clock.advance(15)
    flight, _ = cache._flights.join("k", ())
    monkeypatch.setattr(cache._flights, "running", lambda _: False)
    assert (
        cache.get_or_compute("k", lambda: pytest.fail("computed twice"), stale_seconds=30) == "old"
    )
    cache._flights.land(flight, "new")


def test_a_result_is_typed_as_what_is_computed() -> None:
    future: Future[int] = Future()
    number: int = MemoryCache().get_or_compute("k", lambda: 5)
    future.set_result(number)
    assert future.result() == 5
