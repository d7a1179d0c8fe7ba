"""What every cache here speaks: statistics, a described entry, and the two Protocols."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from html import escape
from typing import TYPE_CHECKING, Literal, Protocol, get_args, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EvictionCause = Literal["capacity", "expired", "invalidated", "replaced", "explicit"]
"""Why an entry left: room was needed, its time was over, a tag of it was invalidated, its key was
set again, or somebody deleted it."""

EVICTION_CAUSES: tuple[EvictionCause, ...] = get_args(EvictionCause)

_NOT_SUBTRACTED = frozenset(
    {
        "average_compute_time_ns",
        "average_hit_time_ns",
        "average_miss_time_ns",
        "evictions_by_cause",
        "hit_rate",
    }
)


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """One consistent snapshot of what a cache has done and holds.

    `total_requests == cache_hits + cache_misses` always. Times are averages in nanoseconds over the
    requests that were timed (0.0 where none was); the counts are exact.

    Attributes:
        evictions: entries that had to leave for want of room (cause "capacity").
        entries: entries held now, those included whose time is over but that nobody has met yet.
        expirations: entries removed because their time was over.
        invalidations: entries removed through one of their tags.
        rejected: values not kept because one alone outweighs the whole cache.
        hit_rate: 0.0 to 1.0; 0.0 before the first request.
        evictions_by_cause: entries that left, by cause.
        average_compute_time_ns: what a computed value took, over the values whose time is known.
        compute_seconds_saved: seconds of computing that hits made unnecessary.
        computations: values whose computing time is known, kept or not.
        stale_hits: hits, among the others, that were served past their time.
        failed_refreshes: computations that failed while an old value could still be served.
        listener_errors: exceptions that eviction listeners raised.

    >>> before = CacheStatistics(total_requests=4, cache_hits=1, cache_misses=3, hit_rate=0.25)
    >>> after = CacheStatistics(total_requests=8, cache_hits=4, cache_misses=4, hit_rate=0.5)
    >>> (after - before).hit_rate
    0.75
    """

    total_requests: int = 0
    cache_hits: int = 0
    cache_misses: int = 0
    average_hit_time_ns: float = 0.0
    average_miss_time_ns: float = 0.0
    memory_used_bytes: int = 0
    evictions: int = 0
    entries: int = 0
    expirations: int = 0
    invalidations: int = 0
    rejected: int = 0
    hit_rate: float = 0.0
    evictions_by_cause: Mapping[str, int] = field(default_factory=dict)
    average_compute_time_ns: float = 0.0
    compute_seconds_saved: float = 0.0
    computations: int = 0
    stale_hits: int = 0
    failed_refreshes: int = 0
    listener_errors: int = 0

    def __sub__(self, earlier: CacheStatistics) -> CacheStatistics:
        """Return what happened between two snapshots; `entries` and memory become growth.

        Averages are those of the span, weighted by requests (or computations) as counted.
        """
        growth = {
            each.name: getattr(self, each.name) - getattr(earlier, each.name)
            for each in fields(self)
            if each.name not in _NOT_SUBTRACTED
        }
        requests = growth["total_requests"]
        return CacheStatistics(
            **growth,
            hit_rate=growth["cache_hits"] / requests if requests else 0.0,
            average_hit_time_ns=self._average_since(earlier, "average_hit_time_ns", "cache_hits"),
            average_miss_time_ns=self._average_since(
                earlier, "average_miss_time_ns", "cache_misses"
            ),
            average_compute_time_ns=self._average_since(
                earlier, "average_compute_time_ns", "computations"
            ),
            evictions_by_cause={
                cause: count - earlier.evictions_by_cause.get(cause, 0)
                for cause, count in self.evictions_by_cause.items()
            },
        )

    def _average_since(self, earlier: CacheStatistics, average: str, count: str) -> float:
        now, before = getattr(self, count), getattr(earlier, count)
        if now <= before:
            return 0.0
        total = getattr(self, average) * now - getattr(earlier, average) * before
        return float(max(0.0, total / (now - before)))

    def _repr_html_(self) -> str:
        """Return the snapshot as a small table for notebooks."""
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(shown)}</td></tr>"
            for name, shown in self._shown()
        )
        return f"<table><caption>Cache statistics</caption>{rows}</table>"

    def _shown(self) -> Iterable[tuple[str, str]]:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, float):
                yield each.name, f"{value:,.3f}"
            elif isinstance(value, int):
                yield each.name, f"{value:,}"
            else:
                yield each.name, ", ".join(f"{cause} {count:,}" for cause, count in value.items())


@dataclass(frozen=True, slots=True)
class CachedResult:
    """One cached answer and what is known of it.

    Attributes:
        result: the cached value itself, not a copy.
        query_hash: the key it is kept under.
        created_at: when it was kept, in seconds of the cache's clock.
        ttl: seconds from `created_at` for which it is served.
        tags: the tags it was kept with.
        hit_count: how often it was served since it was kept.
    """

    result: object
    query_hash: str
    created_at: float
    ttl: float
    tags: tuple[str, ...] = ()
    hit_count: int = 0


@runtime_checkable
class CacheManager(Protocol):
    """Anything that keeps answers by the hash of their query."""

    def get_cached_result(self, query_hash: str, max_age: float | None = None) -> object | None:
        """Return the cached value itself, or None where there is none.

        Args:
            query_hash: the key.
            max_age: seconds; an entry older than this is a miss (and stays).
        """

    def cache_result(
        self, query_hash: str, result: object, ttl: float | None = None, tags: Iterable[str] = ()
    ) -> object:
        """Keep a value.

        Args:
            query_hash: the key.
            result: the value.
            ttl: seconds to serve it; None is the cache's own default.
            tags: names under which it can be invalidated together with others.
        """

    def get_statistics(self) -> CacheStatistics:
        """Return what the cache has done so far."""


@runtime_checkable
class TaggedCacheManager(CacheManager, Protocol):
    """A cache manager whose answers can be dropped by tag."""

    def invalidate_by_tags(self, tags: Iterable[str]) -> int:
        """Remove the entries that carry any of the tags; return how many."""
