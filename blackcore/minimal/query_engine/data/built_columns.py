"""The rows of a result from columns that exist, where these say exactly what the rows say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from .columns import BoolColumn, NumberColumn, StringColumn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .columns import Column, Mask, RowIds
    from .records import Records

_LOOKED_AT_ONCE_ROWS = 1_000


class ResultColumns:
    """The rows of a result as columns; parts of them are gathered as they are asked for.

    Any reader of Arrow streams takes all of them at once: `polars.DataFrame(columns)`.

    Attributes:
        columns: the fields' names, in the order that the rows have them.
        height: how many rows there are.
    """

    def __init__(self, columns: Mapping[str, Column], ids: RowIds) -> None:
        self.columns = list(columns)
        self.height = len(ids)
        self._columns = columns
        self._ids = ids

    def parts(self, most_rows: int) -> Iterator[pl.DataFrame]:
        """Yield frames of at most so many rows each, in order; at least one, be it empty."""
        for start in range(0, max(self.height, 1), most_rows):
            ids = self._ids[start : start + most_rows]
            run = _run_of(ids)
            yield pl.DataFrame(
                [_gathered(name, column, ids, run) for name, column in self._columns.items()]
            )

    def to_polars(self) -> pl.DataFrame:
        """Return all rows as one frame."""
        return next(self.parts(max(self.height, 1)))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return a capsule with the stream of record batches."""
        return self.to_polars().__arrow_c_stream__(requested_schema)


def _run_of(ids: RowIds) -> slice | None:
    """Return the rows as a slice where they follow each other, which gathers without a copy."""
    if not len(ids) or int(ids[-1]) - int(ids[0]) != len(ids) - 1:
        return None
    first = int(ids[0])
    ascending = np.arange(first, first + len(ids), dtype=ids.dtype)
    return slice(first, first + len(ids)) if np.array_equal(ids, ascending) else None


def _gathered(name: str, column: Column, ids: RowIds, run: slice | None) -> pl.Series:
    rows = ids if run is None else run
    if isinstance(column, StringColumn):
        texts = column.series
        chosen = texts.gather(ids) if run is None else texts[run]
        return chosen.alias(name)
    values = column.values[rows]
    if isinstance(column, BoolColumn):
        series = pl.Series(name, values == 1)
    else:  # columns hold integers in fewer bytes where they can
        dtype = pl.Int64 if column.is_integer else pl.Float64
        series = pl.Series(name, values).cast(dtype)
    return series if column.valid is None else _with_nulls(series, column.valid[rows])


def _with_nulls(series: pl.Series, valid: Mask) -> pl.Series:
    if valid.all():
        return series
    absent = pl.Series(series.name, [None], dtype=series.dtype)
    return series.zip_with(pl.Series(valid), absent)


def result_columns(
    records: Records, ids: RowIds, select: Sequence[str] | None
) -> ResultColumns | None:
    """Return rows of a database as columns, None unless all of these exist and are exact.

    A column says what the rows say where every value is of one type, and, for whole records, where
    every record has the same keys in the same order and no number is NaN (which `select` shows as
    the null it is). Without rows there is nothing that a column could say of them.
    """
    if not len(ids):
        return None
    names = _first_keys(records) if select is None else select
    made = records.columns
    columns: dict[str, Column] = {}
    for name in names:
        column = made.get(name) if _is_a_name_in_arrow(name) else None
        if column is None or not _is_exact(records, name, column, select is not None):
            return None
        columns[name] = column
    if not columns or (select is None and not _keys_are_shared(records)):
        return None
    return ResultColumns(columns, ids)


def _is_a_name_in_arrow(key: object) -> bool:
    """Return whether a key can name a column of an Arrow stream.

    For an empty name its reader may make one up; one with a NUL, which ends it in C, aborts the
    process in Polars.
    """
    return isinstance(key, str) and key != "" and "\0" not in key


def _first_keys(records: Records) -> tuple[str, ...]:
    return tuple(records.rows[0])


def _keys_are_shared(records: Records) -> bool:
    """Return whether all records have the same keys in the same order."""
    first, rows = _first_keys(records), records.rows

    def look() -> bool:
        # one call over all rows would keep an event loop waiting for the interpreter's lock
        return all(
            all(map(first.__eq__, map(tuple, rows[start : start + _LOOKED_AT_ONCE_ROWS])))
            for start in range(0, len(rows), _LOOKED_AT_ONCE_ROWS)
        )

    return records.derived("keys are shared", look)


def _is_exact(records: Records, name: str, column: Column, null_for_nan: bool) -> bool:
    """Return whether a column gives a field's values back as they are."""
    if not isinstance(column, NumberColumn) or column.is_integer:
        return True
    if int in records.field_types(name).types:
        return False  # 1 would become 1.0
    return null_for_nan or column.valid is None or not _has_nan(records, name, column.valid)


def _has_nan(records: Records, name: str, valid: Mask) -> bool:
    """Return whether a NaN is among the nulls of a field that every record has."""

    def look() -> bool:
        nulls = len(valid) - int(np.count_nonzero(valid))
        return sum(row.get(name) is None for row in records.rows) != nulls

    return records.derived(("has nan", name), look)
