"""What left for want of room, remembered without its value."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable


@dataclass(frozen=True, slots=True)
class GhostReading:
    """What a larger cache would have saved since the last reading.

    Attributes:
        returned: entries that left for want of room and were computed again.
        saved_seconds: what computing them again took.
        larger_by_bytes: by how much the cache would have to be larger for that.
    """

    returned: int
    saved_seconds: float
    larger_by_bytes: int

    @property
    def seconds_per_mb(self) -> float:
        """Seconds of computing that each mebibyte of the larger cache would have saved."""
        return self.saved_seconds / (self.larger_by_bytes / 2**20)


class Ghost:
    """Keys and weights of the entries evicted last, together at most so many bytes.

    An entry that is kept again while its ghost is there would have been a hit, had the cache been
    larger by the ghost's bound. Not thread-safe.

    >>> ghost = Ghost(max_bytes=2**21)
    >>> ghost.evicted("q1", 2**20)
    >>> ghost.kept("q1", cost_seconds=0.5), ghost.kept("q1", cost_seconds=0.5)
    (True, False)
    >>> ghost.read().seconds_per_mb
    0.25
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._weights: OrderedDict[Hashable, int] = OrderedDict()
        self._bytes = 0
        self._returned = 0
        self._saved_seconds = 0.0

    def __len__(self) -> int:
        return len(self._weights)

    def evicted(self, key: Hashable, weight_bytes: int) -> None:
        """Remember an entry that had to leave."""
        self._bytes += weight_bytes - self._weights.pop(key, 0)
        self._weights[key] = weight_bytes
        while self._bytes > self.max_bytes:
            self._bytes -= self._weights.popitem(last=False)[1]

    def kept(self, key: Hashable, *, cost_seconds: float) -> bool:
        """Note that an entry was kept; return whether it had been here before."""
        weight_bytes = self._weights.pop(key, None)
        if weight_bytes is None:
            return False
        self._bytes -= weight_bytes
        self._returned += 1
        self._saved_seconds += cost_seconds
        return True

    def read(self) -> GhostReading:
        """Return what was noted since the last reading."""
        reading = GhostReading(self._returned, self._saved_seconds, self.max_bytes)
        self._returned, self._saved_seconds = 0, 0.0
        return reading
