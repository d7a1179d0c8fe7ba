"""Any sequence of calls, held against a plain dict that is told who leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from blackcore.minimal.query_engine.cache import MemoryCache

KEYS = st.one_of(st.sampled_from("abcdefgh"), st.tuples(st.integers(0, 3)))
TAGS = st.lists(st.sampled_from(["t", "u", "v"]), max_size=3)
MB = 1024**2


@dataclass
class Kept:
    value: bytes
    created_at: float
    ttl: float
    tags: set[str] = field(default_factory=set)
    hits: int = 0
    used_at: int = 0


class CacheMachine(RuleBasedStateMachine):
    policy: ClassVar[str]

    @initialize(capacity=st.integers(5, 40), max_entries=st.one_of(st.none(), st.integers(1, 8)))
    def make(self, capacity: int, max_entries: int | None) -> None:
        self.now = 0.0
        self.capacity, self.max_entries = capacity, max_entries
        self.held: dict[Any, Kept] = {}
        self.counts = dict.fromkeys(
            ["capacity", "expired", "invalidated", "replaced", "explicit"], 0
        )
        self.hits = self.misses = self.rejected = 0
        self.uses = 0
        self.cache = MemoryCache(
            capacity / MB,
            ttl_seconds=10,
            max_entries=max_entries,
            policy=self.policy,  # type: ignore[arg-type]
            sizer=len,
            clock=lambda: self.now,
            on_evict=self.told,
        )

    def alive(self, key: Any) -> bool:
        kept = self.held.get(key)
        return kept is not None and self.now < kept.created_at + kept.ttl

    def told(self, key: object, value: object, cause: str) -> None:
        kept = self.held.pop(key)
        assert kept.value is value
        self.counts[cause] += 1
        is_over = self.now >= kept.created_at + kept.ttl
        assert cause != "expired" or is_over
        if cause == "capacity" and self.policy == "lru":
            assert all(kept.used_at < each.used_at for each in self.held.values())

    def note_use(self, kept: Kept) -> None:
        self.uses += 1
        kept.used_at = self.uses

    @rule(key=KEYS)
    def get(self, key: Any) -> None:
        if self.alive(key):
            kept = self.held[key]
            assert self.cache.get(key) is kept.value
            kept.hits += 1
            self.hits += 1
            self.note_use(kept)
        else:
            assert self.cache.get(key, "default") == "default"
            self.misses += 1
            assert key not in self.held

    @rule(key=KEYS, max_age=st.integers(0, 12))
    def get_not_too_old(self, key: Any, max_age: int) -> None:
        kept = self.held.get(key)
        if kept is not None and self.alive(key) and self.now - kept.created_at <= max_age:
            assert self.cache.get_cached_result(key, max_age) is kept.value
            kept.hits += 1
            self.hits += 1
            self.note_use(kept)
        else:
            assert self.cache.get_cached_result(key, max_age) is None
            self.misses += 1

    @rule(
        key=KEYS,
        size=st.integers(0, 45),
        ttl=st.one_of(st.none(), st.integers(1, 20)),
        tags=TAGS,
        cost=st.one_of(st.none(), st.sampled_from([0.0, 0.5, 2.0])),
    )
    def set(
        self, key: Any, size: int, ttl: int | None, tags: list[str], cost: float | None
    ) -> None:
        value = bytes(bytearray(size))
        replaces = key in self.held
        before = dict(self.counts)
        kept = self.cache.set(key, value, ttl, tags, cost)
        assert kept == (size <= self.capacity)
        if replaces:
            assert key not in self.held
            gone = {cause for cause in self.counts if self.counts[cause] > before[cause]}
            assert gone & {"replaced", "expired"}
        if kept:
            self.held[key] = Kept(value, self.now, 10 if ttl is None else ttl, set(tags))
            self.note_use(self.held[key])
        else:
            self.rejected += 1

    @rule(key=KEYS)
    def delete(self, key: Any) -> None:
        was_alive = self.alive(key)
        assert self.cache.delete(key) == was_alive
        assert key not in self.held

    @rule(tags=TAGS)
    def invalidate(self, tags: list[str]) -> None:
        doomed = {key for key, kept in self.held.items() if kept.tags & {*tags}}
        assert self.cache.invalidate_by_tags(tags) == len(doomed)
        assert not doomed & set(self.held)

    @rule(seconds=st.sampled_from([0.5, 1.0, 4.0, 11.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def expire(self) -> None:
        expired = [key for key in self.held if not self.alive(key)]
        assert self.cache.expire() == len(expired)
        assert all(self.alive(key) for key in self.held)

    @rule()
    def clear(self) -> None:
        self.cache.clear()
        assert not self.held

    @rule(capacity=st.integers(5, 40), max_entries=st.one_of(st.none(), st.integers(1, 8)))
    def resize(self, capacity: int, max_entries: int | None) -> None:
        self.capacity = capacity
        self.max_entries = self.max_entries if max_entries is None else max_entries
        self.cache.resize(capacity / MB, max_entries=max_entries)

    @rule(key=KEYS)
    def describe(self, key: Any) -> None:
        described = self.cache.describe(key)
        if not self.alive(key):
            assert described is None
            assert key not in self.cache
            return
        kept = self.held[key]
        assert described is not None
        assert described.result is kept.value
        assert (described.created_at, described.ttl) == (kept.created_at, kept.ttl)
        assert set(described.tags) == kept.tags
        assert described.hit_count == kept.hits

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "cache"):
            return
        assert len(self.cache) == len(self.held)
        assert dict(self.cache.items()) == {
            key: kept.value for key, kept in self.held.items() if self.alive(key)
        }
        used = sum(len(kept.value) for kept in self.held.values())
        assert used <= self.capacity
        assert self.max_entries is None or len(self.held) <= self.max_entries
        statistics = self.cache.get_statistics()
        assert statistics.memory_used_bytes == used
        assert (statistics.cache_hits, statistics.cache_misses) == (self.hits, self.misses)
        assert statistics.total_requests == self.hits + self.misses
        assert statistics.evictions_by_cause == self.counts
        assert statistics.rejected == self.rejected
        tagged = {(tag, key) for key, kept in self.held.items() for tag in kept.tags}
        index = self.cache._store.tags.keys_by_tag
        assert {(tag, key) for tag, keys in index.items() for key in keys} == tagged
        assert all(index.values())


class LruMachine(CacheMachine):
    policy = "lru"


class S3FifoMachine(CacheMachine):
    policy = "s3fifo"


class GdsfMachine(CacheMachine):
    policy = "gdsf"


_effort = settings(max_examples=settings.default.max_examples // 2, stateful_step_count=40)
TestLru = LruMachine.TestCase
TestLru.settings = _effort
TestS3Fifo = S3FifoMachine.TestCase
TestS3Fifo.settings = _effort
TestGdsf = GdsfMachine.TestCase
TestGdsf.settings = _effort
