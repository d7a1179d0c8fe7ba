from __future__ import annotations

import logging
import random
import threading
from dataclasses import replace

import psutil
import pytest

from blackcore.minimal.query_engine import (
    EngineSettings,
    QueryEngine,
    QueryFilter,
    StructuredQuery,
)
from blackcore.minimal.query_engine.cache import MemoryCache
from blackcore.minimal.query_engine.cache.making import cache_from
from blackcore.minimal.query_engine.cache.tuning import SelfTuningCache
from blackcore.minimal.query_engine.errors import SettingsError
from blackcore.minimal.query_engine.settings import CacheSettings, CacheTuningSettings

MB = 2**20
TUNING = CacheTuningSettings(
    look_every_insertions=1_000_000, min_available_mb=100, grow_seconds_per_mb=0.1
)


class Memory:
    """What the system has left."""

    def __init__(self, mb: float = 10_000) -> None:
        self.mb = mb

    def __call__(self) -> int:
        return round(self.mb * MB)


def tuned(memory: Memory, *, mb: float = 1.0, **tuning: object) -> SelfTuningCache:
    settings = CacheSettings(
        max_size_mb=mb,
        auto_tune=True,
        tuning=replace(TUNING, **tuning),  # type: ignore[arg-type]
    )
    return SelfTuningCache(settings, available_bytes=memory)


def fill(cache: MemoryCache, *, rounds: int = 2, count: int = 12, cost: float = 1.0) -> None:
    """Keep a little more than a megabyte, again and again."""
    for _ in range(rounds):
        for number in range(count):
            cache.set(number, bytes(100_000), cost=cost)


def test_it_grows_when_what_had_to_leave_was_dear_to_compute_again() -> None:
    cache = tuned(Memory())
    fill(cache)
    step = cache.tune()
    assert step is not None
    assert (step.kind, step.from_mb, step.to_mb) == ("grown", 1.0, 1.25)
    assert step.seconds_per_mb > 1
    assert cache.max_bytes == 1.25 * MB
    assert (cache.grown, cache.shrunk, cache.steps) == (1, 0, (step,))


def test_what_is_cheap_to_compute_again_is_no_reason_to_grow() -> None:
    cache = tuned(Memory())
    fill(cache, cost=1e-6)
    assert cache.tune() is None


def test_what_never_comes_back_is_no_reason_to_grow() -> None:
    cache = tuned(Memory())
    fill(cache, rounds=1, count=40)
    assert cache.tune() is None


def test_computed_values_count_too() -> None:
    times = iter(range(1_000_000))
    settings = CacheSettings(max_size_mb=1, tuning=TUNING)
    cache = SelfTuningCache(settings, clock=lambda: next(times), available_bytes=Memory())
    for _ in range(2):
        for number in range(12):
            cache.get_or_compute(number, lambda: bytes(100_000))
    step = cache.tune()
    assert step is not None
    assert step.kind == "grown"


def test_it_grows_step_by_step_while_that_pays_and_then_no_further() -> None:
    cache = tuned(Memory(), step_fraction=0.5, max_size_mb=100.0, grow_seconds_per_mb=1.0)
    draw = random.Random(1)  # noqa: S311 - a replay
    sizes, saved = [], []
    for _ in range(8):
        before = cache.get_statistics()
        for key in draw.choices(range(80), [1 / (rank + 1) for rank in range(80)], k=600):
            if cache.get(key) is None:
                cache.set(key, bytes(100_000), cost=0.1)
        saved.append((cache.get_statistics() - before).hit_rate)
        cache.tune()
        sizes.append(cache.max_bytes / MB)
    assert sizes[:3] == [1.5, 2.25, 3.375]
    assert sizes[-1] == sizes[-2] < 12
    assert saved[-1] > saved[0] + 0.2
    assert [step.to_mb for step in cache.steps] == sorted(set(sizes))
    assert cache.grown == len(cache.steps)


def test_it_grows_towards_a_working_set_that_wants_several_steps_more() -> None:
    cache = tuned(Memory())
    for _ in range(6):
        fill(cache, count=18)  # by LRU none is a hit before all have room
        cache.tune()
    assert cache.max_bytes > 18 * 100_000
    for _ in range(3):
        fill(cache, count=18)
        assert cache.tune() is None
    assert cache.max_bytes < 3 * MB


def test_bytes_are_not_what_it_lacks_where_the_number_of_entries_binds() -> None:
    settings = CacheSettings(max_size_mb=1, max_entries=3, auto_tune=True, tuning=TUNING)
    cache = SelfTuningCache(settings, available_bytes=Memory())
    fill(cache, count=5)
    assert cache.tune() is None
    assert cache.max_bytes == MB


def test_steps_are_dated_by_the_cache_s_clock() -> None:
    settings = CacheSettings(max_size_mb=1, tuning=TUNING)
    cache = SelfTuningCache(settings, clock=lambda: 77.0, available_bytes=Memory(50))
    step = cache.tune()
    assert step is not None
    assert step.at_seconds == 77.0
    assert step.available_mb == 50


def test_of_two_that_look_at_a_time_one_makes_the_step() -> None:
    memory = Memory(50)
    cache = tuned(memory)
    within: list[object] = []

    def asked_while_it_looks() -> int:
        other = threading.Thread(target=lambda: within.append(cache.tune()))
        other.start()
        other.join()
        return memory()

    cache._available_bytes = asked_while_it_looks
    assert cache.tune() is not None
    assert within == [None]
    assert cache.shrunk == 1
    cache._available_bytes = memory
    assert cache.tune() is not None  # and the next look is not kept from it


