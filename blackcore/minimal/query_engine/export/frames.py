"""Text from columns: by Polars where its bytes are those that rows would give, else by rows.

Polars writes integers, strings and dates as we do. It writes other bytes for some booleans,
floats, empty strings and times: such a column is brought to strings first, or the part of the
frame takes the way of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, cast

import polars as pl

from ..errors import ExportOptionError, did_you_mean
from .csv_cells import cell_maker
from .csv_writer import CsvTable
from .json_values import UnserializableError
from .json_writer import array_encoder, json_array, json_lines, lines_encoder
from .pipeline import paused
from .sources import ArrowStream, ColumnParts, Slice

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import IOBase

    from ..settings import ExportSettings
    from .atomic_file import Block
    from .csv_columns import Cells
    from .options import CsvOptions, JsonOptions
    from .progress import Tally

_INTEGERS = frozenset(
    {pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64}
)
_SAME_IN_JSON = _INTEGERS | {pl.Boolean, pl.String, pl.Date, pl.Null}
_PART_ROWS = 64_000  # fewer are slower: Polars formats a part on all cores
_LARGE_FLOAT = 1e16
_SMALL_FLOAT = 1e-4  # below this and from the large one on, floats are written with exponents
"""Between the two, every writer's shortest form of a 64-bit float is the same text."""


class FrameColumns:
    """A frame, and the parts of it, which share its memory."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.columns = frame.columns
        self.height = frame.height
        self._frame = frame

    def parts(self, most_rows: int) -> Iterator[pl.DataFrame]:
        """Yield the frame in parts of at most so many rows."""
        yield from self._frame.iter_slices(most_rows)


class BatchColumns:
    """Record batches that come one by one, and may be more than memory holds."""

    height = None

    def __init__(self, batches: Iterator[ArrowStream], columns: list[str]) -> None:
        self.columns = columns
        self._batches = batches

    def parts(self, most_rows: int) -> Iterator[pl.DataFrame]:
        """Yield the rows of each batch in parts of at most so many."""
        for batch in self._batches:
            yield from pl.DataFrame(batch).iter_slices(most_rows)


def table_columns(data: ArrowStream) -> ColumnParts:
    """Return the columns of a table; those in memory are shared, not copied."""
    if isinstance(data, pl.DataFrame):
        return FrameColumns(data)
    names = getattr(getattr(data, "schema", None), "names", None)
    if isinstance(data, Iterator) and isinstance(names, list):
        return BatchColumns(data, names)
    return FrameColumns(pl.DataFrame(data))


def bounded_parts(columns: ColumnParts, most_bytes: int) -> Iterator[pl.DataFrame]:
    """Yield the rows in parts of about so many bytes of text at most, none of them empty."""
    for part in columns.parts(_PART_ROWS):
        if part.height:
            yield from part.iter_slices(max(1, int(most_bytes / _row_bytes(part))))


def _row_bytes(part: pl.DataFrame) -> float:
    """Return about how many bytes the values of a row take on the average."""
    # the size of a slice of strings, as Polars estimates it, is that of all it was cut from
    texts = part.select(pl.col(pl.String).str.len_bytes().sum()).rows()  # one, or none
    others = (c.estimated_size() for c in part.iter_columns() if c.dtype != pl.String)
    return (1 + sum(map(sum, texts)) + sum(others)) / part.height


class _Taken:
    """A file that keeps the blocks it is given, which are the writer's own: nothing is copied."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []

    def write(self, block: bytes) -> int:
        """Take the block."""
        self.blocks.append(block)
        return len(block)

    def flush(self) -> None:
        """Do nothing: nothing was held back."""


def _text_of(write: Callable[[IO[bytes]], object]) -> bytes:
    """Return what ``write`` writes."""
    taken = _Taken()
    write(cast("IO[bytes]", taken))  # all of a file that Polars uses
    return taken.blocks[0] if len(taken.blocks) == 1 else b"".join(taken.blocks)


def _array_members(part: pl.DataFrame) -> Block:
    """Return the rows of a part as JSON, without the brackets around them."""
    taken = _Taken()
    part.write_json(cast("IOBase", taken))
    blocks = taken.blocks
    if len(blocks) == 3 and blocks[0] == b"[" and blocks[2] == b"]":  # noqa: PLR2004 - the body alone
        return blocks[1]
    return memoryview(b"".join(blocks))[1:-1]


def columns_csv(
    columns: ColumnParts,
    options: CsvOptions,
    tally: Tally,
    settings: ExportSettings,
    pause: Callable[[], None],
) -> Iterator[Block]:
    """Yield the columns as CSV, in pieces of whole lines.

    Raises:
        ExportOptionError: ``fieldnames`` names a column that there is not.
        ExportValueError: a value has no text.
    """
    names = _chosen_columns(columns, options)
    table = CsvTable(names, options, pause)
    native = options.quoting == "minimal" and len(names) > 1

    def pieces() -> Iterator[pl.DataFrame | list[Cells]]:
        for part in bounded_parts(columns, settings.chunk_bytes):
            # by the columns themselves: as names, "*" and "^a.*$" would stand for others
            chosen = part if names == part.columns else part.select(map(part.get_column, names))
            ready = _csv_ready(chosen, options) if native else None
            if ready is not None:
                yield ready
            else:
                yield from (some.rows() for some in chosen.iter_slices(settings.slice_rows))

    def encode(piece: pl.DataFrame | list[Cells]) -> bytes:
        if isinstance(piece, list):
            return table.lines(piece, tally.rows)
        return _text_of(
            lambda out: piece.write_csv(
                out,
                include_header=False,
                separator=options.delimiter,
                line_terminator=options.line_end,
                quote_char=options.quote,
                null_value=options.null_text,
            )
        )

    return table.text(paused(pieces(), pause), encode, tally)


