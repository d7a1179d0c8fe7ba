"""Text from columns: by Polars where its bytes are those that rows would give, else by rows.

Polars writes integers, strings and dates as we do. It writes other bytes for some booleans,
floats, empty strings and times: such a column is brought to strings first, or the part of the
frame takes the way of rows.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import polars as pl

from ..errors import ExportOptionError, did_you_mean
from .csv_cells import cell_maker
from .csv_writer import CsvTable
from .json_values import UnserializableError
from .json_writer import array_encoder, json_array, json_lines, lines_encoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .atomic_file import Block
    from .options import CsvOptions, JsonOptions
    from .progress import Tally
    from .sources import ArrowStream

_INTEGERS = frozenset(
    {pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64}
)
_SAME_IN_JSON = _INTEGERS | {pl.Boolean, pl.String, pl.Date, pl.Null}
_ROWS_AT_ONCE = 500
_PART_ROWS = 32_000  # fewer are slower: Polars formats a part on all cores
_LARGE_FLOAT = 1e16
_SMALL_FLOAT = 1e-4  # below this and from the large one on, floats are written with exponents
"""Between the two, every writer's shortest form of a 64-bit float is the same text."""


def frame_of(data: ArrowStream) -> pl.DataFrame:
    """Return the columns of an Arrow stream; those in memory are shared, not copied."""
    return data if isinstance(data, pl.DataFrame) else pl.DataFrame(data)


def frame_parts(frame: pl.DataFrame, most_bytes: int) -> Iterator[pl.DataFrame]:
    """Yield the frame in parts of about so many bytes at most, which share its memory."""
    if not frame.height:
        return
    each_bytes = frame.estimated_size() / frame.height
    rows = int(most_bytes / max(each_bytes, 1))
    yield from frame.iter_slices(max(1, min(rows, _PART_ROWS)))


class _Reused:
    """A buffer that keeps its memory from part to part: fresh pages cost as much as formatting."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()

    def filled(self, write: Callable[[io.BytesIO], object], cut: int = 0) -> bytes:
        """Return what ``write`` writes, without so many bytes at either end."""
        self._buffer.seek(0)
        write(self._buffer)
        with self._buffer.getbuffer() as view:
            return bytes(view[cut : self._buffer.tell() - cut])


def frame_csv(
    parts: Iterable[pl.DataFrame], frame: pl.DataFrame, options: CsvOptions, tally: Tally
) -> Iterator[bytes]:
    """Yield the parts of the frame as CSV, in pieces of whole lines.

    Raises:
        ExportOptionError: ``fieldnames`` names a column that the frame has not.
        ExportValueError: a value has no text.
    """
    columns = _chosen_columns(frame, options)
    table = CsvTable(columns, options)
    native = options.quoting == "minimal" and len(columns) > 1
    buffer = _Reused()

    def encode(part: pl.DataFrame) -> bytes:
        part = part.select(columns)
        text = _polars_csv(part, options, buffer) if native else None
        if text is not None:
            return text
        return b"".join(
            table.lines(rows.rows(), tally.rows + number * _ROWS_AT_ONCE)
            for number, rows in enumerate(part.iter_slices(_ROWS_AT_ONCE))
        )

    return table.text(parts, encode, tally)


def _chosen_columns(frame: pl.DataFrame, options: CsvOptions) -> list[str]:
    if options.fieldnames is None:
        return frame.columns
    for name in options.fieldnames:
        if name not in frame.columns:
            raise ExportOptionError(
                f"CsvOptions.fieldnames names {name!r}, which the columns do not have; "
                f"{did_you_mean(name, frame.columns)}"
            )
    return list(options.fieldnames)


def _polars_csv(part: pl.DataFrame, options: CsvOptions, buffer: _Reused) -> bytes | None:
    """Return the part as Polars writes it, None where that cannot be what rows would give."""
    try:
        changed = _csv_columns(part, options)
    except UnserializableError:
        return None  # rows will say which
    ready = part.with_columns(changed)
    if options.null_text and any(_has_empty(ready[c.name]) for c in changed):
        return None
    return buffer.filled(
        lambda out: ready.write_csv(
            out,
            include_header=False,
            separator=options.delimiter,
            line_terminator=options.line_end,
            quote_char=options.quote,
            null_value=options.null_text,
        )
    )


def _csv_columns(part: pl.DataFrame, options: CsvOptions) -> list[pl.Series]:
    """Return the columns that Polars would write differently, as it will write them right."""
    cell = cell_maker(options)
    changed: list[pl.Series] = []
    for column in part.iter_columns():
        kind = column.dtype
        if kind in _INTEGERS or kind == pl.Null or _is_plain(column, options):
            continue
        if kind == pl.String and not options.escape_formulas:
            ready = column
        elif kind == pl.Boolean:
            words = pl.Series(["False", "True"])
            ready = words.gather(column.cast(pl.UInt32)).alias(column.name)
        else:
            texts = [cell(value) for value in column.to_list()]
            ready = pl.Series(column.name, texts, dtype=pl.String)
        changed.append(_without_empty(ready, options))
    return changed


def _is_plain(column: pl.Series, options: CsvOptions) -> bool:
    """Return whether Polars writes the floats or dates of a column as rows would be written."""
    if column.dtype == pl.Float64:
        return options.float_format is None and _plain_floats(column)
    return column.dtype == pl.Date and options.datetime_format is None


def _without_empty(column: pl.Series, options: CsvOptions) -> pl.Series:
    # Polars quotes the empty string, to tell it from null; csv.writer does not
    if options.null_text or not _has_empty(column):
        return column
    return column.set(column == "", None)


def _has_empty(column: pl.Series) -> bool:
    return bool((column == "").any())


def _plain_floats(column: pl.Series) -> bool:
    size = column.abs()
    plain = ((size >= _SMALL_FLOAT) & (size < _LARGE_FLOAT)) | (size == 0)
    return plain.all() is True


def frame_json_array(
    parts: Iterable[pl.DataFrame], options: JsonOptions, tally: Tally
) -> Iterator[Block]:
    """Yield the parts of a frame as one JSON array, in pieces of whole rows.

    Raises:
        ExportValueError: a value has no JSON.
    """
    by_rows, buffer = array_encoder(options), _Reused()

    def encode(part: pl.DataFrame, done_rows: int) -> memoryview:
        if not _polars_can(part, options):
            return by_rows(part.to_dicts(), done_rows)
        return memoryview(buffer.filled(part.write_json, cut=1))

    return json_array(parts, encode, options, tally)


def frame_json_lines(
    parts: Iterable[pl.DataFrame], options: JsonOptions, tally: Tally
) -> Iterator[bytes]:
    """Yield the parts of a frame as JSON, one row a line, in pieces of whole lines.

    Raises:
        ExportValueError: a value has no JSON.
    """
    by_rows, buffer = lines_encoder(options), _Reused()

    def encode(part: pl.DataFrame, done_rows: int) -> bytes:
        if not _polars_can(part, options):
            return by_rows(part.to_dicts(), done_rows)
        return buffer.filled(part.write_ndjson)

    return json_lines(parts, encode, options, tally)


def _polars_can(part: pl.DataFrame, options: JsonOptions) -> bool:
    if options.indent or options.sort_keys:
        return False
    return all(map(_same_in_json, part.iter_columns()))


def _same_in_json(column: pl.Series) -> bool:
    if column.dtype in _SAME_IN_JSON:
        return True
    return column.dtype == pl.Float64 and (column.abs() < _LARGE_FLOAT).all() is True