def test_a_look_that_fails_does_not_keep_others_from_looking() -> None:
    cache = tuned(Memory(50))

    def fail() -> int:
        raise OSError("no /proc")

    good, cache._available_bytes = cache._available_bytes, fail
    with pytest.raises(OSError, match="no /proc"):
        cache.tune()
    cache._available_bytes = good
    assert cache.tune() is not None


def test_the_memory_that_is_left_is_the_system_s(monkeypatch: pytest.MonkeyPatch) -> None:
    class Left:
        available = 50 * MB

    monkeypatch.setattr(psutil, "virtual_memory", Left)
    cache = SelfTuningCache(CacheSettings(max_size_mb=1, tuning=TUNING))
    step = cache.tune()
    assert step is not None
    assert (step.kind, step.available_mb) == ("shrunk", 50)


def test_what_comes_back_uncomputed_is_no_reason_to_grow_and_what_left_for_it_is() -> None:
    cache = tuned(Memory())
    fill(cache, rounds=1, count=12)  # the first two have left
    for _ in range(2):
        cache.exchanged(0, [(11, cache.get(11))])
        cache.delete(11)
        cache.set(0, bytes(100_000), cost=1_000.0)
    assert cache.tune() is None
    fill(cache, rounds=1, count=12, cost=1e-9)
    cache.exchanged("never", [(5, bytes(100_000))])
    cache.delete(5)
    cache.set(5, bytes(100_000), cost=1_000.0)
    assert cache.tune() is not None


def test_an_engine_s_cache_finds_its_size(caplog: pytest.LogCaptureFixture) -> None:
    tuning = CacheTuningSettings(
        look_every_insertions=30, min_available_mb=1, grow_seconds_per_mb=1e-9
    )
    cache_settings = CacheSettings(max_size_mb=0.02, auto_tune=True, tuning=tuning)

    class Rows:
        def load_database(self, name: str) -> list[dict[str, object]]:
            return [{"a": number} for number in range(100)]

        def get_available_databases(self) -> list[str]:
            return ["db"]

        def refresh_cache(self, name: str | None = None) -> None: ...

    engine = QueryEngine(Rows(), settings=EngineSettings(cache=cache_settings))
    with caplog.at_level(logging.INFO):
        for _ in range(6):
            for number in range(42):
                engine.execute(StructuredQuery("db", [QueryFilter("a", "gt", number)]))
    assert "cache grown from 0.0 to 0.0 MB" in caplog.text
    statistics = engine.statistics().cache
    assert statistics is not None
    assert statistics.memory_used_bytes > 0.02 * MB


def test_it_does_not_grow_beyond_its_bound() -> None:
    cache = tuned(Memory(), max_size_mb=1.3)
    for count in (12, 14, 15):
        fill(cache, count=count)
        cache.tune()
    assert cache.max_bytes == pytest.approx(1.3 * MB, abs=1)
    assert cache.grown == 2


def test_it_does_not_grow_into_the_memory_that_should_be_left() -> None:
    cache = tuned(Memory(100.2))
    fill(cache)
    assert cache.tune() is None


def test_it_shrinks_while_memory_is_short_and_no_further_than_its_bound() -> None:
    memory = Memory(50)
    cache = tuned(memory, min_size_mb=0.6)
    fill(cache)
    assert [step and step.to_mb for step in (cache.tune(), cache.tune(), cache.tune())] == [
        0.75,
        pytest.approx(0.6),
        None,
    ]
    assert cache.get_statistics().memory_used_bytes <= 0.6 * MB
    memory.mb = 10_000
    assert cache.shrunk == 2


def test_each_step_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    cache = tuned(Memory(50))
    with caplog.at_level(logging.INFO):
        cache.tune()
        grows = tuned(Memory())
        fill(grows)
        grows.tune()
    assert "cache shrunk from 1.0 to 0.8 MB" in caplog.text
    assert "cache grown from 1.0 to 1.2 MB" in caplog.text


def test_it_looks_by_itself_every_so_many_insertions() -> None:
    cache = tuned(Memory(50), look_every_insertions=5)
    for number in range(4):
        cache.set(number, 1)
    assert cache.shrunk == 0
    cache.set(5, 1)
    assert cache.shrunk == 1


def test_a_size_that_somebody_chose_beyond_the_bounds_is_left_alone() -> None:
    memory = Memory(50)
    cache = tuned(memory)
    cache.resize(0.1)
    assert cache.tune() is None
    memory.mb = 10_000
    cache.resize(64)
    fill(cache, count=1_000)
    assert cache.tune() is None


def test_what_leaves_for_other_reasons_leaves_no_ghost() -> None:
    cache = tuned(Memory())
    cache.set("a", 1, cost=1_000)
    cache.delete("a")
    cache.set("a", 1, cost=1_000)
    assert cache.tune() is None


def test_it_is_off_by_default() -> None:
    assert type(cache_from(CacheSettings())) is MemoryCache
    made = cache_from(CacheSettings(auto_tune=True, max_size_mb=8, ttl_seconds=7, max_entries=5))
    assert isinstance(made, SelfTuningCache)
    assert (made.max_bytes, made.max_entries, made.tuning) == (8 * MB, 5, CacheTuningSettings())


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(SettingsError, match="min_size_mb is 0"):
        CacheTuningSettings(min_size_mb=0)
    with pytest.raises(SettingsError, match=r"step_fraction is 2"):
        CacheTuningSettings(step_fraction=2)
