"""GDSF: what is asked often, was dear to compute and weighs little stays.

Source: Cherkasova, "Improving WWW proxies performance with Greedy-Dual-Size-Frequency caching
policy", HP Laboratories 1998.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush, heapreplace
from itertools import count
from typing import TYPE_CHECKING, Final

from ..entries import Entry
from .base import EvictionPolicy

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from threading import RLock

    from ..entries import Terms

_LEFTOVERS_NOT_WORTH_CLEARING: Final = 16
_MOST_USES: Final = 16
"""More uses count as so many: what was asked for a thousand times long ago makes way in time."""


class GdsfEntry(Entry):
    """An entry, how often its key was used before it came, and its frequency when last weighed up.

    A frequency of 0 marks what the heap still holds of an entry that left.
    """

    __slots__ = ("earlier_uses", "weighed_frequency")

    def __init__(self, value: object, terms: Terms, earlier_uses: int) -> None:
        self.value = value
        self.terms = terms
        self.earlier_uses = earlier_uses
        self.weighed_frequency = 1 + earlier_uses

    def frequency(self) -> int:
        """Return the uses of the key: the coming of its entries, and their hits."""
        return 1 + self.earlier_uses + self.terms.hits


_Item = tuple[float, int, "Hashable", GdsfEntry]


class GdsfPolicy(EvictionPolicy[GdsfEntry]):
    """Priority = floor + frequency x cost / weight; the least goes, and becomes the floor.

    The cost is the seconds a value took to compute; a value whose cost nobody said counts as the
    average one. A hit takes no lock and does not touch the heap: an entry's priority is worked out
    anew when it comes up to leave, with the floor of that moment rather than of its last hit, which
    is a little kinder to what was hit.
    """

    def __init__(self, lock: RLock, max_bytes: int, max_entries: int | None) -> None:
        super().__init__(lock, max_bytes, max_entries)
        self.entries = {}
        self._serial = count()
        self._forget()

    def _forget(self) -> None:
        self._heap: list[_Item] = []
        self._floor = 0.0
        self._known_costs = 0
        self._cost_seconds = 0.0
        self._average_cost_seconds = 1.0

    def next_in_line(self, limit: int) -> Iterable[Hashable]:
        """Return the keys at the top of the heap."""
        return [key for _, _, key, _ in self._heap[:limit]]

    def add(self, key: Hashable, value: object, terms: Terms) -> list[tuple[Hashable, GdsfEntry]]:
        """Let in an entry; return who had to go."""
        victims = self._make_room(terms.weight_bytes, 1)
        self.entries[key] = self._enter(key, GdsfEntry(value, terms, 0))
        self.used_bytes += terms.weight_bytes
        return victims

    def _step_out(self, key: Hashable, entry: GdsfEntry) -> None:  # noqa: ARG002 - the entry says it all
        entry.weighed_frequency = 0
        if len(self._heap) > 2 * len(self.entries) + _LEFTOVERS_NOT_WORTH_CLEARING:
            self._heap = [item for item in self._heap if item[3].weighed_frequency]
            heapify(self._heap)

    def _rejoin(self, key: Hashable, old: GdsfEntry, value: object, terms: Terms) -> GdsfEntry:
        return self._enter(key, GdsfEntry(value, terms, old.frequency()))

    def _enter(self, key: Hashable, entry: GdsfEntry) -> GdsfEntry:
        cost_seconds = entry.terms.cost_seconds
        if cost_seconds:
            self._known_costs += 1
            self._cost_seconds += cost_seconds
            self._average_cost_seconds = self._cost_seconds / self._known_costs
        heappush(self._heap, self._item(key, entry))
        return entry

    def _item(self, key: Hashable, entry: GdsfEntry) -> _Item:
        terms = entry.terms
        cost_seconds = terms.cost_seconds or self._average_cost_seconds
        gain = min(entry.weighed_frequency, _MOST_USES) * cost_seconds / (terms.weight_bytes or 1)
        return self._floor + gain, next(self._serial), key, entry

    def _evict(self) -> tuple[Hashable, GdsfEntry]:
        while True:
            priority, _, key, entry = self._heap[0]
            if not entry.weighed_frequency:
                heappop(self._heap)
                continue
            frequency = entry.frequency()
            if frequency > entry.weighed_frequency:
                entry.weighed_frequency = frequency
                heapreplace(self._heap, self._item(key, entry))
                continue
            heappop(self._heap)
            self._floor = priority
            return key, self.entries.pop(key)
