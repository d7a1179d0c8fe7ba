"""Exact LRU: whoever was not asked for the longest goes first."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from ..entries import Entry
from .base import EvictionPolicy

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence
    from threading import RLock

    from ..entries import Terms

_new: Final = object.__new__


class LruPolicy(EvictionPolicy[Entry]):
    """An OrderedDict in order of last use.

    A hit changes the order, in one call of C. While all keys are plain texts nothing in that call
    can run Python code, so no other thread can come between, and a hit needs no lock. From the
    first other key on, hits take it: its `__eq__` might let another thread change the dict halfway.
    """

    has_plain_keys = True

    def __init__(self, lock: RLock, max_bytes: int, max_entries: int | None) -> None:
        super().__init__(lock, max_bytes, max_entries)
        self._lock = lock
        self._order: OrderedDict[Hashable, Entry] = OrderedDict()
        self.entries = self._order
        self.move_to_end = self._order.move_to_end

    def touch(self, key: Hashable) -> None:
        """Put a key last in line, if it is still there."""
        if self.has_plain_keys and type(key) is str:
            with suppress(KeyError):  # it left this moment
                self._order.move_to_end(key)
            return
        with self._lock:
            if key in self._order:
                self._order.move_to_end(key)

    def next_in_line(self, limit: int) -> Iterable[Hashable]:
        """Return the keys not asked for the longest."""
        try:
            return list(islice(self._order, limit))
        except RuntimeError:  # a hit changed the order meanwhile
            return list(islice(dict.keys(self._order), limit))

    def add(self, key: Hashable, value: object, terms: Terms) -> Sequence[tuple[Hashable, Entry]]:
        """Let in an entry; return who had to go."""
        if type(key) is not str:
            self.has_plain_keys = False
        weight_bytes = terms.weight_bytes
        order = self._order
        victims: Sequence[tuple[Hashable, Entry]] = ()
        if self.used_bytes + weight_bytes > self.max_bytes or len(order) >= self._most_entries:
            victims = self._make_room(weight_bytes, 1)
        entry = _new(Entry)  # Entry(value, terms), without the call of its __init__
        entry.value = value
        entry.terms = terms
        order[key] = entry
        self.used_bytes += weight_bytes
        return victims

    def _make_room(self, weight_bytes: int, new_entries: int) -> list[tuple[Hashable, Entry]]:
        order = self._order
        most_bytes = self.max_bytes - weight_bytes
        most_entries = self._most_entries - new_entries
        used_bytes = self.used_bytes
        victims = []
        while used_bytes > most_bytes or len(order) > most_entries:
            victim = order.popitem(last=False)
            used_bytes -= victim[1].terms.weight_bytes
            victims.append(victim)
        self.used_bytes = used_bytes
        return victims

    def _step_out(self, key: Hashable, entry: Entry) -> None:  # noqa: ARG002 - the key says it all
        # Last in line: everybody else goes before, and then there is room.
        self._order.move_to_end(key)

    def _rejoin(self, key: Hashable, old: Entry, value: object, terms: Terms) -> Entry:  # noqa: ARG002 - last already
        return Entry(value, terms)

    def _order_anew(self, held: Iterable[tuple[Hashable, Entry]]) -> None:
        """Do nothing: the entries are the order."""

    def _forget(self) -> None:
        self.has_plain_keys = True
