"""Lines of CSV from tuples of any values, one cell at a time: right for everything."""

from __future__ import annotations

import csv
import decimal
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ExportValueError
from .csv_cells import cell_maker
from .json_values import UnserializableError, is_unicode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .options import CsvOptions

_NATIVE = frozenset({str, int, float, bool, type(None)})
_WRITER_END = "\r\n"  # with which csv.writer quotes both characters, in every version of Python


class _Lines:
    """What csv.writer takes for a file: each line becomes a member of a list."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append


class LineWriter:
    """Writes tuples of values as lines. One instance belongs to one export.

    ``minimal`` and ``all`` are csv.writer's own; ``strings`` exists there only since 3.12.
    """

    def __init__(self, options: CsvOptions, titles: Sequence[str]) -> None:
        self._options = options
        self._titles = titles
        self._cell = cell_maker(options)
        self._plain = not (options.escape_formulas or options.float_format or options.null_text)
        self._lines: list[str] = []
        self._writer = csv.writer(
            _Lines(self._lines),
            delimiter=options.delimiter,
            quotechar=options.quote,
            lineterminator=_WRITER_END,
            quoting=csv.QUOTE_ALL if options.quoting == "all" else csv.QUOTE_MINIMAL,
        )

    def lines(self, rows: Sequence[Sequence[object]], done_rows: int) -> bytes:
        """Return the rows as whole lines.

        Raises:
            ExportValueError: a value has no text, or none in UTF-8; names row and field.
        """
        if self._options.quoting == "strings":
            text = self._quoted_strings(rows, done_rows)
        else:
            text = self._by_csv_module(rows, done_rows)
        try:
            return text.encode("utf-8", self._options.encoding_errors)
        except UnicodeEncodeError as error:
            raise self._undecodable(rows, done_rows) from error

    def _by_csv_module(self, rows: Sequence[Sequence[object]], done_rows: int) -> str:
        if not (self._plain and set(map(type, chain.from_iterable(rows))) <= _NATIVE):
            null = self._options.null_text
            rows = [
                [null if cell is None else cell for cell in self._cells(row, number)]
                for number, row in enumerate(rows, done_rows + 1)
            ]
        self._writer.writerows(rows)
        lines = self._lines[:]
        self._lines.clear()
        end = self._options.line_end
        if end != _WRITER_END:
            lines = [line[: -len(_WRITER_END)] + end for line in lines]
        return "".join(lines)

    def _quoted_strings(self, rows: Sequence[Sequence[object]], done_rows: int) -> str:
        null, end, delimiter = (
            self._options.null_text,
            self._options.line_end,
            self._options.delimiter,
        )
        lines: list[str] = []
        for number, row in enumerate(rows, done_rows + 1):
            texts = [
                null if text is None else self._quoted(text) if _is_text(value) else text
                for value, text in zip(row, self._cells(row, number), strict=True)
            ]
            lines.append(delimiter.join(texts) + end)
        return "".join(lines)

    def _quoted(self, text: str) -> str:
        quote = self._options.quote
        return f"{quote}{text.replace(quote, quote * 2)}{quote}"

    def _cells(self, row: Sequence[object], number: int) -> list[str | None]:
        cell = self._cell
        try:
            return [cell(value) for value in row]
        except UnserializableError:
            raise self._error(row, number) from None

    def _error(self, row: Sequence[object], number: int) -> ExportValueError:
        """Return the error for the first cell of the row that has no text."""
        for title, value in zip(self._titles, row, strict=True):
            try:
                self._cell(value)
            except UnserializableError as error:
                where = title + (f".{error.path}" if error.path else "")
                return ExportValueError(
                    f"row {number}, field {where!r}: {error.reason}", rows_written=number - 1
                )
        raise AssertionError("a row that failed has a cell that fails")

    def _undecodable(self, rows: Sequence[Sequence[object]], done_rows: int) -> ExportValueError:
        for number, row in enumerate(rows, done_rows + 1):
            for title, text in zip(self._titles, self._cells(row, number), strict=True):
                if text is not None and not is_unicode(text):
                    return ExportValueError(
                        f"row {number}, field {title!r}: {text[:40]!r} holds a lone surrogate, "
                        "which UTF-8 cannot; CsvOptions.encoding_errors='replace' would write '?'",
                        rows_written=number - 1,
                    )
        raise AssertionError("text that cannot be encoded has a cell that cannot")


def _is_text(value: object) -> bool:
    """Return whether a cell is quoted where strings are: all but numbers and booleans are."""
    return not isinstance(value, (int, float, decimal.Decimal, np.number, np.bool_))
