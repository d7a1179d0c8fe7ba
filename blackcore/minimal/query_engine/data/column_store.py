"""The columns of one database version: made on demand, dropped on demand."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeAlias

from .columns import Column, FieldTypes, cells_of, column_of
from .list_columns import ListColumn, list_column_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .columns import Row

AnyColumn: TypeAlias = Column | ListColumn


class ColumnStore:
    """Columns by the path of their field. Thread-safe: each is made by one thread at a time.

    A column in somebody's hands stays whole when it is dropped here.

    Args:
        rows: the records; they do not change.
        clock: tells nanoseconds.
    """

    def __init__(
        self, rows: Sequence[Row], clock: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        self._rows = rows
        self._clock = clock
        self._lock = threading.RLock()
        self._made: dict[str, AnyColumn | None] = {}
        self._types: dict[str, FieldTypes] = {}
        self._making_ns: dict[str, int] = {}

    def column(self, path: str) -> AnyColumn | None:
        """Return a field's column, made on first use; None where its values have no one type."""
        try:
            return self._made[path]
        except KeyError:
            with self._lock:
                if path in self._made:
                    return self._made[path]
                return self._make(path)

    def _make(self, path: str) -> AnyColumn | None:
        start = self._clock()
        cells, types = cells_of(self._rows, path)
        made = column_of(cells, types) or list_column_of(cells, types)
        self._types[path] = types
        self._making_ns[path] = self._clock() - start
        self._made[path] = made
        return made

    def field_types(self, path: str) -> FieldTypes:
        """Return which types a field's values have, over all rows."""
        known = self._types.get(path)
        if known is None:
            known = self._types[path] = cells_of(self._rows, path)[1]
        return known

    def drop(self, path: str) -> None:
        """Forget a column; the next use makes it anew."""
        with self._lock:
            if self._made.get(path) is not None:  # that a field has none stays known
                del self._made[path]

    def __contains__(self, path: str) -> bool:
        return path in self._made

    @property
    def made(self) -> dict[str, AnyColumn | None]:
        """The columns there are; None for a field whose values have no one type."""
        return dict(self._made)

    def making_ns(self, path: str) -> int:
        """Return what it took to make a column last, 0 for one never made."""
        return self._making_ns.get(path, 0)

    @property
    def size_bytes(self) -> int:
        """What the columns keep in memory."""
        return sum(column.size_bytes for column in self.made.values() if column is not None)
