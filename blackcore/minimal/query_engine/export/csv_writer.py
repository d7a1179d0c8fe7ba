"""CSV text from rows, a slice at a time, the same bytes as csv.writer's."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from ..errors import ExportOptionError, did_you_mean
from .csv_columns import Cells, Projection, look_ahead
from .csv_fast import SliceEditor
from .csv_lines import LineWriter
from .json_values import key_text
from .pipeline import CAREFUL_ROWS, no_pause, paused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
    from typing import TypeVar

    from ..settings import ExportSettings
    from .options import CsvOptions
    from .progress import Tally
    from .sources import Slice

    Piece = TypeVar("Piece", bound=Sized)

_BOM = b"\xef\xbb\xbf"


def csv_text(
    slices: Iterable[Slice],
    options: CsvOptions,
    tally: Tally,
    settings: ExportSettings,
    *,
    columns: tuple[str, ...] | None = None,
    pause: Callable[[], None] = no_pause,
) -> Iterator[bytes]:
    r"""Yield CSV in pieces of whole lines.

    The columns are those of the options, else ``columns``, else those of the first chunk of rows,
    before each slice of which there is a ``pause`` when it comes to be written, as there is within
    slices that take long.

    Raises:
        ExportValueError: a row that does not fit; the message names row, field and type.

    >>> from blackcore.minimal.query_engine.export import CsvOptions
    >>> from blackcore.minimal.query_engine.export.progress import Tally
    >>> from blackcore.minimal.query_engine.settings import ExportSettings
    >>> slices = [[{"a": 1, "b": "x,y"}], [{"a": None}]]
    >>> b"".join(csv_text(slices, CsvOptions(), Tally(), ExportSettings()))
    b'a,b\r\n1,"x,y"\r\n,\r\n'
    """
    slices = iter(slices)
    found = options.fieldnames is None
    columns = columns if options.fieldnames is None else options.fieldnames
    if columns is None:
        ahead, columns = look_ahead(slices, options.flatten, settings)
        slices = chain(paused(ahead, pause), slices)
    projection = Projection(columns, options, tally, found=found)
    table = CsvTable(columns, options, pause)

    def encode(rows: Slice) -> bytes:
        return table.lines(projection.tuples(rows, tally.rows), tally.rows)

    return table.text(slices, encode, tally)


class CsvTable:
    """The text of one CSV file whose columns are known. One instance belongs to one export."""

    def __init__(
        self, columns: Sequence[str], options: CsvOptions, pause: Callable[[], None]
    ) -> None:
        self._titles = _titles(columns, options)
        self._pause = pause
        self._options = options
        self._any = LineWriter(options, self._titles)
        self._fast = SliceEditor(options, len(columns))

    def lines(self, rows: Sequence[Cells], done_rows: int) -> bytes:
        """Return the rows as whole lines, in the fastest way that is right for them.

        Raises:
            ExportValueError: a value has no text.
        """
        fast = self._fast.lines(rows) if self._fast.usable else None
        return self._carefully(rows, done_rows) if fast is None else fast

    def _carefully(self, rows: Sequence[Cells], done_rows: int) -> bytes:
        lines: list[bytes] = []
        for start in range(0, len(rows), CAREFUL_ROWS):
            if start:
                self._pause()
            lines.append(self._any.lines(rows[start : start + CAREFUL_ROWS], done_rows + start))
        return b"".join(lines)

    def text(
        self, pieces: Iterable[Piece], encode: Callable[[Piece], bytes], tally: Tally
    ) -> Iterator[bytes]:
        """Yield the header, the pieces as ``encode`` writes them, and the last line."""
        yield from _counted(self._head(), tally)
        for piece in pieces:
            text = encode(piece)
            tally.rows += len(piece)
            tally.bytes += len(text)
            if text:
                yield text
            del text  # its memory, which the processor has at hand, serves the next one
        if self._options.last_line is not None:
            last = self._options.last_line.replace("{rows}", str(tally.rows))
            yield from _counted((last + self._options.line_end).encode(), tally)

    def _head(self) -> bytes:
        start = _BOM if self._options.bom else b""
        if not self._options.header or not self._titles:
            return start
        return start + self._any.lines([self._titles], -1)


def _titles(columns: Sequence[str], options: CsvOptions) -> list[str]:
    """Return what the header says.

    Raises:
        ExportOptionError: a column to be renamed is not there, or two would be called the same.
    """
    for name in options.rename if columns else ():
        if name not in columns:
            raise ExportOptionError(
                f"CsvOptions.rename names {name!r}, which is no column; "
                f"{did_you_mean(name, map(key_text, columns))}"
            )
    titles = [options.rename.get(name, key_text(name)) for name in columns]
    if len(set(titles)) < len(titles):
        twice = next(title for title in titles if titles.count(title) > 1)
        raise ExportOptionError(
            f"two columns have the title {twice!r}; call one another in CsvOptions.rename"
        )
    return titles


def _counted(text: bytes, tally: Tally) -> Iterator[bytes]:
    if text:
        tally.bytes += len(text)
        yield text
