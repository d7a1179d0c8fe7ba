"""Who has to go: each policy against a plain telling of it."""

from __future__ import annotations

import math
import random
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator, Sequence
from threading import RLock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine.cache import MemoryCache
from blackcore.minimal.query_engine.cache.entries import OWN_TERMS, Terms, record_hit
from blackcore.minimal.query_engine.cache.policies import GdsfPolicy, LruPolicy, S3FifoPolicy
from blackcore.minimal.query_engine.cache.policies.fifo import FifoOfKeys
from blackcore.minimal.query_engine.cache.policies.gdsf import GdsfEntry

keys = st.integers(0, 12)


def cache_of(policy: str, entries: int) -> MemoryCache:
    return MemoryCache(policy=policy, max_entries=entries, sizer=lambda _: 1)  # type: ignore[arg-type]


def replay(cache: MemoryCache, trace: list[int]) -> list[bool]:
    hits = []
    for key in trace:
        hit = cache.get(key) is not None
        hits.append(hit)
        if not hit:
            cache.set(key, "value")
    return hits


class PlainS3Fifo:
    """The algorithm as its authors tell it, over lists."""

    def __init__(self, capacity: int) -> None:
        self.small_size = max(1, capacity // 10)
        self.capacity = capacity
        self.small: deque[int] = deque()
        self.main: deque[int] = deque()
        self.ghost: deque[int] = deque()
        self.frequency: dict[int, int] = {}
        self.has_evicted = False

    def request(self, key: int) -> bool:
        if key in self.frequency:
            self.frequency[key] = min(3, self.frequency[key] + 1)
            return True
        returns = key in self.ghost
        if returns:
            self.ghost.remove(key)
        while len(self.frequency) >= self.capacity:
            self.evict()
        if len(self.ghost) > len(self.frequency):
            while len(self.ghost) > len(self.frequency) * 9 // 10:
                self.ghost.popleft()
        to_main = returns or (not self.has_evicted and len(self.small) >= self.small_size)
        (self.main if to_main else self.small).append(key)
        self.frequency[key] = 0
        return False

    def evict(self) -> None:
        self.has_evicted = True
        if self.small and len(self.main) <= self.capacity - self.small_size:
            key = self.small.popleft()
            if self.frequency[key] > 1:
                self.main.append(key)
                self.frequency[key] = 0
                return
            self.ghost.append(key)
            del self.frequency[key]
            return
        key = self.main.popleft()
        if self.frequency[key]:
            self.frequency[key] -= 1
            self.main.append(key)
        else:
            del self.frequency[key]


@given(st.lists(keys, max_size=300), st.integers(1, 12))
def test_lru_is_exact(trace: list[int], capacity: int) -> None:
    order: OrderedDict[int, None] = OrderedDict()
    expected = []
    for key in trace:
        expected.append(key in order)
        order[key] = None
        order.move_to_end(key)
        if len(order) > capacity:
            order.popitem(last=False)
    cache = cache_of("lru", capacity)
    assert replay(cache, trace) == expected
    assert list(cache._store.entries) == list(order)


@given(st.lists(st.integers(0, 60), max_size=300), st.integers(1, 40))
def test_s3fifo_does_what_its_plain_telling_does(trace: list[int], capacity: int) -> None:
    plain = PlainS3Fifo(capacity)
    assert replay(cache_of("s3fifo", capacity), trace) == [plain.request(key) for key in trace]


def test_s3fifo_does_what_its_plain_telling_does_on_a_long_skewed_trace() -> None:
    numbers = random.Random(7)  # noqa: S311 - a trace, no secret
    trace = [int(numbers.paretovariate(0.7)) % 1_000 for _ in range(6_000)]
    for capacity in (20, 150):
        plain = PlainS3Fifo(capacity)
        assert replay(cache_of("s3fifo", capacity), trace) == [plain.request(key) for key in trace]


def test_s3fifo_keeps_what_was_hit_twice_through_a_scan_that_empties_lru() -> None:
    trace = [*range(5), *range(5), *range(5), *range(100, 150), *range(5)]
    assert sum(replay(cache_of("s3fifo", 20), trace)) > sum(replay(cache_of("lru", 20), trace))


def test_s3fifo_halves_its_queues_by_bytes_where_no_entries_are_bounded() -> None:
    cache = MemoryCache(1_000 / 1024**2, policy="s3fifo", sizer=len)
    for number in range(300):
        cache.set(str(number), "x" * (5 + number % 11))
        if number % 3 == 0:
            cache.get(str(number))
            cache.get(str(number))
    policy = cache._store.policy
    assert isinstance(policy, S3FifoPolicy)
    small = [key for key, entry in policy.held() if not entry.place & 1]
    assert policy._small_bytes == sum(len(cache.get(key, "")) for key in small)  # type: ignore[arg-type]
    assert len(policy._small) == len(small)
    assert len(policy._main) == len(policy.entries) - len(small)
    assert 0 < len(policy._ghosts) <= len(policy.entries)
    # A newcomer weighs at most 15: the small queue is a tenth of the bytes, but for the last one.
    assert 100 - 15 <= policy._small_bytes <= 100 + 15


def test_s3fifo_keeps_the_place_of_a_key_that_is_set_again() -> None:
    cache = cache_of("s3fifo", 20)
    for number in range(20):
        cache.set(number, "old")
    for number in range(20):
        cache.get(number)
        cache.set(number, "new")
    policy = cache._store.policy
    assert isinstance(policy, S3FifoPolicy)
    assert len(policy._small) == 2
    assert len(policy._main) == 18
    assert {entry.frequency() for _, entry in policy.held()} == {1}


@given(st.lists(st.tuples(keys, st.integers(1, 5), st.sampled_from([0.0, 0.1, 1.0, 5.0]))))
def test_gdsf_evicts_the_least_priority_of_the_plain_telling(
    puts: list[tuple[int, int, float]],
) -> None:
    # Without hits between, it is exact but for the classes: floor + class of the gain.
    policy = GdsfPolicy(RLock(), 12, None)
    plain: dict[int, tuple[float, float, int, int]] = {}
    known: list[float] = []
    frequencies: dict[int, int] = {}
    floor = 0.0
    for serial, (key, weight, cost) in enumerate(puts):
        terms = Terms(0.0, 1.0, weight, cost_seconds=cost)
        old = policy.entries.get(key)
        expected = set()
        if old is not None:
            plain.pop(key)
        else:
            frequencies[key] = 0
        while sum(each[3] for each in plain.values()) + weight > 12:
            victim = min(plain, key=lambda each: plain[each][:3])
            floor = plain.pop(victim)[0]
            expected.add(victim)
        victims = (
            policy.add(key, "v", terms) if old is None else policy.replace(key, old, "v", terms)
        )
        assert {each for each, _ in victims} == expected
        if cost:
            known.append(cost)
        frequencies[key] += 1
        average = sum(known) / len(known) if known else 1.0
        gain = min(frequencies[key], 16) * (cost or average) / weight
        gain_class = math.floor(math.log2(gain) * 8)
        plain[key] = (floor + 2 ** (gain_class / 8), gain_class, serial, weight)
        assert gain / 1.1 <= plain[key][0] - floor <= gain * (1 + 1e-9)
        assert set(policy.entries) == set(plain)


def test_gdsf_keeps_what_is_dear_small_and_often_asked() -> None:
    cache = MemoryCache(100 / 1024**2, policy="gdsf", sizer=len)
    cache.set("dear", "x" * 20, cost=100.0)
    cache.set("small", "x", cost=1.0)
    cache.set("asked", "x" * 20, cost=1.0)
    cache.set("dull", "x" * 20, cost=1.0)
    for _ in range(50):
        cache.get("asked")
    for number in range(10):
        cache.set(f"new {number}", "x" * 20, cost=1.0)
    assert {"dear", "small", "asked"} <= set(cache)
    assert "dull" not in cache


def test_gdsf_clears_what_departed_entries_left_in_its_queues() -> None:
    cache = MemoryCache(policy="gdsf", sizer=lambda _: 1)
    for number in range(10_000):
        cache.set(number % 10, "x")
    policy = cache._store.policy
    assert isinstance(policy, GdsfPolicy)
    assert sum(len(each.keys.keys) for each in policy._classes.values()) < 50
    for number in range(10):
        cache.delete(number)
    assert not any(each.keys.keys for each in policy._classes.values())


def test_gdsf_finds_a_class_again_that_it_emptied_a_moment_ago() -> None:
    policy = GdsfPolicy(RLock(), 3, None)
    policy.add("dear", "v", Terms(0.0, 1.0, 1, cost_seconds=1.0))
    policy.add("cheap", "v", Terms(0.0, 1.0, 1, cost_seconds=2**-10))
    victims = policy.add("as cheap", "v", Terms(0.0, 1.0, 3, cost_seconds=3 * 2**-10))
    assert [key for key, _ in victims] == ["cheap", "dear"]
    victims = policy.add("next", "v", Terms(0.0, 1.0, 1, cost_seconds=1.0))
    assert [key for key, _ in victims] == ["as cheap"]


@pytest.mark.parametrize("cost", [5e-324, 1.7e308])
def test_gdsf_takes_costs_that_are_next_to_nothing_or_to_infinity(cost: float) -> None:
    policy = GdsfPolicy(RLock(), 5, None)
    for number in range(40):
        policy.add(number, "v", Terms(0.0, 1.0, 1 + number % 2, cost_seconds=cost))
        policy.add(-1 - number, "v", Terms(0.0, 1.0, 1))
        assert policy.used_bytes <= 5
        assert math.isfinite(policy._floor)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "hit", "remove", "resize"]),
            keys,
            st.integers(1, 5),
            st.sampled_from([0.0, 0.001, 0.1, 1.0, 300.0]),
        )
    )
)
def test_gdsf_finds_the_least_priority_whatever_was_hit_and_removed(
    steps: list[tuple[str, int, int, float]],
) -> None:
    policy = GdsfPolicy(RLock(), 12, None)
    for kind, key, weight, cost in steps:
        old = policy.entries.get(key)
        before = dict(policy.entries)
        victims: Sequence[tuple[Hashable, GdsfEntry]] = ()
        if kind == "put":
            terms = Terms(0.0, 1.0, weight, cost_seconds=cost)
            terms.after_hit = OWN_TERMS
            if old is None:
                victims = policy.add(key, "v", terms)
            else:
                victims = policy.replace(key, old, "v", terms)
        elif kind == "hit" and old is not None:
            record_hit(old)
        elif kind == "remove":
            assert policy.remove(key) is old
        elif kind == "resize":
            victims = policy.resize(weight + 7, None)
        # Those that stay were let in again, or have no less a priority than who went.
        for _, victim in victims:
            stayed = [each for each in before.values() if each in policy.entries.values()]
            assert all(each.priority >= victim.priority for each in stayed)
        assert policy.used_bytes == sum(each.terms.weight_bytes for each in policy.entries.values())
        queued = [each.keys for each in policy._classes.values()]
        assert sum(len(each) for each in queued) == len(policy.entries)
        assert {number for _, number in policy._heads} == set(policy._classes)
        assert set(policy.next_in_line(1_000)) >= set(policy.entries)


