"""Columns of one field, taken from the rows on demand and kept with the database version.

A column exists for fields of one type only (nulls aside), and holds what the rows hold exactly:
nothing is coerced. Other fields stay what they are, and are looked up in the rows.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from ..query.values import walk

Row: TypeAlias = Mapping[str, object]
Mask: TypeAlias = npt.NDArray[np.bool_]
RowIds: TypeAlias = npt.NDArray[np.uint32]
Integers: TypeAlias = npt.NDArray[np.signedinteger]
SortKeys: TypeAlias = Integers | npt.NDArray[np.float64]

EXACT_FLOAT_INTEGER = 2**53
"""Whole numbers up to this are exact as floats, so a column may hold them beside floats."""

_MAX_TEXTS = 65_536
_TEXT_BYTES = 70
"""Of a short string and its place in a list, in CPython."""

FEW_CODES = 8
"""So many comparisons of codes take no longer than one look-up of each code in a table."""

_CODING_NS = 80.0
"""What making codes takes for each string."""
_REPEATS = 4
"""How often strings must occur on average for their codes to be made unasked."""
_FEW_CODING_NS = 20.0
_OFTEN = 100
"""Where strings occur so often on average, the codes take less: there are few to be sorted."""
_USES_AHEAD = 3.0
"""A field asked for so far will be asked for that many times more, before anything is known."""

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
    """Numbers as float64, or as the narrowest integers that hold them all.

    Attributes:
        values: one per row; what a null row has is no less than the least of the others, and NaN
            among floats.
        valid: which rows are not null, None where none is.
    """

    def __init__(self, values: SortKeys, valid: Mask | None) -> None:
        self.values = values
        self.valid = valid

    @property
    def is_integer(self) -> bool:
        """Whether the values are whole numbers, exact over all of int64."""
        return self.values.dtype.kind == "i"

    @property
    def sort_keys(self) -> SortKeys:
        """One key per row, smaller first; what a null row has says nothing."""
        return self.values

    @property
    def size_bytes(self) -> int:
        """What the column keeps in memory."""
        return self.values.nbytes + (0 if self.valid is None else self.valid.nbytes)


class BoolColumn(NumberColumn):
    """Booleans as 0 and 1."""

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
        self._series_bytes = int(series.estimated_size())
        self._scanned_ns = 0.0

    @cached_property
    def distinct(self) -> pl.Series:
        """The distinct strings in code point order, without null."""
        return self.series.drop_nulls().unique().sort()

    @cached_property
    def codes(self) -> Integers:
        """One position in `distinct` per row; -1 for null."""
        distinct = self.distinct
        if len(distinct) > len(self.series) // 2:
            codes = self.series.rank("dense").cast(pl.Int32) - 1
        else:
            codes = self.series.cast(pl.Enum(distinct)).to_physical().cast(pl.Int32)
        narrow = _narrowest(-1, len(distinct))
        return codes.fill_null(-1).to_numpy().astype(narrow)

    @cached_property
    def _texts(self) -> list[str] | None:
        """The distinct strings for Python, None where they are too many to have them twice."""
        return self.distinct.to_list() if len(self.distinct) <= _MAX_TEXTS else None

    def first_code(self, text: str, *, above: bool = False) -> int:
        """Return the code of the first distinct string that is not below (or is above) a text."""
        if self._texts is not None:
            return (bisect_right if above else bisect_left)(self._texts, text)
        side: Literal["left", "right"] = "right" if above else "left"
        return int(self.distinct.search_sorted(text, side=side))

    def code_of(self, text: str) -> int | None:
        """Return the code of a string, None where no row has it."""
        code = self.first_code(text)
        there = code < len(self.distinct) and self.distinct[code] == text
        return code if there else None

    def note_scan(self, nanoseconds: float) -> None:
        """Note a look at the strings that took so many nanoseconds for each of all rows.

        Codes are made once what that has cost, and will cost by then, is as much as they do, if
        they are worth having: whoever asks on has lost little, whoever does not has not paid.
        """
        self._scanned_ns += nanoseconds
        expected_ns = self._scanned_ns * _USES_AHEAD
        if self.has_codes or expected_ns < _FEW_CODING_NS or self._repeats < _REPEATS:
            return
        if expected_ns >= (_FEW_CODING_NS if self._repeats >= _OFTEN else _CODING_NS):
            _ = self.codes

    @cached_property
    def _repeats(self) -> float:
        """How often a string occurs on average, roughly."""
        return len(self.series) / max(1, cast("int", self.series.approx_n_unique()))

    @property
    def has_codes(self) -> bool:
        """Whether the codes were made already."""
        return "codes" in self.__dict__

    @cached_property
    def unlike_ascii(self) -> Mask | None:
        """True for strings that casefold otherwise than by their ASCII letters, None without any.

        >>> StringColumn(pl.Series(["NO", "\u00e9", "Stra\u00dfe", None])).unlike_ascii.tolist()
        [False, False, True, False]
        """
        odd = (self.series.str.len_bytes() != self.series.str.len_chars()).fill_null(value=False)
        rows = odd.arg_true()
        unlike = [t.casefold() != _ascii_lower(t) for t in self.series.gather(rows).to_list()]
        if not any(unlike):
            return None
        mask = np.zeros(len(self.series), dtype=np.bool_)
        mask[rows.to_numpy()] = unlike
        return mask

    @property
    def sort_keys(self) -> SortKeys:
        """One key per row, smaller first; what a null row has says nothing."""
        return self.codes

    @property
    def size_bytes(self) -> int:
        """What the column keeps in memory, with what was made of it so far."""
        made = self.__dict__
        parts = self._series_bytes
        for name in ("codes", "unlike_ascii"):
            array = made.get(name)
            parts += 0 if array is None else array.nbytes
        if "distinct" in made:
            distinct = made["distinct"]
            parts += int(distinct.estimated_size())
            parts += _TEXT_BYTES * len(distinct) if made.get("_texts") is not None else 0
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
        return BoolColumn(np.array([cell is True for cell in cells], dtype=np.int8), valid)
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
        series = pl.Series(cells, dtype=pl.Int64)  # in less than half of numpy's time
    except (OverflowError, TypeError):  # beyond 64 bits
        return None
    if type(None) not in types:
        return NumberColumn(_narrowed(series.to_numpy()), None)
    values = series.fill_null(strategy="min").to_numpy()
    return NumberColumn(_narrowed(values), series.is_not_null().to_numpy())


def _narrowed(values: npt.NDArray[np.int64]) -> Integers:
    return values.astype(_narrowest(int(values.min()), int(values.max())), copy=False)


def _narrowest(least: int, greatest: int) -> type[np.signedinteger]:
    """Return the narrowest type: a look at a column takes as long as its bytes are many."""
    for narrow in (np.int8, np.int16, np.int32):
        if np.iinfo(narrow).min <= least and greatest <= np.iinfo(narrow).max:
            return narrow
    return np.int64


def _ascii_lower(text: str) -> str:
    return text.encode().lower().decode()  # of bytes, ASCII letters alone


def _float_column(cells: Sequence[object], kinds: frozenset[type]) -> NumberColumn | None:
    if int not in kinds:
        values = pl.Series(cells, dtype=pl.Float64).fill_null(math.nan).to_numpy()
    else:
        limit = EXACT_FLOAT_INTEGER
        if any(type(cell) is int and not -limit <= cell <= limit for cell in cells):
            return None
        values = np.array(cells, dtype=np.float64)  # None becomes NaN, which is null as well
    valid = ~np.isnan(values)
    return NumberColumn(values, None if valid.all() else valid)
