"""The caches that are compared: each by `get` and `set`, thread-safe, with a time to live."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import RLock
from typing import Any

import cachebox
import cachetools
import moka_py
import theine

from blackcore.minimal.query_engine.cache import MemoryCache

TTL_SECONDS = 3600.0
OURS = ("lru", "s3fifo", "gdsf")

Get = Callable[[str], Any]
Set = Callable[[str, Any], Any]


@dataclass(frozen=True)
class Contender:
    """A cache, as called: what it holds is kept alive by its functions."""

    get: Get
    set: Set
    evictions: Callable[[], int] | None = None
    """How many entries left for want of room, where the cache says it."""


class PlainLocked:
    """What one writes without thinking long: a lock, an OrderedDict, a time to live, counters."""

    def __init__(self, entries: int) -> None:
        self.lock = RLock()
        self.held: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self.entries = entries
        self.hits = self.misses = 0

    def get(self, key: str) -> Any:  # noqa: ANN401 - a value is anything
        """Return the value, or None."""
        with self.lock:
            found = self.held.get(key)
            if found is None or found[0] <= time.monotonic():
                self.misses += 1
                return None
            self.held.move_to_end(key)
            self.hits += 1
            return found[1]

    def set(self, key: str, value: object) -> None:
        """Keep a value."""
        with self.lock:
            self.held[key] = (time.monotonic() + TTL_SECONDS, value)
            self.held.move_to_end(key)
            while len(self.held) > self.entries:
                self.held.popitem(last=False)


def ours(policy: str, entries: int) -> Contender:
    """Return a cache of ours with its defaults: statistics, weights, time to live."""
    cache = MemoryCache(ttl_seconds=TTL_SECONDS, max_entries=entries, policy=policy)  # type: ignore[arg-type]
    return Contender(cache.get, cache.set, lambda: cache.get_statistics().evictions)


def _plain(entries: int) -> Contender:
    cache = PlainLocked(entries)
    return Contender(cache.get, cache.set)


def _cachetools(entries: int) -> Contender:
    cache: cachetools.TTLCache[str, Any] = cachetools.TTLCache(entries, TTL_SECONDS)
    lock = RLock()

    def get(key: str) -> Any:  # noqa: ANN401 - a value is anything
        with lock:
            return cache.get(key)

    def put(key: str, value: object) -> None:
        with lock:
            cache[key] = value

    return Contender(get, put)


def _cachebox(entries: int) -> Contender:
    cache = cachebox.TTLCache(entries, TTL_SECONDS)
    return Contender(cache.get, cache.insert)


def _moka(entries: int) -> Contender:
    cache = moka_py.Moka(entries, ttl=TTL_SECONDS)
    return Contender(cache.get, cache.set)


def _theine(entries: int) -> Contender:
    cache: theine.Cache[str, Any] = theine.Cache(entries)
    ttl = timedelta(seconds=TTL_SECONDS)
    get, put = cache.get, cache.set
    return Contender(get, lambda key, value: put(key, value, ttl))


PEERS: dict[str, Callable[[int], Contender]] = {
    "naive": _plain,
    "cachetools": _cachetools,
    "cachebox": _cachebox,
    "moka-py": _moka,
    "theine": _theine,
}


def contenders(entries: int) -> dict[str, Contender]:
    """Return every cache, with room for so many entries."""
    made = {policy: ours(policy, entries) for policy in OURS}
    return made | {name: make(entries) for name, make in PEERS.items()}


def value_of(name: str, answer: Any) -> Any:  # noqa: ANN401 - a value is anything
    """Return the value in what a contender's `get` returned."""
    return answer[0] if name == "theine" else answer