def _chosen_columns(columns: ColumnParts, options: CsvOptions) -> list[str]:
    if options.fieldnames is None:
        return columns.columns
    for name in options.fieldnames:
        if name not in columns.columns:
            raise ExportOptionError(
                f"CsvOptions.fieldnames names {name!r}, which the columns do not have; "
                f"{did_you_mean(name, columns.columns)}"
            )
    return list(options.fieldnames)


def _csv_ready(part: pl.DataFrame, options: CsvOptions) -> pl.DataFrame | None:
    """Return the part as Polars writes it right, None where that can only be done by rows."""
    cell = cell_maker(options)
    ready: list[pl.Series] = []
    for column in part.iter_columns():
        try:
            texts = _csv_column(column, options, cell)
        except UnserializableError:
            return None  # rows will say which
        if texts.dtype == pl.String and (texts == "").any():
            # Polars quotes the empty string, to tell it from null; csv.writer does not
            if options.null_text:
                return None
            texts = texts.set(texts == "", None)
        ready.append(texts)
    return pl.DataFrame(ready)


def _csv_column(
    column: pl.Series, options: CsvOptions, cell: Callable[[object], str | None]
) -> pl.Series:
    """Return a column as text where Polars would write its values in another way."""
    kind = column.dtype
    if kind in _INTEGERS or kind == pl.Null or _is_plain(column, options):
        return column
    if kind == pl.String and not options.escape_formulas:
        return column
    if kind == pl.Boolean:
        words = pl.Series(["False", "True"])
        return words.gather(column.cast(pl.UInt32)).alias(column.name)
    texts = [cell(value) for value in column.to_list()]
    return pl.Series(column.name, texts, dtype=pl.String)


def _is_plain(column: pl.Series, options: CsvOptions) -> bool:
    """Return whether Polars writes the floats or dates of a column as rows would be written."""
    if column.dtype == pl.Float64:
        return options.float_format is None and _plain_floats(column)
    return column.dtype == pl.Date and options.datetime_format is None


def _plain_floats(column: pl.Series) -> bool:
    size = column.abs()
    plain = ((size >= _SMALL_FLOAT) & (size < _LARGE_FLOAT)) | (size == 0)
    return plain.all() is True


def columns_json_array(
    columns: ColumnParts,
    options: JsonOptions,
    tally: Tally,
    settings: ExportSettings,
    pause: Callable[[], None],
) -> Iterator[Block]:
    """Yield the columns as one JSON array, in pieces of whole rows.

    Raises:
        ExportValueError: a value has no JSON.
    """
    by_rows = array_encoder(options, pause)

    def encode(piece: pl.DataFrame | Slice, done_rows: int) -> Block:
        if isinstance(piece, pl.DataFrame):
            return _array_members(piece)
        return by_rows(piece, done_rows)

    pieces = paused(_json_pieces(columns, options, settings), pause)
    return json_array(pieces, encode, options, tally)


def columns_json_lines(
    columns: ColumnParts,
    options: JsonOptions,
    tally: Tally,
    settings: ExportSettings,
    pause: Callable[[], None],
) -> Iterator[bytes]:
    """Yield the columns as JSON, one row a line, in pieces of whole lines.

    Raises:
        ExportValueError: a value has no JSON.
    """
    by_rows = lines_encoder(options, pause)

    def encode(piece: pl.DataFrame | Slice, done_rows: int) -> bytes:
        if isinstance(piece, pl.DataFrame):
            return _text_of(piece.write_ndjson)
        return by_rows(piece, done_rows)

    pieces = paused(_json_pieces(columns, options, settings), pause)
    return json_lines(pieces, encode, options, tally)


def _json_pieces(
    columns: ColumnParts, options: JsonOptions, settings: ExportSettings
) -> Iterator[pl.DataFrame | Slice]:
    """Yield parts as they are where Polars writes them right, others as short lists of rows."""
    for part in bounded_parts(columns, settings.chunk_bytes):
        if _polars_can(part, options):
            yield part
        else:
            yield from (some.to_dicts() for some in part.iter_slices(settings.slice_rows))


def _polars_can(part: pl.DataFrame, options: JsonOptions) -> bool:
    if options.indent or options.sort_keys:
        return False
    return all(map(_same_in_json, part.iter_columns()))


def _same_in_json(column: pl.Series) -> bool:
    if column.dtype in _SAME_IN_JSON:
        return True
    return column.dtype == pl.Float64 and (column.abs() < _LARGE_FLOAT).all() is True
