"""How much of a cache nobody uses."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ..cache import CacheStatistics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..cache import CacheManager

_log = logging.getLogger(__name__)

_ID_BYTES: Final = 4
_ENTRY_BYTES: Final = 2_048
"""More than a key, an array's head, the tags and the bookkeeping of one entry."""


class Room:
    """The free part of a cache, and what was added since this was made.

    A cache that tells `max_bytes` (and `max_entries`) has room up to a fraction of them. One that
    does not has room until the first entry had to leave.

    Args:
        cache: looked at, never changed.
        full_fraction: 0.0 to 1.0, of its bounds.
    """

    def __init__(self, cache: CacheManager, *, full_fraction: float) -> None:
        self._cache = cache
        self._full_fraction = full_fraction
        self._reserved_bytes = 0
        self._reserved_entries = 0
        self._before = self._statistics()

    @property
    def added_bytes(self) -> int:
        """By how much the cache has grown; 0 where it shrank."""
        return max(0, self._statistics().memory_used_bytes - self._before.memory_used_bytes)

    @property
    def evicted(self) -> int:
        """How many entries had to leave for want of room."""
        return self._statistics().evictions - self._before.evictions

    def is_used_up(self) -> bool:
        """Return whether entries had to leave, or a bound is reached."""
        return self.evicted > 0 or not self._fits(0)

    @contextmanager
    def reserved(self, rows: int) -> Iterator[bool]:
        """Set aside room for an answer of at most so many rows; give whether there is as much."""
        most_bytes = rows * _ID_BYTES + _ENTRY_BYTES
        fits = self._fits(most_bytes)
        if fits:
            self._reserved_bytes += most_bytes
            self._reserved_entries += 1
        try:
            yield fits
        finally:
            if fits:
                self._reserved_bytes -= most_bytes
                self._reserved_entries -= 1

    def _fits(self, more_bytes: int) -> bool:
        statistics = self._statistics()
        used_bytes = statistics.memory_used_bytes + self._reserved_bytes + more_bytes
        used_entries = statistics.entries + self._reserved_entries
        return self._within("max_bytes", used_bytes) and self._within(
            "max_entries", used_entries + 1
        )

    def _within(self, bound: str, used: int) -> bool:
        most = getattr(self._cache, bound, None)
        return not isinstance(most, int | float) or used <= most * self._full_fraction

    def _statistics(self) -> CacheStatistics:
        try:
            statistics: object = self._cache.get_statistics()
        except Exception:  # noqa: BLE001 - whatever a foreign cache raises: it then tells nothing
            _log.warning("the cache %r does not tell its statistics", self._cache, exc_info=True)
            return CacheStatistics()
        return statistics if isinstance(statistics, CacheStatistics) else CacheStatistics()
