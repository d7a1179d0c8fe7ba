"""What a cache counts."""

from __future__ import annotations

from typing import Final

from .base import EVICTION_CAUSES, CacheStatistics, EvictionCause

TIMED_EVERY: Final = 64
"""One hit, and one miss, in so many is timed; the first of each always."""


class Counters:
    """Counts of one cache, exact without a lock.

    A count is raised by `counters.hits += 1` in the code of a single statement. CPython hands the
    GIL over only at calls and backward jumps, of which such a statement has none between reading
    and storing, so that no other thread can raise the same count in between.
    """

    __slots__ = (
        "causes",
        "computations",
        "compute_seconds",
        "failed_refreshes",
        "hit_ns",
        "hits",
        "hits_timed",
        "listener_errors",
        "miss_ns",
        "misses",
        "misses_timed",
        "rejected",
        "saved_seconds",
        "stale_hits",
    )

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Set every count to zero."""
        self.hits = 0
        self.misses = 0
        self.hit_ns = 0
        self.hits_timed = 0
        self.miss_ns = 0
        self.misses_timed = 0
        self.stale_hits = 0
        self.rejected = 0
        self.computations = 0
        self.compute_seconds = 0.0
        self.saved_seconds = 0.0
        self.failed_refreshes = 0
        self.listener_errors = 0
        self.causes: dict[EvictionCause, int] = dict.fromkeys(EVICTION_CAUSES, 0)

    def add_cost(self, cost_seconds: float) -> None:
        """Note that computing a value took so long."""
        self.computations += 1
        self.compute_seconds += cost_seconds

    def snapshot(self, entries: int, memory_used_bytes: int) -> CacheStatistics:
        """Return the counts with what they come to."""
        # Read once, so that the numbers of one snapshot agree while hits go on.
        hits, misses = self.hits, self.misses
        requests = hits + misses
        return CacheStatistics(
            total_requests=requests,
            cache_hits=hits,
            cache_misses=misses,
            average_hit_time_ns=_average(self.hit_ns, self.hits_timed),
            average_miss_time_ns=_average(self.miss_ns, self.misses_timed),
            memory_used_bytes=memory_used_bytes,
            evictions=self.causes["capacity"],
            entries=entries,
            expirations=self.causes["expired"],
            invalidations=self.causes["invalidated"],
            rejected=self.rejected,
            hit_rate=_average(hits, requests),
            evictions_by_cause={str(cause): count for cause, count in self.causes.items()},
            average_compute_time_ns=_average(self.compute_seconds * 1e9, self.computations),
            compute_seconds_saved=self.saved_seconds,
            computations=self.computations,
            stale_hits=self.stale_hits,
            failed_refreshes=self.failed_refreshes,
            listener_errors=self.listener_errors,
        )


def _average(total: float, count: int) -> float:
    return total / count if count else 0.0
