"""S3-FIFO: three queues, and hits that only raise a counter.

Source: Yang, Zhang, Qiu, Yue, Rashmi, "FIFO queues are all you need for cache eviction", SOSP 2023,
with the rule its authors' libCacheSim added later: until the first eviction, what finds the small
queue full goes to the main one.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from ..entries import Entry
from .base import EvictionPolicy
from .fifo import FifoOfKeys

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence
    from threading import RLock

    from ..entries import Terms

_SMALL_PARTS: Final = 10
"""The small queue is one part in so many of whichever bound binds."""
_HITS_TO_MAIN: Final = 2
_MAX_FREQUENCY: Final = 3
_IN_MAIN: Final = 1
_new: Final = object.__new__


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
        self._small: FifoOfKeys[Hashable] = FifoOfKeys()
        self._main: FifoOfKeys[Hashable] = FifoOfKeys()
        self._small_bytes = 0
        self._small_entries = 0
        # Hashes of keys, the latest last.
        self._ghosts: dict[int, None] = {}
        self._has_evicted = False

    def _order_anew(self, held: Iterable[tuple[Hashable, S3Entry]]) -> None:
        ghosts, has_evicted = self._ghosts, self._has_evicted
        self._forget()
        self._ghosts, self._has_evicted = ghosts, has_evicted
        for key, entry in held:
            self._line_up(key, entry)

    def _line_up(self, key: Hashable, entry: S3Entry) -> None:
        """Put a key in the queue that its entry names."""
        if entry.place & _IN_MAIN:
            self._main.append(key)
        else:
            self._small.append(key)
            self._small_entries += 1
            self._small_bytes += entry.terms.weight_bytes

    def next_in_line(self, limit: int) -> Iterable[Hashable]:
        """Return the oldest keys of both queues."""
        return self._small.oldest(limit // 2) + self._main.oldest(limit // 2)

    def add(self, key: Hashable, value: object, terms: Terms) -> Sequence[tuple[Hashable, S3Entry]]:
        """Let in an entry; return who had to go."""
        # Asked before room is made, which makes ghosts and lays old ones to rest.
        ghost = hash(key)
        returns = ghost in self._ghosts
        if returns:
            del self._ghosts[ghost]
        weight_bytes = terms.weight_bytes
        entries = self.entries
        victims: Sequence[tuple[Hashable, S3Entry]] = ()
        if self.used_bytes + weight_bytes > self.max_bytes or len(entries) >= self._most_entries:
            victims = self._make_room(weight_bytes, 1)
        entry = _new(S3Entry)  # S3Entry(value, terms), without the call of its __init__
        entry.value = value
        entry.terms = terms
        if returns or (not self._has_evicted and self._small_is_full()):
            entry.place = _IN_MAIN
            self._main.append(key)
        else:
            entry.place = 0
            self._small.append(key)
            self._small_entries += 1
            self._small_bytes += weight_bytes
        entries[key] = entry
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
        entry.settle(old.frequency(), old.place & _IN_MAIN)
        self._line_up(key, entry)
        return entry

    def _make_room(self, weight_bytes: int, new_entries: int) -> list[tuple[Hashable, S3Entry]]:
        entries, small, main, ghosts = self.entries, self._small, self._main, self._ghosts
        used_bytes = self.used_bytes
        most_bytes = self.max_bytes - weight_bytes
        most_entries = self._most_entries - new_entries
        victims: list[tuple[Hashable, S3Entry]] = []
        while used_bytes > most_bytes or len(entries) > most_entries:
            small_entries = self._small_entries
            if (
                small_entries
                and len(entries) - small_entries <= self._most_main_entries
                and used_bytes - self._small_bytes <= self._most_main_bytes
            ):
                key = small.popleft() if small.number_of_holes else small.keys.popleft()
                entry = entries[key]
                terms = entry.terms
                self._small_entries = small_entries - 1
                self._small_bytes -= terms.weight_bytes
                if terms.hits - (entry.place >> 1) >= _HITS_TO_MAIN:
                    entry.settle(0, _IN_MAIN)
                    main.append(key)
                    continue
                ghosts[hash(key)] = None
            else:
                key = main.popleft() if main.number_of_holes else main.keys.popleft()
                entry = entries[key]
                if frequency := entry.frequency():
                    entry.settle(frequency - 1, _IN_MAIN)
                    main.append(key)
                    continue
            del entries[key]
            used_bytes -= entry.terms.weight_bytes
            victims.append((key, entry))
        self.used_bytes = used_bytes
        if victims:
            self._has_evicted = True
            if len(ghosts) > len(entries):
                self._lay_ghosts_to_rest()
        return victims

    def _lay_ghosts_to_rest(self) -> None:
        """Forget the oldest ghosts, but for nine to ten entries."""
        ghosts = self._ghosts
        most = len(self.entries) * (_SMALL_PARTS - 1) // _SMALL_PARTS
        for ghost in list(islice(ghosts, len(ghosts) - most)):
            del ghosts[ghost]

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
