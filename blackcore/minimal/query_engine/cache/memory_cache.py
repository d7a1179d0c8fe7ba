"""The cache in this process's memory."""

from __future__ import annotations

import logging
import random as random_numbers
import time
from typing import TYPE_CHECKING, Any

from ..errors import CacheWeightError, SettingsError
from .arguments import (
    checked_age,
    checked_bytes,
    checked_entries,
    checked_key,
    checked_not_negative,
    checked_positive,
    checked_tags,
)
from .base import CachedResult
from .computing import ComputingCache
from .counters import Counters
from .mapping import CacheMapping
from .policies import POLICIES
from .reading import Reader, make_get
from .sizing import checked_weight, weigh_entry
from .store import EntryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from ..settings import CachePolicy
    from .base import CacheStatistics
    from .computing import Recipe
    from .entries import Entry
    from .single_flight import Flight
    from .store import Listener

_logger = logging.getLogger(__name__)


class MemoryCache(ComputingCache, CacheMapping):
    """A mapping bounded in bytes whose entries have a time to live. Safe under threads and asyncio.

    A key is anything hashable, a value anything; values are handed out themselves, not copied.
    A cached None is a hit. `len` counts what is held, expired entries included that nobody has met
    yet; iterating goes through the others, as they are at that moment.

    Expired entries free their memory when they are asked for, by `expire()`, and when room is
    needed: then the 512 next in line to go are looked through first, and again at the earliest
    after a quarter as many insertions as were looked through. An entry without tags and cost may
    expire up to 10 ms early.

    A change that comes in the middle of another on the same thread, from a finalizer that the
    garbage collector runs or a key's `__eq__`, is made right after that one, and until then returns
    as if it had been (`set`) or as if there were nothing to remove.

    Args:
        max_size_mb: bound of all entries' weights together, in mebibytes; never exceeded.
        ttl_seconds: how long an entry is served unless it says otherwise; `math.inf` is allowed.
        max_entries: a bound besides; None for none.
        policy: who goes for want of room: "lru" (exact), "s3fifo" (usually more hits, and a hit
            takes no lock), "gdsf" (often asked, dear and small values stay).
        sizer: what a value weighs in bytes, and all that its entry counts for; None:
            `weigh_entry`, the key, the value and the bookkeeping.
        clock: seconds that never go back.
        on_evict: called with key, value and cause when an entry has left, outside any lock.
        random: numbers from 0.0 up to 1.0, for early refresh.

    Raises:
        SettingsError: an option that cannot be.

    >>> cache = MemoryCache(max_size_mb=64, ttl_seconds=60)
    >>> cache.set("late flights", [3, 5, 8], tags=["flights"])
    True
    >>> cache.get("late flights")
    [3, 5, 8]
    >>> cache.get_or_compute("early flights", lambda: [1, 2], tags=["flights"])
    [1, 2]
    >>> cache.invalidate_by_tags(["flights"]), cache.get("late flights", "gone")
    (2, 'gone')
    """

    def __init__(
        self,
        max_size_mb: float = 1024,
        ttl_seconds: float = 3600,
        *,
        max_entries: int | None = None,
        policy: CachePolicy = "lru",
        sizer: Callable[[Any], float] | None = None,  # a value is anything; its sizer knows what
        clock: Callable[[], float] = time.monotonic,
        on_evict: Listener | None = None,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        if policy not in POLICIES:
            raise SettingsError(f"policy is {policy!r}; it is one of {', '.join(POLICIES)}")
        super().__init__(clock=clock, random=random)
        self._ttl_seconds = checked_positive("ttl_seconds", ttl_seconds)
        self._sizer = sizer
        self._policy = policy
        self._counters = Counters()
        self._store = EntryStore(
            policy,
            checked_bytes(max_size_mb),
            checked_entries(max_entries),
            counters=self._counters,
            clock=clock,
        )
        self._reader = Reader(self._store, self._counters, clock)
        self._fast_get = make_get(self._reader, self._store, self._counters, clock)
        self.get_hit = make_get(
            self._reader, self._store, self._counters, clock, counts_misses=False
        )
        if type(self).get is MemoryCache.get:
            self.get = self._fast_get  # type: ignore[method-assign]  # saves a call on every hit
        if on_evict is not None:
            self.add_listener(on_evict)

    def get(self, key: Hashable, default: object = None) -> object:
        """Return the cached value, or `default` where there is none.

        Raises:
            CacheKeyError: the key is not hashable.
        """
        return self._fast_get(key, default)

    def get_with_age(self, key: Hashable) -> tuple[object, float] | None:
        """Return the cached value and its age in seconds, or None where there is none."""
        entry = self._reader.find(key)
        if entry is None:
            self._reader.count_miss(key)
            return None
        return entry.value, max(0.0, self._clock() - entry.terms.created_at)

    def get_cached_result(self, query_hash: str, max_age: float | None = None) -> object | None:
        """Return the cached value itself, or None on a miss (or where None is the value).

        Args:
            query_hash: the key.
            max_age: seconds; an older entry is a miss, and stays.

        Raises:
            CacheKeyError: the key is not hashable.
            SettingsError: an age that cannot be.
        """
        if max_age is not None:
            checked_age(max_age)
            entry = self._reader.peek(query_hash)
            if entry is not None and self._clock() - entry.terms.created_at > max_age:
                self._reader.count_miss(query_hash)
                return None
        return self.get(query_hash)

    def set(
        self,
        key: Hashable,
        value: object,
        ttl_seconds: float | None = None,
        tags: Iterable[str] = (),
        cost: float | None = None,
    ) -> bool:
        """Keep a value; return whether it is kept (False: it outweighs the whole cache).

        Args:
            key: what it held before is gone either way.
            value: changing it later changes what is served, and is not weighed.
            ttl_seconds: how long to serve it; None is the cache's own.
            tags: names it can be invalidated by.
            cost: the seconds it took to compute, if known.

        Raises:
            CacheKeyError: the key is not hashable.
            CacheWeightError: the value cannot be weighed; nothing has changed.
            SettingsError: a time to live, tags or a cost that cannot be.
        """
        ttl = (
            self._ttl_seconds
            if ttl_seconds is None
            else checked_positive("ttl_seconds", ttl_seconds)
        )
        cost_seconds = 0.0 if cost is None else checked_not_negative("cost", cost)
        unique_tags = checked_tags(tags) if tags else ()
        if type(key) is not str:
            checked_key(key)
        weight_bytes = weigh_entry(key, value) if self._sizer is None else self._weigh(key, value)
        if self._flights.by_key:
            self._flights.revoke(keys=(key,))
        if cost is not None:
            self._counters.add_cost(cost_seconds)
        return self._store.put(key, value, weight_bytes, ttl, unique_tags, cost_seconds)

    def cache_result(
        self, query_hash: str, result: object, ttl: float | None = None, tags: Iterable[str] = ()
    ) -> bool:
        """Keep a value, as `set` does."""
        return self.set(query_hash, result, ttl, tags)

    def _weigh(self, key: Hashable, value: object) -> int:
        if self._sizer is None:
            return weigh_entry(key, value)
        try:
            weight = self._sizer(value)
        except Exception as error:
            raise CacheWeightError(
                f"the sizer failed on a value of type {type(value).__name__!r}: {error!r}"
            ) from error
        return checked_weight(weight, "the sizer")

    def delete(self, key: Hashable) -> bool:
        """Remove an entry; return whether there was one that could be served."""
        return bool(self._take(key))

    def clear(self) -> None:
        """Remove every entry. What was counted stays counted."""
        self._flights.revoke_all()
        self._store.clear()

    def expire(self) -> int:
        """Remove what is past its time; return how many that were. Goes through all entries."""
        return self._store.remove_expired()

    def invalidate_by_tags(self, tags: Iterable[str]) -> int:
        """Remove the entries that carry any of the tags; return how many that were.

        The cost is that of the entries removed. Values that are being computed at the moment under
        such a tag are not kept.
        """
        unique_tags = checked_tags(tags)
        # First: a value kept after this is seen by the removal, one kept before it is refused.
        self._flights.revoke(tags=unique_tags)
        return self._store.remove_tagged(unique_tags)

    def resize(self, max_size_mb: float, *, max_entries: int | None = None) -> None:
        """Change the bounds while running; what no longer fits leaves at once.

        Args:
            max_size_mb: the new bound in mebibytes.
            max_entries: the new bound in entries; None leaves it as it is.
        """
        entries = checked_entries(max_entries)
        self._store.resize(
            checked_bytes(max_size_mb),
            self._store.policy.max_entries if entries is None else entries,
        )

    @property
    def policy(self) -> CachePolicy:
        """Who goes for want of room."""
        return self._policy

    @property
    def max_bytes(self) -> int:
        """The bound of all entries' weights together."""
        return self._store.policy.max_bytes

    @property
    def max_entries(self) -> int | None:
        """The bound in entries; None: the bytes alone."""
        return self._store.policy.max_entries

    def add_listener(self, listener: Listener) -> Callable[[], None]:
        """Call `listener(key, value, cause)` for each entry that leaves; return what ends that.

        It is called outside any lock, on the thread that made the entry leave. What it raises is
        logged and counted.
        """
        store = self._store
        with store.lock:
            store.listeners = (*store.listeners, listener)

        def remove() -> None:
            with store.lock:
                store.listeners = tuple(each for each in store.listeners if each is not listener)

        return remove

    def describe(self, key: Hashable) -> CachedResult | None:
        """Return what is known of an entry, which does not count as a request; None: no entry."""
        entry = self._reader.peek(key)
        if entry is None:
            return None
        terms = entry.terms
        return CachedResult(
            entry.value, str(key), terms.created_at, terms.ttl_seconds, terms.tags, terms.hits
        )

    def get_statistics(self) -> CacheStatistics:
        """Return one consistent snapshot.

        Hits and misses are counted exactly, each; one in 64 is timed, the first included.
        """
        with self._store.lock:
            return self._counters.snapshot(len(self), self._store.policy.used_bytes)

    def reset_statistics(self) -> None:
        """Start counting from zero; the entries stay."""
        with self._store.lock:
            self._counters.reset()

    def __contains__(self, key: object) -> bool:
        return self._reader.peek(key) is not None

    def __len__(self) -> int:
        return len(self._store.entries)

    def __repr__(self) -> str:
        policy = self._store.policy
        return (
            f"<{type(self).__name__} of {len(self):,} entries, "
            f"{policy.used_bytes:,} of {policy.max_bytes:,} bytes>"
        )

    def _take(self, key: Hashable) -> list[object]:
        self._flights.revoke(keys=(checked_key(key),))
        return self._store.remove(key)

    def _keep_unless_there(self, key: Hashable, value: object) -> object:
        weight_bytes = self._weigh(key, value)
        self._flights.revoke(keys=(key,))
        reader = self._reader
        self._store.put(
            key,
            value,
            weight_bytes,
            self._ttl_seconds,
            is_refused=lambda: reader.peek(key) is not None,
        )
        entry = reader.peek(key)
        return value if entry is None else entry.value

    def _snapshot(self) -> list[tuple[Hashable, object]]:
        with self._store.lock:
            now = self._clock()
            return [
                (key, entry.value)
                for key, entry in self._store.policy.held()
                if entry.terms.expires_at > now
            ]

    def _find_servable(self, key: Hashable) -> tuple[Entry | None, bool]:
        entry = self._reader.look_up(key)
        now = self._clock()
        if entry is None or entry.terms.stale_until <= now:
            return None, False
        return entry, entry.terms.expires_at > now

    def _keep_computed(
        self, recipe: Recipe, value: object, cost_seconds: float, flight: Flight
    ) -> None:
        self._counters.add_cost(cost_seconds)
        try:
            weight_bytes = self._weigh(recipe.key, value)
        except CacheWeightError:
            self._counters.rejected += 1
            _logger.warning("the value of %r is returned but not kept", recipe.key, exc_info=True)
            return
        self._store.put(
            recipe.key,
            value,
            weight_bytes,
            recipe.ttl_seconds or self._ttl_seconds,
            recipe.tags,
            cost_seconds,
            recipe.stale_seconds,
            is_refused=lambda: flight.revoked,
        )

    def _count_hit(self, key: Hashable, entry: Entry, *, is_stale: bool) -> None:
        self._reader.count_hit(key, entry, is_stale=is_stale)

    def _count_miss(self, key: Hashable) -> None:
        self._reader.count_miss(key)

    def _count_failed_refresh(self) -> None:
        self._counters.failed_refreshes += 1
