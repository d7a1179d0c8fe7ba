"""Lines of CSV by way of one JSON encoding per slice: several times csv.writer, same bytes.

A slice of tuples is encoded by one call of orjson, as ``[[1,"a",null],[2,"b",true]]``, and that
text is edited into CSV as an array of bytes. JSON and CSV differ in few places, all of which can
be found exactly when no string holds an escape: quotes delimit strings, so a comma is structural
when an even number of quotes stands before it; the byte after a structural comma says of which
kind the cell is. A slice with anything else (escapes, nested values, exponents, what JSON does
not have) is declined, and written by ``csv_lines`` instead.
"""

from __future__ import annotations

import decimal
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import orjson

from .json_values import EXACT, plain_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .options import CsvOptions

Bytes: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint8]]
Positions: TypeAlias = np.ndarray[tuple[int], np.dtype[np.intp]]

_COMMA, _QUOTE, _SMALL_E = 44, 34, 101
_NULL, _TRUE, _FALSE = ord("n"), ord("t"), ord("f")
_LIST, _OBJECT = ord("["), ord("{")
_ZERO, _DIGITS = 48, 10
_FORMULA_BYTES = b"=+-@\xef"  # 0xEF begins the full-width forms
_DROPPED = b"\0"  # marks a byte that goes; JSON text never holds it
_WORD_BYTES = 4  # those of "null", which may be written over