def test_lru_takes_its_lock_on_hits_from_the_first_key_on_that_is_not_a_plain_text() -> None:
    class Name(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            return str.__eq__(self, other)

    policy = LruPolicy(RLock(), 100, None)
    policy.add("a", 1, Terms(0.0, 1.0, 1))
    assert policy.has_plain_keys
    policy.touch("nobody")
    policy.add(Name("b"), 1, Terms(0.0, 1.0, 1))
    assert not policy.has_plain_keys
    policy.touch("a")
    assert next(iter(policy.entries)) == "b"
    policy.touch("nobody")
    policy.clear()
    assert policy.has_plain_keys


def test_lru_hits_by_keys_that_are_not_plain_texts_count_as_use() -> None:
    cache = cache_of("lru", 2)
    cache.set(("a", 1), "x")
    cache.set(("b", 1), "x")
    cache.get(("a", 1))
    cache.set(("c", 1), "x")
    assert set(cache) == {("a", 1), ("c", 1)}


@pytest.mark.parametrize("policy", [LruPolicy, S3FifoPolicy, GdsfPolicy])
def test_next_in_line_names_no_more_than_asked_for(policy: type) -> None:
    held = policy(RLock(), 1_000, None)
    for number in range(100):
        held.add(str(number), "v", Terms(0.0, 1.0, 1))
    assert len(list(held.next_in_line(10))) <= 10
    assert set(held.next_in_line(1_000)) == {str(number) for number in range(100)}


def test_lru_names_who_is_next_though_hits_reorder_it_meanwhile() -> None:
    class Reordered(OrderedDict[Hashable, object]):
        def __iter__(self) -> Iterator[Hashable]:  # as an iterator broken off by a hit
            raise RuntimeError("OrderedDict mutated during iteration")

    policy = LruPolicy(RLock(), 1_000, None)
    policy.add("a", "v", Terms(0.0, 1.0, 1))
    policy._order = Reordered(policy._order.items())  # type: ignore[assignment]
    assert list(policy.next_in_line(5)) == ["a"]


@given(st.lists(st.one_of(keys, st.just(-1), st.integers(-13, -2))))
def test_a_fifo_of_keys_is_a_queue_that_keys_may_leave(steps: list[int]) -> None:
    queue = FifoOfKeys()
    plain: list[int] = []
    for step in steps:
        if step >= 0 and step not in plain:
            queue.append(step)
            plain.append(step)
        elif step == -1 and plain:
            assert queue.popleft() == plain.pop(0)
        elif -step - 2 in plain:
            queue.leave(-step - 2)
            plain.remove(-step - 2)
        assert len(queue) == len(plain)
        assert set(plain) <= set(queue.oldest(1_000))
        if plain:
            assert queue.first() == plain[0]
    for key in plain:
        assert queue.popleft() == key
    with pytest.raises(IndexError):
        queue.popleft()


def test_a_fifo_of_keys_closes_its_holes_before_they_outnumber_the_keys() -> None:
    queue = FifoOfKeys()
    for number in range(10_000):
        queue.append(number)
        if number % 10:
            queue.leave(number)
    assert len(queue) == 1_000
    assert len(queue.keys) < 2_000
    assert [queue.popleft() for _ in range(3)] == [0, 10, 20]
