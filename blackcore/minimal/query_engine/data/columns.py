"""Columns of one field, taken from the rows on demand and kept with the database version.

A column exists for fields of one type only (nulls aside), and holds what the rows hold exactly:
nothing is coerced. Other fields stay what they are, and are looked up in the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from ..query.values import walk

Row: TypeAlias = Mapping[str, object]
Mask: TypeAlias = npt.NDArray[np.bool_]
RowIds: TypeAlias = npt.NDArray[np.uint32]
SortKeys: TypeAlias = npt.NDArray[np.int64] | npt.NDArray[np.int32] | npt.NDArray[np.float64]

EXACT_FLOAT_INTEGER = 2**53
"""Whole numbers up to this are exact as floats, so a column may hold them beside floats."""

_NULL: frozenset[type] = frozenset({type(None)})
_NUMBERS: frozenset[type] = frozenset({int, float})
_JSON_TYPES: frozenset[type] = frozenset({type(None), bool, int, float, str, list, dict})


@dataclass(frozen=True, slots=True)
class FieldTypes:
    """Which types the values of one field have, over all rows.

    Attributes:
        types: the types of the values that its path reaches; `NoneType` for missing ones.
        through_list: whether a list is on the way in some row.
    """

    types: frozenset[type]
    through_list: bool

    @property
    def is_plain(self) -> bool:
        """Whether every value is exactly of a type that JSON has, one for each row."""
        return not self.through_list and self.types <= _JSON_TYPES


def cells_of(rows: Sequence[Row], path: str) -> tuple[list[object], FieldTypes]:
    """Return one value per row for a path, and its types.

    Where a list is on the way, a row's cell is the list of all values reached.
    """
    if "." not in path:
        cells: list[object] = [row.get(path) for row in rows]
        return cells, FieldTypes(frozenset(map(type, cells)), through_list=False)
    return _walked_cells(rows, path)


def _walked_cells(rows: Sequence[Row], path: str) -> tuple[list[object], FieldTypes]:
    walked = [walk(row, path) for row in rows]
    if any(through_list for _, through_list in walked):
        lists: list[object] = [found or [None] for found, _ in walked]
        types = frozenset(type(value) for found in lists for value in found)  # type: ignore[attr-defined]  # lists, as made above
        return lists, FieldTypes(types, through_list=True)
    cells = [found[0] if found else None for found, _ in walked]
    return cells, FieldTypes(frozenset(map(type, cells)), through_list=False)


class NumberColumn:
    """Numbers as int64 or float64; `valid` is None where no row is null."""

    def __init__(self, values: SortKeys, valid: Mask | None) -> None:
        self.values = values
        self.valid = valid

    @property
    def is_integer(self) -> bool:
        """Whether the values are whole numbers, exact over all of int64."""
        return self.values.dtype == np.int64

    @property
    def sort_keys(self) -> SortKeys:
        """One key per row, smaller first; what a null row has says nothing."""
        return self.values

    @property
    def size_bytes(self) -> int:
        """What the column keeps in memory."""
        return self.values.nbytes + (0 if self.valid is None else self.valid.nbytes)


class BoolColumn(NumberColumn):
    """Booleans as 0 and 1 in int64 keys."""

    @cached_property
    def truth(self) -> Mask:
        """True where the value is true."""
        return np.equal(self.values, 1)

    @property
    def size_bytes(self) -> int:
        """What the column keeps in memory, with what was made of it so far."""
        made = self.__dict__
        return super().size_bytes + (made["truth"].nbytes if "truth" in made else 0)


class StringColumn:
    """Strings as a Polars series, and, once asked for, as codes into its sorted distinct values."""

    def __init__(self, series: pl.Series) -> None:
        self.series = series
        self.valid: Mask | None = (
            series.is_not_null().to_numpy() if series.null_count() > 0 else None
        )

    @cached_property
    def distinct(self) -> pl.Series:
        """The distinct strings in code point order, without null."""
        return self.series.drop_nulls().unique().sort()

    @cached_property
    def codes(self) -> npt.NDArray[np.int32]:
        """One position in `distinct` per row; -1 for null."""
        distinct = self.distinct
        if len(distinct) > len(self.series) // 2:
            ranks = self.series.rank("dense").cast(pl.Int32) - 1
            return ranks.fill_null(-1).to_numpy()
        physical = self.series.cast(pl.Enum(distinct)).to_physical()
        return physical.cast(pl.Int32).fill_null(-1).to_numpy()

    def first_code(self, text: str, *, above: bool = False) -> int:
        """Return the code of the first distinct string that is not below (or is above) a text."""
        side: Literal["left", "right"] = "right" if above else "left"
        return int(self.distinct.search_sorted(text, side=side))

    @property
    def has_codes(self) -> bool:
        """Whether the codes were made already."""
        return "codes" in self.__dict__

    @cached_property
    def is_ascii(self) -> bool:
        """Whether every string is ASCII, where lower case and casefold are the same."""
        lengths = self.series.str.len_bytes() == self.series.str.len_chars()
        return bool(lengths.fill_null(value=True).all())

    @property
    def sort_keys(self) -> SortKeys:
        """One key per row, smaller first; what a null row has says nothing."""
        return self.codes

    @property
    def size_bytes(self) -> int:
        """What the column keeps in memory, with what was made of it so far."""
        made = self.__dict__
        parts = int(self.series.estimated_size())
        parts += int(made["distinct"].estimated_size()) if "distinct" in made else 0
        parts += made["codes"].nbytes if "codes" in made else 0
        return parts + (0 if self.valid is None else self.valid.nbytes)


Column: TypeAlias = NumberColumn | StringColumn


def column_of(cells: Sequence[object], types: FieldTypes) -> Column | None:
    """Return the column of a field, or None where no column holds its values exactly."""
    if types.through_list:
        return None
    kinds = types.types - _NULL
    if kinds == {str}:
        return _string_column(cells)
    if kinds == {bool}:
        valid = _valid(cells, types.types)
        return BoolColumn(np.array([cell is True for cell in cells], dtype=np.int64), valid)
    if kinds == {int}:
        return _integer_column(cells, types.types)
    if kinds and kinds <= _NUMBERS:
        return _float_column(cells, kinds)
    return None


def _valid(cells: Sequence[object], types: Iterable[type]) -> Mask | None:
    if type(None) not in types:
        return None
    return np.array([cell is not None for cell in cells], dtype=np.bool_)


def _string_column(cells: Sequence[object]) -> StringColumn | None:
    try:
        return StringColumn(pl.Series(cells, dtype=pl.String))
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 cannot hold
        return None


def _integer_column(cells: Sequence[object], types: Iterable[type]) -> NumberColumn | None:
    try:
        if type(None) not in types:
            return NumberColumn(np.array(cells, dtype=np.int64), None)
        series = pl.Series(cells, dtype=pl.Int64)
    except (OverflowError, TypeError):  # beyond 64 bits
        return None
    return NumberColumn(series.fill_null(0).to_numpy(), series.is_not_null().to_numpy())


def _float_column(cells: Sequence[object], kinds: frozenset[type]) -> NumberColumn | None:
    if int in kinds:
        limit = EXACT_FLOAT_INTEGER
        if any(type(cell) is int and not -limit <= cell <= limit for cell in cells):
            return None
    values = np.array(cells, dtype=np.float64)  # None becomes NaN, which is null as well
    valid = ~np.isnan(values)
    return NumberColumn(values, None if valid.all() else valid)
