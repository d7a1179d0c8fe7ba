"""GDSF: what is asked often, was dear to compute and weighs little stays.

Source: Cherkasova, "Improving WWW proxies performance with Greedy-Dual-Size-Frequency caching
policy", HP Laboratories 1998. Her priority queue is one queue for each class of gain here: the
floor never falls, so entries of one gain come in the order of their priorities, and only the heads
of the queues have to be compared.
"""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace
from itertools import chain, islice
from math import log2
from typing import TYPE_CHECKING, Final

from ..entries import Entry
from .base import EvictionPolicy
from .fifo import FifoOfKeys

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence
    from threading import RLock

    from ..entries import Terms

_MOST_USES: Final = 16
"""More uses count as so many: what was asked for a thousand times long ago makes way in time."""
_OCTAVES_A_CLASS: Final = 1 / 8
"""Gains within 9 percent of each other are taken for one: the hit ratios do not notice."""
_LEAST_GAIN: Final = 1e-200
_MOST_GAIN: Final = 1e200
"""Gains beyond these count as these, so that no sum of them is infinite."""


class GainClass:
    """The keys of one gain, and how much that is."""

    __slots__ = ("gain", "keys")

    def __init__(self, gain: float) -> None:
        self.gain = gain
        self.keys: FifoOfKeys[Hashable] = FifoOfKeys()


class GdsfEntry(Entry):
    """An entry and its place.

    Attributes:
        earlier_uses: how often its key was used before it came.
        weighed_frequency: its frequency when its priority was last worked out.
        gain_class: the one whose queue it is in.
        priority: the floor of then, and the gain of its class.
    """

    __slots__ = ("earlier_uses", "gain_class", "priority", "weighed_frequency")

    gain_class: GainClass
    priority: float

    def __init__(self, value: object, terms: Terms, earlier_uses: int) -> None:
        self.value = value
        self.terms = terms
        self.earlier_uses = earlier_uses
        self.weighed_frequency = 1 + earlier_uses

    def frequency(self) -> int:
        """Return the uses of the key: the coming of its entries, and their hits."""
        return 1 + self.earlier_uses + self.terms.hits