class SliceEditor:
    """Writes slices of tuples as lines, where it can. One instance belongs to one export."""

    def __init__(self, options: CsvOptions, column_count: int) -> None:
        self._columns = column_count
        self._delimiter = ord(options.delimiter)
        self._null = options.null_text.encode()
        self._keep_quotes = options.quoting == "strings"
        self._hook = _without_decimals if self._keep_quotes else plain_value
        self._escape = options.escape_formulas
        self._two_byte_end = options.line_end == "\r\n"
        self.usable = (
            column_count > 1  # csv.writer quotes an only cell that is empty
            and options.quoting != "all"
            and options.quote == '"'
            and options.delimiter not in "[]{}"  # which JSON uses itself
            and options.float_format is None
            and options.datetime_format is None
            and len(self._null) <= _WORD_BYTES
            and not set(options.null_text) & set('",\r\n' + options.delimiter)
        )

    def lines(self, rows: Sequence[tuple[object, ...]]) -> bytes | None:
        """Return the rows as whole lines, None where they cannot be written in this way."""
        try:
            encoded = orjson.dumps(rows, default=self._hook, option=EXACT)
        except TypeError:
            return None
        if b"\\" in encoded or (b"." in encoded and b"0.0000" in encoded):
            return None  # escapes; small numbers, which repr writes with an exponent
        text = np.frombuffer(encoded, np.uint8)
        commas = np.flatnonzero(text == _COMMA)
        quotes: Positions | None = None
        if self._escape or len(commas) != self._comma_count(rows) or _may_have_exponent(text):
            quotes = np.flatnonzero(text == _QUOTE)
            if _has_exponent(text, quotes):
                return None
        return self._edited(text, commas, quotes, rows)

    def _edited(
        self,
        text: Bytes,
        commas: Positions,
        quotes: Positions | None,
        rows: Sequence[tuple[object, ...]],
    ) -> bytes | None:
        guarded = commas[:0]
        if quotes is not None:
            inside = np.searchsorted(quotes, commas) & 1 == 1
            commas, guarded = commas[~inside], commas[inside]
        if len(commas) != self._comma_count(rows):
            return None  # nested values bring commas of their own
        if self._delimiter != _COMMA:
            guarded = np.flatnonzero(text == self._delimiter)
        starts = self._cell_starts(commas)
        kinds = text[starts]
        if (kinds == _LIST).any() or (kinds == _OBJECT).any():
            return None
        if self._escape and quotes is not None and _may_be_formula(text[quotes[::2] + 1]):
            return None
        edited = text.copy()
        if not self._write_words(edited, starts, kinds, rows):
            return None
        self._write_separators(edited, commas)
        return self._without_quotes(edited, guarded, quotes)

    def _comma_count(self, rows: Sequence[tuple[object, ...]]) -> int:
        """Return how many structural commas the text of plain values has."""
        return len(rows) * self._columns - 1

    def _without_quotes(self, edited: Bytes, guarded: Positions, quotes: Positions | None) -> bytes:
        if self._keep_quotes:
            return edited.tobytes().translate(None, _DROPPED)
        if not len(guarded):
            return edited.tobytes().translate(None, _DROPPED + b'"')
        if quotes is None:
            quotes = np.flatnonzero(edited == _QUOTE)
        closing = np.searchsorted(quotes, guarded)
        kept = np.concatenate((quotes[closing - 1], quotes[closing]))
        edited[quotes] = 0
        edited[kept] = _QUOTE
        return edited.tobytes().translate(None, _DROPPED)

    def _cell_starts(self, commas: Positions) -> Positions:
        starts = np.empty(len(commas) + 1, np.intp)
        starts[0] = 2
        np.add(commas, 1, out=starts[1:])
        starts[self._columns :: self._columns] += 1  # a bracket opens each row
        return starts

    def _write_words(
        self,
        edited: Bytes,
        starts: Positions,
        kinds: Bytes,
        rows: Sequence[tuple[object, ...]],
    ) -> bool:
        """Write true, false and null as CSV has them; return False where that cannot be."""
        edited[starts[kinds == _TRUE]] = ord("T")
        edited[starts[kinds == _FALSE]] = ord("F")
        cells = np.flatnonzero(kinds == _NULL)
        if not len(cells):
            return True
        _write_word(edited, starts[cells], self._null)
        for cell in self._not_none(cells, rows):
            value = rows[cell // self._columns][cell % self._columns]
            if type(value) is not float:
                return False
            _write_word(edited, starts[cell : cell + 1], repr(value).encode())
        return True

    def _not_none(self, cells: Positions, rows: Sequence[tuple[object, ...]]) -> list[int]:
        """Return those cells, written as null, that hold something else: NaN, an infinity."""
        in_rows = (cells // self._columns).tolist()
        in_columns = (cells % self._columns).tolist()
        found = [
            index
            for index, (row, column) in enumerate(zip(in_rows, in_columns, strict=True))
            if rows[row][column] is not None
        ]
        return [int(cells[index]) for index in found]

    def _write_separators(self, edited: Bytes, commas: Positions) -> None:
        if self._delimiter != _COMMA:
            edited[commas] = self._delimiter
        ends = commas[self._columns - 1 :: self._columns]
        edited[:2] = 0
        edited[ends + 1] = 0
        edited[ends] = edited[-1] = 10
        edited[ends - 1] = edited[-2] = 13 if self._two_byte_end else 0


def _without_decimals(value: object) -> object:
    # as JSON text they would be quoted like strings, and they are numbers
    if isinstance(value, decimal.Decimal):
        raise TypeError
    return plain_value(value)


def _may_have_exponent(text: Bytes) -> bool:
    """Return whether an e follows a digit, in a number or in a string."""
    marks = np.flatnonzero(text == _SMALL_E)
    return bool((text[marks - 1] - np.uint8(_ZERO) < _DIGITS).any())


def _has_exponent(text: Bytes, quotes: Positions) -> bool:
    """Return whether a number has an exponent, which repr would write in another way."""
    marks = np.flatnonzero(text == _SMALL_E)
    marks = marks[text[marks - 1] - np.uint8(_ZERO) < _DIGITS]
    return bool((np.searchsorted(quotes, marks) & 1 == 0).any())


def _may_be_formula(first: Bytes) -> bool:
    return any((first == byte).any() for byte in _FORMULA_BYTES)


def _write_word(edited: Bytes, at: Positions, word: bytes) -> None:
    """Write a word over the four bytes of null at each position."""
    for offset, byte in enumerate(word.ljust(_WORD_BYTES, _DROPPED)):
        edited[at + offset] = byte
