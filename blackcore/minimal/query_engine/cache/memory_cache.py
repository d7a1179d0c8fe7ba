"""The cache in this process's memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from threading import RLock

from blackcore.minimal.query_engine.errors import CacheKeyError, SettingsError

from .base import CachedResult, CacheStatistics
from .sizing import weigh


@dataclass(slots=True)
class _Entry:
    value: object
    created_at: float
    expires_at: float
    weight_bytes: int
    tags: tuple[str, ...]
    hits: int = 0


class MemoryCache(MutableMapping[Hashable, object]):
    """A cache bounded in bytes, exact LRU, with a time to live per entry. Thread-safe.

    >>> cache = MemoryCache(max_size_mb=1, ttl_seconds=60)
    >>> cache.set("answer", 42)
    True
    >>> cache.get("answer"), cache.get("question", "none")
    (42, 'none')
    """

    def __init__(
        self,
        max_size_mb: float = 1024,
        ttl_seconds: float = 3600,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_size_bytes = int(_positive("max_size_mb", max_size_mb) * 1_000_000)
        self._ttl_seconds = _positive("ttl_seconds", ttl_seconds)
        self._clock = clock
        self._lock = RLock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._used_bytes = 0
        self._hits = self._misses = self._evictions = self._expirations = 0
        self._invalidations = self._rejected = 0

    def get(self, key: Hashable, default: object = None) -> object:
        """Return the cached value, or `default` where there is none."""
        entry = self._find(key, None)
        return default if entry is None else entry.value

    def _find(self, key: Hashable, max_age: float | None) -> _Entry | None:
        with self._lock:
            try:
                entry = self._entries.get(key)
            except TypeError as error:
                raise CacheKeyError(f"{key!r} cannot be a cache key; keys are hashable") from error
            now = self._clock()
            if entry is not None and entry.expires_at <= now:
                self._remove(key)
                self._expirations += 1
                entry = None
            if entry is None or (max_age is not None and now - entry.created_at > max_age):
                self._misses += 1
                return None
            self._entries.move_to_end(key)
            self._hits += 1
            entry.hits += 1
            return entry

    def set(
        self,
        key: Hashable,
        value: object,
        ttl_seconds: float | None = None,
        tags: Iterable[str] = (),
        cost: float | None = None,  # noqa: ARG002 - the policies to come weigh it
    ) -> bool:
        """Keep a value; return whether it was kept (False: it outweighs the whole cache)."""
        ttl = self._ttl_seconds if ttl_seconds is None else _positive("ttl_seconds", ttl_seconds)
        weight = weigh(key) + weigh(value)
        with self._lock:
            self._remove(key)
            if weight > self._max_size_bytes:
                self._rejected += 1
                return False
            now = self._clock()
            self._entries[key] = _Entry(value, now, now + ttl, weight, tuple(tags))
            self._used_bytes += weight
            while self._used_bytes > self._max_size_bytes:
                _, victim = self._entries.popitem(last=False)
                self._used_bytes -= victim.weight_bytes
                self._evictions += 1
        return True

    def _remove(self, key: Hashable) -> bool:
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        self._used_bytes -= entry.weight_bytes
        return True

    def delete(self, key: Hashable) -> bool:
        """Remove an entry; return whether there was one."""
        with self._lock:
            return self._remove(key)

    def clear(self) -> None:
        """Remove every entry."""
        with self._lock:
            self._entries.clear()
            self._used_bytes = 0

    def invalidate_by_tags(self, tags: Iterable[str]) -> int:
        """Remove the entries that carry any of the tags; return how many."""
        wanted = set(tags)
        with self._lock:
            doomed = [key for key, entry in self._entries.items() if wanted & set(entry.tags)]
            for key in doomed:
                self._remove(key)
            self._invalidations += len(doomed)
        return len(doomed)

    def get_cached_result(self, query_hash: str, max_age: float | None = None) -> object | None:
        """Return the cached value itself, or None on a miss (or where None is the value)."""
        entry = self._find(query_hash, max_age)
        return None if entry is None else entry.value

    def cache_result(
        self, query_hash: str, result: object, ttl: float | None = None, tags: Iterable[str] = ()
    ) -> bool:
        """Keep a value, as `set` does."""
        return self.set(query_hash, result, ttl, tags)

    def describe(self, key: Hashable) -> CachedResult | None:
        """Return what is known of an entry, without counting as a request; None: there is none."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.expires_at <= self._clock():
                return None
            return CachedResult(
                entry.value,
                str(key),
                entry.created_at,
                entry.expires_at - entry.created_at,
                entry.tags,
                entry.hits,
            )

    def get_statistics(self) -> CacheStatistics:
        """Return one consistent snapshot."""
        with self._lock:
            requests = self._hits + self._misses
            return CacheStatistics(
                total_requests=requests,
                cache_hits=self._hits,
                cache_misses=self._misses,
                memory_used_bytes=self._used_bytes,
                evictions=self._evictions,
                entries=len(self._entries),
                expirations=self._expirations,
                invalidations=self._invalidations,
                rejected=self._rejected,
                hit_rate=self._hits / requests if requests else 0.0,
            )

    def __getitem__(self, key: Hashable) -> object:
        entry = self._find(key, None)
        if entry is None:
            raise KeyError(key)
        return entry.value

    def __setitem__(self, key: Hashable, value: object) -> None:
        self.set(key, value)

    def __delitem__(self, key: Hashable) -> None:
        if not self.delete(key):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return self.describe(key) is not None

    def __iter__(self) -> Iterator[Hashable]:
        with self._lock:
            now = self._clock()
            return iter([key for key, entry in self._entries.items() if entry.expires_at > now])

    def __len__(self) -> int:
        return len(self._entries)


def _positive(name: str, value: float) -> float:
    if not value > 0:
        raise SettingsError(f"{name} is {value!r}; it must be greater than 0")
    return value
