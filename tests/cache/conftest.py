from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from blackcore.minimal.query_engine.cache import MemoryCache, single_flight


class FakeClock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Departures:
    """A listener that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, object, str]] = []

    def __call__(self, key: object, value: object, cause: str) -> None:
        self.told.append((key, value, cause))

    def causes(self) -> dict[object, str]:
        return {key: cause for key, _, cause in self.told}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def departures() -> Departures:
    return Departures()


@pytest.fixture(params=["lru", "s3fifo", "gdsf"])
def policy(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def make_cache(policy: str, clock: FakeClock) -> Callable[..., MemoryCache]:
    """A cache of each policy in turn, on the fake clock, whose values say what they weigh."""

    def make(capacity: int = 1_000_000, **options: object) -> MemoryCache:
        options.setdefault("sizer", len)
        return MemoryCache(capacity / 1024**2, policy=policy, clock=clock, **options)

    return make


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
