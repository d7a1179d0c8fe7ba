"""One version of a database: its rows as the loader gave them, and what is derived from them."""

from __future__ import annotations

import threading
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, TypeVar, cast

from ..errors import UnknownFieldError
from ..query.values import walk
from .column_store import ColumnStore
from .columns import Column, FieldTypes, cells_of
from .list_columns import ListColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

_ROWS_SEARCHED_FOR_NAMES = 10_000
_KEPT_CELLS_ROWS = 20_000  # 160 KB a field at most


class Records:
    """The rows of one database version, with columns and whatever else is derived from them.

    Rows are shared with the loader and never changed. Everything derived is made once, on first
    use, and goes with the version. Thread-safe.

    `row_passes` counts how often a field was looked up in the rows for want of a column;
    `column_store` makes, keeps and drops the columns.

    Args:
        name: of the database.
        rows: its records.
        version: a text that differs between any two versions of the database.

    Attributes:
        is_superseded: whether others, or none, have taken its place; set before anybody is told.
        loaded_rows: how many rows there were; `rows` is the loader's, who may have added to it.
    """

    def __init__(self, name: str, rows: list[dict[str, object]], version: str = "") -> None:
        self.name = name
        self.rows = rows
        self.loaded_rows = len(rows)
        self.version = version
        self.is_superseded = False
        self._lock = threading.RLock()
        self._known_fields: set[str] = set()
        self.column_store = ColumnStore(rows)
        self._derived: dict[object, object] = {}
        self.row_passes: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Records({self.name!r}, {len(self.rows):,} rows, version {self.version!r})"

    def knows_fields(self, paths: Sequence[str]) -> bool:
        """Return whether all paths were found already: `require_fields` would not look for them."""
        return self._known_fields.issuperset(paths) or not self.rows

    def require_fields(self, paths: Sequence[str]) -> None:
        """Raise unless every path reaches something in some record.

        A database without records knows every field.

        Raises:
            UnknownFieldError: names the field and the nearest that there is.
        """
        if self.knows_fields(paths):
            return
        for path in paths:
            if path not in self._known_fields:
                if not any(walk(row, path)[0] for row in self.rows):
                    raise UnknownFieldError(path, self.name, self.field_names())
                self._known_fields.add(path)

    def field_names(self) -> list[str]:
        """Return the paths found in the first thousands of records, in order of appearance."""
        names: dict[str, None] = {}
        for row in islice(self.rows, _ROWS_SEARCHED_FOR_NAMES):
            _collect_paths(row, "", names)
        return list(names)

    def field_types(self, path: str) -> FieldTypes:
        """Return which types a field's values have, over all rows."""
        return self.column_store.field_types(path)

    @property
    def keeps_cells(self) -> bool:
        """Whether the values of a field are kept once they were looked up in the rows."""
        return len(self.rows) <= _KEPT_CELLS_ROWS

    def cells(self, path: str, ids: Sequence[int] | None = None) -> tuple[list[object], FieldTypes]:
        """Return one value per row in question (all rows for None) for a path, and their types.

        The types are those of all rows in a small database, whose cells are kept, and those of the
        rows in question in others.
        """
        if not self.keeps_cells:
            rows = self.rows if ids is None else [self.rows[i] for i in ids]
            return cells_of(rows, path)
        cells, types = self.derived(("cells", path), lambda: cells_of(self.rows, path))
        return (cells if ids is None else [cells[i] for i in ids]), types

    def column(self, path: str) -> Column | None:
        """Return a field's column, made on first use; None where its values have no one type."""
        found = self.column_store.column(path)
        return None if isinstance(found, ListColumn) else found

    @property
    def columns(self) -> dict[str, Column | None]:
        """The columns there are; None for a field whose values have no one type."""
        made = self.column_store.made.items()
        return {path: None if isinstance(c, ListColumn) else c for path, c in made}

    @property
    def list_columns(self) -> dict[str, ListColumn]:
        """The columns there are of fields that hold lists, or are reached through lists."""
        made = self.column_store.made.items()
        return {path: column for path, column in made if isinstance(column, ListColumn)}

    def derived(self, key: object, make: Callable[[], T]) -> T:
        """Return what was derived from this version under a key, made on first use."""
        found = self._derived.get(key)
        if found is None:
            with self._lock:
                found = self._derived.get(key)
                if found is None:
                    found = self._derived[key] = make()
        return cast("T", found)

    @property
    def columns_bytes(self) -> int:
        """What the columns keep in memory."""
        return self.column_store.size_bytes


def _collect_paths(node: object, prefix: str, names: dict[str, None]) -> None:
    todo = [(node, prefix, 0)]
    while todo:
        value, path, depth = todo.pop()
        if isinstance(value, dict):
            for key, item in value.items():
                inner = f"{path}.{key}" if path else str(key)
                names.setdefault(inner)
                if depth < 8:  # noqa: PLR2004 - deeper names help nobody in a message
                    todo.append((item, inner, depth + 1))
        elif isinstance(value, list):
            todo.extend((item, path, depth) for item in value if isinstance(item, dict))
