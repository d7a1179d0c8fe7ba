"""S3-FIFO: three queues, and hits that only raise a counter.

Source: Yang, Zhang, Qiu, Yue, Rashmi, "FIFO queues are all you need for cache eviction", SOSP 2023,
with the rule its authors' libCacheSim added later: until the first eviction, what finds the small
queue full goes to the main one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..entries import Entry
from .base import EvictionPolicy
from .fifo import FifoOfKeys

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from threading import RLock

    from ..entries import Terms

_SMALL_PARTS: Final = 10
"""The small queue is one part in so many of whichever bound binds."""
_HITS_TO_MAIN: Final = 2
_MAX_FREQUENCY: Final = 3
_IN_MAIN: Final = 1
_HASH_MASK: Final = (1 << 30) - 1
"""A ghost is 30 bits of its key's hash: the smallest int, and at a million ghosts one miss in a
thousand is taken for one of them, which only means that it starts in the main queue."""


class S3Entry(Entry):
    """An entry and its place.

    The lowest bit of `place` says whether it is in the main queue, the others how many of its hits
    no longer count.
    """

    __slots__ = ("place",)

    def __init__(self, value: object, terms: Terms) -> None:
        self.value = value
        self.terms = terms
        self.place = 0

    def frequency(self) -> int:
        """Return the hits since the entry was last looked at, at most three."""
        hits = self.terms.hits - (self.place >> 1)
        return hits if hits < _MAX_FREQUENCY else _MAX_FREQUENCY  # noqa: FURB136 - min() would cost a call

    def settle(self, frequency: int, queue_bit: int) -> None:
        """Note the queue the entry is in, and how many of its hits still count."""
        self.place = ((self.terms.hits - frequency) << 1) | queue_bit


class S3FifoPolicy(EvictionPolicy[S3Entry]):
    """A small queue for newcomers, a main queue for the proven, ghosts of the lately gone.

    A hit takes no lock: it is a dict lookup and a count. How often an entry was hit since it was
    last looked at, the algorithm's two-bit counter, is its count less what it was then. There are
    nine ghosts to ten entries held.
    """

    def __init__(self, lock: RLock, max_bytes: int, max_entries: int | None) -> None:
        super().__init__(lock, max_bytes, max_entries)
        self.entries = {}
        self._forget()

    def _forget(self) -> None:
        self._small = FifoOfKeys()
        self._main = FifoOfKeys()
        self._small_bytes = 0
        self._small_entries = 0
        self._ghosts = FifoOfKeys()
        self._ghost_hashes: set[int] = set()
        self._has_evicted = False

    def next_in_line(self, limit: int) -> Iterable[Hashable]:
        """Return the oldest keys of both queues."""
        return self._small.oldest(limit // 2) + self._main.oldest(limit // 2)

    def add(self, key: Hashable, value: object, terms: Terms) -> list[tuple[Hashable, S3Entry]]:
        """Let in an entry; return who had to go."""
        # Asked before room is made, which makes ghosts and lays old ones to rest.
        ghost = hash(key) & _HASH_MASK
        returns = ghost in self._ghost_hashes
        if returns:
            self._ghost_hashes.remove(ghost)
            self._ghosts.leave(ghost)
        weight_bytes = terms.weight_bytes
        victims = self._make_room(weight_bytes, 1)
        entry = S3Entry(value, terms)
        if returns or (not self._has_evicted and self._small_is_full()):
            entry.settle(0, _IN_MAIN)
            self._main.append(key)
        else:
            self._small.append(key)
            self._small_entries += 1
            self._small_bytes += weight_bytes
        self.entries[key] = entry
        self.used_bytes += weight_bytes
        return victims

    def _step_out(self, key: Hashable, entry: S3Entry) -> None:
        if entry.place & _IN_MAIN:
            self._main.leave(key)
        else:
            self._small.leave(key)
            self._small_entries -= 1
            self._small_bytes -= entry.terms.weight_bytes

    def _swap(self, key: Hashable, old: S3Entry, value: object, terms: Terms) -> S3Entry:  # noqa: ARG002 - it stays where it is
        entry = S3Entry(value, terms)
        queue_bit = old.place & _IN_MAIN
        entry.settle(old.frequency(), queue_bit)
        if not queue_bit:
            self._small_bytes += terms.weight_bytes - old.terms.weight_bytes
        return entry

    def _rejoin(self, key: Hashable, old: S3Entry, value: object, terms: Terms) -> S3Entry:
        entry = S3Entry(value, terms)
        queue_bit = old.place & _IN_MAIN
        entry.settle(old.frequency(), queue_bit)
        if queue_bit:
            self._main.append(key)
        else:
            self._small.append(key)
            self._small_entries += 1
            self._small_bytes += terms.weight_bytes
        return entry

    def _evict(self) -> tuple[Hashable, S3Entry]:
        self._has_evicted = True
        entries = self.entries
        while True:
            small_entries = self._small_entries
            if (
                small_entries
                and len(entries) - small_entries <= self._most_main_entries
                and self.used_bytes - self._small_bytes <= self._most_main_bytes
            ):
                key = self._small.popleft()
                entry = entries[key]
                self._small_entries -= 1
                self._small_bytes -= entry.terms.weight_bytes
                if entry.terms.hits - (entry.place >> 1) >= _HITS_TO_MAIN:
                    entry.settle(0, _IN_MAIN)
                    self._main.append(key)
                    continue
                self._remember(hash(key) & _HASH_MASK)
            else:
                key = self._main.popleft()
                entry = entries[key]
                if frequency := entry.frequency():
                    entry.settle(frequency - 1, _IN_MAIN)
                    self._main.append(key)
                    continue
            del entries[key]
            return key, entry

    def _remember(self, ghost: int) -> None:
        hashes = self._ghost_hashes
        if ghost in hashes:  # two keys with one hash
            return
        room = len(self.entries) * (_SMALL_PARTS - 1) // _SMALL_PARTS
        while hashes and len(hashes) >= room:
            hashes.remove(self._ghosts.popleft())  # type: ignore[arg-type]  # only ints are put in
        self._ghosts.append(ghost)
        hashes.add(ghost)

    def _bound(self, max_bytes: int, max_entries: int | None) -> None:
        super()._bound(max_bytes, max_entries)
        self._full_small_bytes = max_bytes // _SMALL_PARTS
        self._full_small_entries = max(1, self._most_entries // _SMALL_PARTS)
        self._most_main_bytes = max_bytes - self._full_small_bytes
        self._most_main_entries = max(0, self._most_entries - self._full_small_entries)

    def _small_is_full(self) -> bool:
        return (
            self._small_bytes >= self._full_small_bytes
            or self._small_entries >= self._full_small_entries
        )
