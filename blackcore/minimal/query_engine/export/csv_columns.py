"""Which columns a CSV file has, and each row as one tuple of their values."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import countOf, itemgetter
from typing import TYPE_CHECKING, TypeAlias

from ..errors import ExportValueError, did_you_mean
from .json_values import key_text
from .sources import Row, Slice, rough_bytes

if TYPE_CHECKING:
    from ..settings import ExportSettings
    from .options import CsvOptions
    from .progress import Tally

logger = logging.getLogger(__name__)

Cells: TypeAlias = tuple[object, ...]


def look_ahead(
    slices: Iterator[Slice], flatten: str | None, settings: ExportSettings
) -> tuple[list[Slice], tuple[str, ...]]:
    """Return the first slices, up to a chunk of rows, and the columns found in them.

    Columns stand in the order in which they are first seen.
    """
    ahead: list[Slice] = []
    found: dict[str, None] = {}
    rows, room_bytes = 0, settings.chunk_bytes
    for piece in slices:
        ahead.append(piece)
        _find_columns(piece, flatten, found)
        rows += len(piece)
        room_bytes -= rough_bytes(piece[-1]) * len(piece)
        if rows >= settings.chunk_rows or room_bytes <= 0:
            break
    return ahead, tuple(found)


def columns_of(slices: Iterable[Slice], flatten: str | None) -> tuple[str, ...]:
    """Return the columns of all the rows, in the order in which they are first seen.

    >>> columns_of([[{"b": 1}, {"a": {"x": 2}}]], flatten=".")
    ('b', 'a.x')
    """
    found: dict[str, None] = {}
    for rows in slices:
        _find_columns(rows, flatten, found)
    return tuple(found)


def _find_columns(rows: Slice, flatten: str | None, found: dict[str, None]) -> None:
    for row in rows:
        keys = row if flatten is None else flat_row(row, flatten)
        if not found.keys() >= keys.keys():
            found.update(dict.fromkeys(keys))


def flat_row(row: Row, separator: str) -> dict[str, object]:
    """Return the row with nested dicts as columns of their own; a key as written wins.

    >>> flat_row({"a": {"b": 1, "c": {"d": 2}}, "a.b": 3}, ".")
    {'a.c.d': 2, 'a.b': 3}
    """
    flat: dict[str, object] = {}
    for key, value in row.items():
        if not isinstance(value, Mapping):
            flat[key] = value
            continue
        for inner, member in flat_row(value, separator).items():
            name = f"{key_text(key)}{separator}{key_text(inner)}"
            if name not in row:
                flat[name] = member
    return flat


class Projection:
    """Rows as tuples of their values, one per column, None where a row lacks the key.

    Watches for keys that are no column, where the columns were found rather than given.
    """

    def __init__(
        self, columns: Sequence[str], options: CsvOptions, tally: Tally, *, found: bool
    ) -> None:
        self.columns = tuple(columns)
        self._flatten = options.flatten
        self._watch = found
        self._late_columns = options.late_columns
        self._tally = tally
        self._absent: dict[str, object] = dict.fromkeys(self.columns)
        self._pick = _picker(self.columns)

    def tuples(self, rows: Slice, done_rows: int) -> list[Cells]:
        """Return one tuple per row, in order.

        Raises:
            ExportValueError: a row has a key that is no column, and may not.
        """
        if self._flatten is not None:
            rows = [flat_row(row, self._flatten) for row in rows]
        if self._watch and countOf(map(len, rows), len(self.columns)) != len(rows):
            self._check_keys(rows, done_rows)
        try:
            return list(map(self._pick, rows))
        except KeyError:
            if self._watch:
                self._check_keys(rows, done_rows)
            absent = self._absent
            return [self._pick({**absent, **row}) for row in rows]

    def _check_keys(self, rows: Slice, done_rows: int) -> None:
        known = self._absent.keys()
        for number, row in enumerate(rows, done_rows + 1):
            if not known >= row.keys():
                for key in row.keys() - known:
                    self._late(key, number)

    def _late(self, key: str, number: int) -> None:
        counts = self._tally.ignored_values
        if self._late_columns == "ignore":
            if key not in counts:
                logger.warning("column %r first came in row %d and is left out", key, number)
            counts[key] = counts.get(key, 0) + 1
            return
        raise ExportValueError(
            f"row {number}, field {key!r}: the column is new, and the header is written; "
            "name all columns in CsvOptions.fieldnames, or set late_columns to 'gather' or "
            f"'ignore' ({did_you_mean(str(key), map(str, self.columns))})",
            rows_written=number - 1,
        )


def _picker(columns: tuple[str, ...]) -> Callable[[Row], Cells]:
    if len(columns) > 1:
        return itemgetter(*columns)
    if columns:
        only = columns[0]
        return lambda row: (row[only],)
    return lambda _: ()