class GdsfPolicy(EvictionPolicy[GdsfEntry]):
    """Priority = floor + frequency x cost / weight; the least goes, and becomes the floor.

    The cost is the seconds a value took to compute; a value whose cost nobody said counts as the
    average one. A hit takes no lock and touches no queue: an entry's priority is worked out anew
    when it comes up to leave, with the floor of that moment rather than of its last hit, which is a
    little kinder to what was hit.
    """

    def __init__(self, lock: RLock, max_bytes: int, max_entries: int | None) -> None:
        super().__init__(lock, max_bytes, max_entries)
        self.entries = {}
        self._forget()

    def _forget(self) -> None:
        self._classes: dict[float, GainClass] = {}
        # One for each class, its priority at most that of the class's oldest key.
        self._heads: list[tuple[float, float]] = []
        self._floor = 0.0
        self._known_costs = 0
        self._cost_seconds = 0.0
        self._average_cost_seconds = 1.0
        # The gain asked for last, 0.0 for none, and its class: many in a row gain the same.
        self._gain = 0.0
        self._gain_class = GainClass(0.0)

    def _order_anew(self, held: Iterable[tuple[Hashable, GdsfEntry]]) -> None:
        self._classes, self._heads, self._gain = {}, [], 0.0
        for key, entry in held:
            self._queue(key, entry)

    def next_in_line(self, limit: int) -> Iterable[Hashable]:
        """Return the oldest keys of the classes whose oldest key has the least priority."""
        queues = (self._classes[gain_class].keys for _, gain_class in sorted(self._heads))
        return list(islice(chain.from_iterable(each.oldest(limit) for each in queues), limit))

    def add(
        self, key: Hashable, value: object, terms: Terms
    ) -> Sequence[tuple[Hashable, GdsfEntry]]:
        """Let in an entry; return who had to go."""
        weight_bytes = terms.weight_bytes
        victims: Sequence[tuple[Hashable, GdsfEntry]] = ()
        if (
            self.used_bytes + weight_bytes > self.max_bytes
            or len(self.entries) >= self._most_entries
        ):
            victims = self._make_room(weight_bytes, 1)
        entry = _new(GdsfEntry)  # GdsfEntry(value, terms, 0), without the call of its __init__
        entry.value = value
        entry.terms = terms
        entry.earlier_uses = 0
        entry.weighed_frequency = 1
        if terms.cost_seconds:
            self._learn_cost(terms.cost_seconds)
        self._queue(key, entry)
        self.entries[key] = entry
        self.used_bytes += weight_bytes
        return victims

    def _step_out(self, key: Hashable, entry: GdsfEntry) -> None:
        entry.gain_class.keys.leave(key)

    def _rejoin(self, key: Hashable, old: GdsfEntry, value: object, terms: Terms) -> GdsfEntry:
        entry = GdsfEntry(value, terms, old.frequency())
        if terms.cost_seconds:
            self._learn_cost(terms.cost_seconds)
        self._queue(key, entry)
        return entry

    def _learn_cost(self, cost_seconds: float) -> None:
        self._known_costs += 1
        self._cost_seconds += cost_seconds
        self._average_cost_seconds = self._cost_seconds / self._known_costs

    def _queue(self, key: Hashable, entry: GdsfEntry) -> None:
        terms = entry.terms
        uses = entry.weighed_frequency
        gain = (
            (uses if uses < _MOST_USES else _MOST_USES)  # noqa: FURB136 - min() would cost a call
            * (terms.cost_seconds or self._average_cost_seconds)
            / (terms.weight_bytes or 1)
        )
        if gain != self._gain:
            self._turn_to(gain)
        entry.gain_class = gain_class = self._gain_class
        entry.priority = self._floor + gain_class.gain
        gain_class.keys.append(key)

    def _turn_to(self, gain: float) -> None:
        self._gain = gain
        if not _LEAST_GAIN < gain < _MOST_GAIN:
            gain = _LEAST_GAIN if gain <= _LEAST_GAIN else _MOST_GAIN
        number = log2(gain) // _OCTAVES_A_CLASS
        gain_class = self._classes.get(number)
        if gain_class is None:
            gain_class = self._classes[number] = GainClass(2.0 ** (number * _OCTAVES_A_CLASS))
            heappush(self._heads, (self._floor + gain_class.gain, number))
        self._gain_class = gain_class

    def _make_room(self, weight_bytes: int, new_entries: int) -> list[tuple[Hashable, GdsfEntry]]:
        entries, heads, classes = self.entries, self._heads, self._classes
        most_bytes = self.max_bytes - weight_bytes
        most_entries = self._most_entries - new_entries
        victims: list[tuple[Hashable, GdsfEntry]] = []
        while self.used_bytes > most_bytes or len(entries) > most_entries:
            priority, number = heads[0]
            queue = classes[number].keys
            if queue.number_of_holes == len(queue.keys):  # it is empty
                heappop(heads)
                del classes[number]
                self._gain = 0.0
                continue
            key = queue.first() if queue.number_of_holes else queue.keys[0]
            entry = entries[key]
            if entry.priority > priority:
                heapreplace(heads, (entry.priority, number))
                continue
            queue.keys.popleft()
            frequency = 1 + entry.earlier_uses + entry.terms.hits  # `frequency()`, without the call
            if frequency > entry.weighed_frequency:
                entry.weighed_frequency = frequency
                self._queue(key, entry)
                continue
            self._floor = priority
            del entries[key]
            self.used_bytes -= entry.terms.weight_bytes
            victims.append((key, entry))
        return victims


_new: Final = object.__new__
