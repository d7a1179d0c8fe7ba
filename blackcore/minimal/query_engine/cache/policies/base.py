"""What every eviction policy is: a store of entries that keeps itself within its bounds."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from ..entries import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence
    from threading import RLock

    from ..entries import Terms

E = TypeVar("E", bound=Entry)


class EvictionPolicy(ABC, Generic[E]):
    """Entries by key, within a bound of bytes and, where given, one of entries.

    A new entry is let in only after room was made, so the bounds hold at every moment. All methods
    are called under the cache's lock, but `touch`.

    Attributes:
        entries: the entries by key; read without the lock, changed under it by the policy alone.
        used_bytes: the sum of the entries' weights.
        move_to_end: what `touch` comes to for plain keys; None where a use need not be noted.
        has_plain_keys: whether all keys ever held are exact texts, so that no comparison of keys
            runs Python code.
    """

    entries: dict[Hashable, E]
    move_to_end: Callable[[Hashable], None] | None = None
    has_plain_keys: bool = False

    def __init__(self, lock: RLock, max_bytes: int, max_entries: int | None) -> None:  # noqa: ARG002 - one signature for all; LRU takes the lock on a hit
        self.used_bytes = 0
        self._bound(max_bytes, max_entries)

    def _bound(self, max_bytes: int, max_entries: int | None) -> None:
        self.max_bytes = max_bytes
        self.max_entries = max_entries
        self._most_entries = sys.maxsize if max_entries is None else max_entries

    def touch(self, key: Hashable) -> None:
        """Note that an entry was used, if it is still there."""

    def held(self) -> list[tuple[Hashable, E]]:
        """Return all entries as they are, in no particular order."""
        # Not the OrderedDict's own items: hits that reorder it meanwhile would break them off.
        return list(dict.items(self.entries))

    def lacks_room(self, weight_bytes: int, new_entries: int = 1) -> bool:
        """Return whether an entry of this weight could only be let in for another."""
        return (
            self.used_bytes + weight_bytes > self.max_bytes
            or len(self.entries) + new_entries > self._most_entries
        )

    @abstractmethod
    def add(self, key: Hashable, value: object, terms: Terms) -> Sequence[tuple[Hashable, E]]:
        """Let in an entry whose key is not held and whose weight fits; return who had to go."""

    def replace(
        self, key: Hashable, old: E, value: object, terms: Terms
    ) -> Sequence[tuple[Hashable, E]]:
        """Put an entry in the place of the one that its key holds; return who had to go.

        The key is held throughout, so that a lookup without the lock never misses it.
        """
        growth = terms.weight_bytes - old.terms.weight_bytes
        if self.used_bytes + growth <= self.max_bytes:
            self.entries[key] = self._swap(key, old, value, terms)
            self.used_bytes += growth
            return ()
        self.used_bytes -= old.terms.weight_bytes
        self._step_out(key, old)
        victims = self._make_room(terms.weight_bytes, 0)
        self.entries[key] = self._rejoin(key, old, value, terms)
        self.used_bytes += terms.weight_bytes
        return victims

    def _swap(self, key: Hashable, old: E, value: object, terms: Terms) -> E:
        """Return the entry to put in the place of another of its key, for which there is room."""
        self._step_out(key, old)
        return self._rejoin(key, old, value, terms)

    def remove(self, key: Hashable) -> E | None:
        """Take out the entry of a key, for any reason but want of room; None: there is none."""
        entry = self.entries.get(key)
        if entry is None:
            return None
        self._step_out(key, entry)
        del self.entries[key]
        self.used_bytes -= entry.terms.weight_bytes
        return entry

    def resize(self, max_bytes: int, max_entries: int | None) -> Sequence[tuple[Hashable, E]]:
        """Change the bounds; return who had to go."""
        self._bound(max_bytes, max_entries)
        return self._make_room(0, 0)

    def clear(self) -> list[tuple[Hashable, E]]:
        """Take out everything, and forget what was learnt; return it."""
        gone = self.held()
        self.entries.clear()
        self._forget()
        self.used_bytes = 0
        return gone

    def put_right(self) -> None:
        """Bring the order and the sum into step with the entries, after something broke off."""
        held = self.held()
        self.used_bytes = sum(entry.terms.weight_bytes for _, entry in held)
        self._order_anew(held)

    @abstractmethod
    def _order_anew(self, held: Iterable[tuple[Hashable, E]]) -> None:
        """Make the order of these entries, near enough as it was."""

    @abstractmethod
    def next_in_line(self, limit: int) -> Iterable[Hashable]:
        """Return up to `limit` keys, near enough those that would go first; some may have left."""

    @abstractmethod
    def _make_room(self, weight_bytes: int, new_entries: int) -> list[tuple[Hashable, E]]:
        """Take out who is worth least, until so much more would fit; return them.

        Each policy has the whole loop to itself: to call for one victim at a time would cost as
        much as to find it.
        """

    @abstractmethod
    def _step_out(self, key: Hashable, entry: E) -> None:
        """Take a key out of the order, so that `_make_room` does not find it."""

    @abstractmethod
    def _rejoin(self, key: Hashable, old: E, value: object, terms: Terms) -> E:
        """Give a key that stepped out a place again; return the entry with its new value."""

    @abstractmethod
    def _forget(self) -> None:
        """Forget the order."""
