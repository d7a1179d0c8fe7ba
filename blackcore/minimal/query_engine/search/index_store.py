"""What is built from lists of records, kept until it is forgotten or pushed out."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock, RLock
from typing import TYPE_CHECKING, Generic, TypeVar

from ..errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from .base import Records

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Kept(Generic[T]):
    records: Records  # held, so that no other list can come to bear its id()
    rows: int
    built: dict[Hashable, T] = field(default_factory=dict)
    # re-entrant: a progress callback may ask for what is already there
    lock: RLock = field(default_factory=RLock)


class IndexStore(Generic[T]):
    """Keeps one or more built values per list of records, the least recently used list goes first.

    A list is known by identity: another list with equal records is another database version. A
    list whose length changed is built anew; other changes in place go unnoticed, `forget` it.
    Thread-safe: threads that ask for the same value wait for the one that builds it; different
    lists are built side by side.
    """

    def __init__(self, max_lists: int) -> None:
        if type(max_lists) is not int or max_lists < 1:
            raise SettingsError(f"max_indexes is {max_lists!r}; it is a whole number from 1")
        self._max_lists = max_lists
        self._kept: OrderedDict[int, _Kept[T]] = OrderedDict()
        self._lock = Lock()

    def get(self, records: Records, variant: Hashable, build: Callable[[], T]) -> T:
        """Return the value kept for these records and this variant, else what `build` returns."""
        kept = self._kept_for(records)
        with kept.lock:
            if variant not in kept.built:
                kept.built[variant] = build()
            return kept.built[variant]

    def _kept_for(self, records: Records) -> _Kept[T]:
        with self._lock:
            kept = self._kept.get(id(records))
            if kept is None or kept.rows != len(records):
                kept = self._kept[id(records)] = _Kept(records, len(records))
            self._kept.move_to_end(id(records))
            while len(self._kept) > self._max_lists:
                self._kept.popitem(last=False)
            return kept

    def forget(self, records: Records) -> bool:
        """Drop all that was built from this list; return whether there was anything."""
        with self._lock:
            return self._kept.pop(id(records), None) is not None

    def __len__(self) -> int:
        return len(self._kept)
