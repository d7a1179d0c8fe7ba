"""CSV text from rows, a slice at a time, the same bytes as csv.writer's."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from .csv_columns import Projection, look_ahead
from .csv_lines import LineWriter
from .json_values import key_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from blackcore.minimal.query_engine.settings import ExportSettings

    from .options import CsvOptions
    from .progress import Tally
    from .sources import Slice

_BOM = b"\xef\xbb\xbf"


def csv_text(
    slices: Iterable[Slice],
    options: CsvOptions,
    tally: Tally,
    settings: ExportSettings,
    *,
    columns: tuple[str, ...] | None = None,
) -> Iterator[bytes]:
    r"""Yield CSV in pieces of whole lines.

    The columns are those of the options, else ``columns``, else those of the first chunk of rows.

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
    columns = options.fieldnames if options.fieldnames is not None else columns
    if columns is None:
        ahead, columns = look_ahead(slices, options.flatten, settings)
        slices = chain(ahead, slices)
    projection = Projection(columns, options, tally, found=found)
    titles = [options.rename.get(name, key_text(name)) for name in columns]
    lines = LineWriter(options, titles)
    yield from _counted(_head(lines, titles, options), tally)
    for rows in slices:
        piece = lines.lines(projection.tuples(rows, tally.rows), tally.rows)
        tally.rows += len(rows)
        yield from _counted(piece, tally)
    if options.last_line is not None:
        last = options.last_line.replace("{rows}", str(tally.rows)) + options.line_end
        yield from _counted(last.encode(), tally)


def _counted(piece: bytes, tally: Tally) -> Iterator[bytes]:
    if piece:
        tally.bytes += len(piece)
        yield piece


def _head(lines: LineWriter, titles: list[str], options: CsvOptions) -> bytes:
    start = _BOM if options.bom else b""
    if not options.header or not titles:
        return start
    return start + lines.lines([titles], -1)
