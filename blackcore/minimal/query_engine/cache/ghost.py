"""What left for want of room, remembered without its value."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable


@dataclass(frozen=True, slots=True)
class GhostReading:
    """What the larger cache that pays best would have saved since the last reading.

    Attributes:
        returned: entries that left for want of room, were computed again, and would have been hits.
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

    An entry that is kept again would have been a hit, had the cache been larger by what has been
    evicted since, and by the entry itself: its distance, as in Mattson, Gecsei, Slutz and Traiger,
    "Evaluation techniques for storage hierarchies", 1970. Distances are told apart by steps. So a
    working set that wants several steps more is seen to, though a single one would save nothing.

    Not thread-safe.

    Args:
        max_bytes: remembered entries weighed so much together, at most.
        step_bytes: by which a cache grows.

    >>> ghost = Ghost(max_bytes=4 * 2**20, step_bytes=2**20)
    >>> for key in ("q1", "q2"):
    ...     ghost.evicted(key, 2**20)
    >>> ghost.kept("q1", cost_seconds=0.5), ghost.kept("q1", cost_seconds=0.5)
    (True, False)
    >>> ghost.read()
    GhostReading(returned=1, saved_seconds=0.5, larger_by_bytes=2097152)
    """

    def __init__(self, max_bytes: int, step_bytes: int) -> None:
        self.resize(max_bytes, step_bytes)
        self._weights: OrderedDict[Hashable, int] = OrderedDict()
        self._gone_before: dict[Hashable, int] = {}
        self._bytes = 0
        self._evicted_bytes = 0
        self._returned: dict[int, list[float]] = {}

    def __len__(self) -> int:
        return len(self._weights)

    def resize(self, max_bytes: int, step_bytes: int) -> None:
        """Change the bounds; what is remembered beyond them is forgotten with the next eviction."""
        self._max_bytes = max_bytes
        self._step_bytes = step_bytes

    def evicted(self, key: Hashable, weight_bytes: int) -> None:
        """Remember an entry that had to leave."""
        self.forget(key)
        self._gone_before[key] = self._evicted_bytes
        self._weights[key] = weight_bytes
        self._bytes += weight_bytes
        self._evicted_bytes += weight_bytes
        while self._bytes > self._max_bytes:
            self.forget(next(iter(self._weights)))

    def kept(self, key: Hashable, *, cost_seconds: float) -> bool:
        """Note that an entry was computed and kept; return whether it had been here before."""
        gone_before = self._gone_before.get(key)
        if gone_before is None:
            return False
        steps = -(-(self._evicted_bytes - gone_before) // self._step_bytes)
        noted = self._returned.setdefault(steps, [0, 0.0])
        noted[0] += 1
        noted[1] += cost_seconds
        self.forget(key)
        return True

    def forget(self, key: Hashable) -> None:
        """Forget an entry, as if it had not left."""
        if key in self._weights:
            self._bytes -= self._weights.pop(key)
            del self._gone_before[key]

    def read(self) -> GhostReading:
        """Return what was noted since the last reading."""
        best = GhostReading(0, 0.0, self._step_bytes)
        returned, saved_seconds = 0, 0.0
        for steps, (count, seconds) in sorted(self._returned.items()):
            returned += int(count)
            saved_seconds += seconds
            larger = GhostReading(returned, saved_seconds, steps * self._step_bytes)
            if larger.seconds_per_mb > best.seconds_per_mb:
                best = larger
        self._returned.clear()
        return best
