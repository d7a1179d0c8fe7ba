"""A bound on the memory of columns: the least useful ones go first.

How useful a column is: how often it was used, lately above all, times what it takes to make again,
by byte. That is GreedyDual-Size-Frequency (Cherkasova, 1998), with the ageing by half-life.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from .column_store import AnyColumn, ColumnStore

HALF_LIFE_USES = 256
"""After so many uses of any columns, an earlier use counts half."""


@dataclass(slots=True)
class _Use:
    """How often a column was used, aged to the `last` time; its size when it was there last."""

    count: float = 0.0
    last: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ColumnMemory:
    """What columns keep in memory, what they may, and how many were dropped for that."""

    used_bytes: int = 0
    max_bytes: int = 0
    dropped: int = 0

    def __str__(self) -> str:
        """Return it in a line."""
        bound = f"columns: {self.used_bytes / 1e6:,.1f} MB of at most {self.max_bytes / 1e6:,.1f}"
        return f"{bound}, {self.dropped:,} dropped"


class ColumnBudget:
    """Hands out the columns of any number of databases, and keeps them within a bound.

    Between two questions the bound holds; while one is answered its own columns are there too.
    Thread-safe.

    Args:
        max_bytes: of all columns together.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.dropped = 0
        self._lock = threading.Lock()
        self._uses: WeakKeyDictionary[ColumnStore, dict[str, _Use]] = WeakKeyDictionary()
        self._now = 0

    def column(self, store: ColumnStore, path: str) -> AnyColumn | None:
        """Return a field's column; None where it has none, or none that is worth its room.

        A column that had to go comes back once it is used more than those that would go for it.
        """
        with self._lock:
            known = self._used(store, path)
            if known.size_bytes and path not in store and not self._is_worth_it(store, path, known):
                return None
        return store.column(path)

    def _used(self, store: ColumnStore, path: str) -> _Use:
        uses = self._uses.setdefault(store, {})
        known = uses.get(path)
        if known is None:
            known = uses[path] = _Use()
        self._now += 1
        known.count = self._aged(known) + 1
        known.last = self._now
        return known

    def _aged(self, known: _Use) -> float:
        return known.count * math.pow(0.5, ((self._now - known.last) / HALF_LIFE_USES))

    def _is_worth_it(self, store: ColumnStore, path: str, known: _Use) -> bool:
        """Return whether what would have to go for a column that was dropped is worth less."""
        missing = self._used_bytes() + known.size_bytes - self.max_bytes
        worth = self._worth(store, path, known)
        for each_worth, _, _, size_bytes in self._by_worth():
            if missing <= 0 or each_worth >= worth:
                break
            missing -= size_bytes
        return missing <= 0

    def _worth(self, store: ColumnStore, path: str, known: _Use) -> float:
        return self._aged(known) * store.making_ns(path) / max(1, known.size_bytes)

    def _by_worth(self) -> list[tuple[float, ColumnStore, str, int]]:
        """Return the columns there are, the least useful first, with their bytes."""
        ranked = []
        for store, uses in self._uses.items():
            for path, column in store.made.items():
                if column is not None:
                    known = uses.setdefault(path, _Use())
                    known.size_bytes = column.size_bytes
                    worth = self._worth(store, path, known)
                    ranked.append((worth, store, path, known.size_bytes))
        return sorted(ranked, key=lambda each: each[0])

    def _used_bytes(self) -> int:
        return sum(store.size_bytes for store in self._uses)

    def keep(self) -> None:
        """Drop the least useful columns until all are within the bound."""
        with self._lock:
            excess = self._used_bytes() - self.max_bytes
            if excess <= 0:
                return
            for _, store, path, size_bytes in self._by_worth():
                store.drop(path)
                self.dropped += 1
                excess -= size_bytes
                if excess <= 0:
                    return

    def memory(self) -> ColumnMemory:
        """Return what the columns take now."""
        with self._lock:
            return ColumnMemory(self._used_bytes(), self.max_bytes, self.dropped)
