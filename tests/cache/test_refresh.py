"""Values served past their time, or computed anew before it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from blackcore.minimal.query_engine.cache import MemoryCache
from tests.cache.test_computing import PATIENCE_SECONDS, Gate

Make = Callable[..., MemoryCache]


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
