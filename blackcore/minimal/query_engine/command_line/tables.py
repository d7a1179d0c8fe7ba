"""Rows as a table for people: cut to a width, and safe to show whatever the data holds."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..query.values import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Row = Mapping[str, object]

# what a terminal obeys rather than shows: control characters of both sets, line separators, marks
# that turn the direction of writing; and lone surrogates, which no encoding takes
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_UNSAFE_IN_LINES = re.compile(_UNSAFE.pattern.replace(r"\x00-\x1f", r"\x00-\x09\x0b-\x1f"))
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}

_CELL_COLUMNS = 100
_NARROW_COLUMNS = 8
_GAP = "  "


def escaped(text: str, *, keep_lines: bool = False) -> str:
    r"""Return a text that does nothing to a terminal: what it would obey is shown instead.

    >>> escaped("a\x1b[2Jb\n")
    'a\\u001b[2Jb\\n'
    """
    pattern = _UNSAFE_IN_LINES if keep_lines else _UNSAFE
    return pattern.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    character = match[0]
    return _SHORT.get(character) or f"\\u{ord(character):04x}"


def columns_taken(text: str) -> int:
    """Return how many columns of a terminal a text takes, nearly.

    >>> columns_taken("Oslo"), columns_taken("東京"), columns_taken("e\u0301")
    (4, 4, 1)
    """
    return len(text) if text.isascii() else sum(map(_character_columns, text))


def _character_columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, columns: int) -> str:
    """Return a text of at most so many columns, with a sign where something was left out.

    >>> cut("Narvik", 6), cut("Narvik", 5)
    ('Narvik', 'Narv…')
    """
    if columns_taken(text) <= columns:
        return text
    taken = 0
    for position, character in enumerate(text):
        taken += _character_columns(character)
        if taken >= columns:
            return f"{text[:position]}…"
    return text  # pragma: no cover - it is longer than the columns


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: safe texts, and the side they stand on."""

    title: str
    cells: Sequence[str]
    right: bool = False

    @property
    def width(self) -> int:
        """How many columns of the terminal the widest cell takes."""
        return max(map(columns_taken, (self.title, *self.cells)))

    def lines(self, width: int) -> list[str]:
        """Return the title, a rule and the cells, each of just this width."""
        return [
            _filled(self.title, width, right=self.right),
            "-" * width,
            *(_filled(cell, width, right=self.right) for cell in self.cells),
        ]


def _filled(text: str, width: int, *, right: bool) -> str:
    text = cut(text, width)
    space = " " * (width - columns_taken(text))
    return space + text if right else text + space


def columns_of(rows: Sequence[Row]) -> list[Column]:
    """Return a column for each field of the rows, in order of appearance; numbers on the right."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [_column(name, rows) for name in names]


def _column(name: str, rows: Sequence[Row]) -> Column:
    values = [row[name] for row in rows if row.get(name) is not None]
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    cells = [_cell(row[name]) if name in row else "" for row in rows]
    return Column(_safe_cell(name), cells, right=numeric and bool(values))


def _cell(value: object) -> str:
    return _safe_cell(value if isinstance(value, str) else json_text(value))


def _safe_cell(text: str) -> str:
    # cut before it is escaped too: a cell may be megabytes long
    return cut(escaped(text[: _CELL_COLUMNS + 1]), _CELL_COLUMNS)


def table_lines(columns: Sequence[Column], total: int | None) -> tuple[list[str], int]:
    """Return the lines of a table, and how many columns found no room in them.

    Where they are too wide for a terminal of `total` columns, the widest are narrowed first, and
    the last are left out when that does not do. None is room enough for all.
    """
    widths = [column.width for column in columns]
    if total is not None:
        widths = _fitted(widths, max(total, _NARROW_COLUMNS))
    blocks = [column.lines(width) for column, width in zip(columns, widths, strict=False)]
    lines = [_GAP.join(cells).rstrip() for cells in zip(*blocks, strict=True)]
    return lines, len(columns) - len(widths)


def _fitted(widths: list[int], total: int) -> list[int]:
    room = total + len(_GAP)
    widest = max(widths, default=0)
    for level in range(widest, _NARROW_COLUMNS - 1, -1):
        narrowed = [min(width, level) for width in widths]
        if sum(narrowed) + len(_GAP) * len(narrowed) <= room:
            return narrowed
    kept: list[int] = []
    for width in widths:
        narrowed_width = min(width, _NARROW_COLUMNS)
        room -= narrowed_width + len(_GAP)
        if room < 0:
            break
        kept.append(narrowed_width)
    return kept
