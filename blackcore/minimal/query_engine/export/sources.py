"""What can be exported, brought to one shape: slices, which are short lists of rows."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import countOf
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeGuard, runtime_checkable

from ..errors import ExportOptionError, ExportValueError

if TYPE_CHECKING:
    import polars as pl

    from ..settings import ExportSettings

Row: TypeAlias = Mapping[str, object]
"""One record. Its keys are the fields."""
Slice: TypeAlias = Sequence[Row]

_SAMPLE_ROWS = 32
_GATHERED_ROWS = 250  # handed from the loop to the thread at a time
_PIECE_BYTES = 128 * 1024


@runtime_checkable
class ArrowStream(Protocol):
    """A table of columns: Polars, pyarrow and pandas all have this method."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return a capsule with the stream of record batches."""


@runtime_checkable
class RowChunks(Protocol):
    """Rows that are kept elsewhere and handed out in lists, as often as asked: a query's result."""

    def __len__(self) -> int:
        """Return how many rows there are."""

    def chunks(self, chunk_rows: int) -> Iterable[Sequence[Row]]:
        """Return all rows in order, in lists of at most so many."""


@runtime_checkable
class ColumnParts(Protocol):
    """A table of columns that is read part by part."""

    @property
    def columns(self) -> list[str]:
        """The fields' names, in order."""

    @property
    def height(self) -> int | None:
        """How many rows there are, None where that is not known."""

    def parts(self, most_rows: int) -> Iterator[pl.DataFrame]:
        """Yield all rows in order, in frames of at most so many."""


@runtime_checkable
class BuiltColumns(Protocol):
    """A source that may have its rows as columns already."""

    def built_columns(self) -> ColumnParts | None:
        """Return the rows as columns, or None where there are none.

        None too where columns would not say all that the rows do: a missing key is no null in
        JSON, and a column has one type.
        """


@runtime_checkable
class Question(Protocol):
    """Rows that are yet to be asked for: a query."""

    def run(self) -> RowChunks:
        """Return the rows."""


SyncRows: TypeAlias = Iterable[Row] | Iterable[Sequence[Row]]
AsyncRows: TypeAlias = AsyncIterable[Row] | AsyncIterable[Sequence[Row]]
Rows: TypeAlias = (
    SyncRows | AsyncRows | ArrowStream | ColumnParts | RowChunks | BuiltColumns | Question
)
"""Rows one by one or in chunks (lists of rows), from a sync or async iterable; columns; a query."""


def is_once(data: object) -> bool:
    """Return whether the rows can be read only once."""
    if isinstance(data, RowChunks):
        return False
    return not isinstance(data, Iterable) or isinstance(data, Iterator)


def is_async(data: object) -> TypeGuard[AsyncRows]:
    """Return whether the rows must be awaited. What offers both is read without awaiting."""
    return isinstance(data, AsyncIterable) and not isinstance(data, Iterable)


def require_rows(data: object) -> None:
    """Raise ExportOptionError for what cannot be a source of rows, as far as the type tells."""
    wanted = "give an iterable of dicts, of lists of dicts, a query's result, or a data frame"
    if isinstance(data, (str, bytes, bytearray, os.PathLike)):
        raise ExportOptionError(f"data is {type(data).__name__} {str(data)[:80]!r}; {wanted}")
    if isinstance(data, Mapping):
        raise ExportOptionError(f"data is one {type(data).__name__}; {wanted}: [row], not row")
    if not isinstance(data, (Iterable, AsyncIterable, ArrowStream, RowChunks, Question)):
        raise ExportOptionError(f"data is a {type(data).__name__}; {wanted}")


def known_rows(data: object) -> int | None:
    """Return how many rows the source holds where it is a list of rows, else None."""
    if isinstance(data, (ArrowStream, ColumnParts)):
        height = getattr(data, "height", getattr(data, "num_rows", None))
        return height if isinstance(height, int) else None
    if isinstance(data, RowChunks):
        return len(data)
    if isinstance(data, (list, tuple)) and not (data and isinstance(data[0], (list, tuple))):
        return len(data)
    return None


def slices_of(data: Rows, settings: ExportSettings) -> Iterator[Slice]:
    """Yield the rows in order, in slices of at most ``slice_rows``, fewer where rows are large.

    Raises:
        ExportValueError: something that is neither a row nor a list of rows came up.
    """
    if isinstance(data, (list, tuple)) and data and isinstance(data[0], Mapping):
        yield from _cut(data, 0, settings)
        return
    if isinstance(data, ArrowStream):
        yield from _frame_slices(data, settings)
        return
    if isinstance(data, RowChunks):
        yield from slices_of_chunks(data.chunks(settings.chunk_rows), settings)
        return
    if not isinstance(data, Iterable):
        raise ExportOptionError(f"a {type(data).__name__} must be awaited for its rows")
    iterator: Iterator[object] = iter(data)
    done_rows = 0
    for first in iterator:
        if isinstance(first, (list, tuple)):
            chunk = first
            for piece in _cut(chunk, done_rows, settings):
                yield piece
            done_rows += len(chunk)
        else:
            rows = chain([require_row(first, done_rows + 1)], iterator)
            for piece in _gather(rows, settings):
                done_rows += len(piece)
                yield piece


def _frame_slices(data: ArrowStream, settings: ExportSettings) -> Iterator[Slice]:
    import polars as pl

    frame = data if isinstance(data, pl.DataFrame) else pl.DataFrame(data)
    for part in frame.iter_slices(settings.slice_rows):
        yield part.to_dicts()


def _cut(chunk: Sequence[object], done_rows: int, settings: ExportSettings) -> Iterator[Slice]:
    """Yield slices of rows that are in memory already."""
    start = 0
    while start < len(chunk):
        step = settings.slice_rows
        estimate = rough_bytes(chunk[start])
        if estimate * step > settings.chunk_bytes:
            step = max(1, settings.chunk_bytes // estimate)
        piece = chunk[start : start + step]
        yield require_slice(piece, done_rows + start)
        start += step


def _gather(rows: Iterator[object], settings: ExportSettings) -> Iterator[Slice]:
    """Yield slices of rows that are made one by one, looking at the size of every few."""
    done_rows, step = 0, 1
    while True:
        piece: list[object] = []
        budget_bytes = settings.chunk_bytes
        while len(piece) < settings.slice_rows and budget_bytes > 0:
            some = list(islice(rows, min(step, settings.slice_rows - len(piece))))
            if not some:
                break
            piece += some
            estimate = rough_bytes(some[-1])
            budget_bytes -= estimate * len(some)
            step = max(1, min(step * 2, _SAMPLE_ROWS, _PIECE_BYTES // (estimate + 1)))
        if not piece:
            return
        yield require_slice(piece, done_rows)
        done_rows += len(piece)


def rough_bytes(row: object) -> int:
    """Return about how many bytes of text a row will take; nested values are not looked into."""
    if type(row) is not dict and not isinstance(row, Mapping):
        return 1
    texts = [value for value in row.values() if type(value) is str or isinstance(value, bytes)]
    return 8 * len(row) + sum(map(len, texts))


def require_slice(piece: Sequence[object], done_rows: int) -> Slice:
    """Return the piece, all of whose members are rows.

    Raises:
        ExportValueError: one is not; the message says which.
    """
    if countOf(map(type, piece), dict) == len(piece):
        return piece  # type: ignore[return-value]  # every member is a dict
    return [require_row(row, done_rows + number) for number, row in enumerate(piece, 1)]


def require_row(row: object, number: int) -> Row:
    """Return the row, as a dict where it is another kind of mapping.

    Raises:
        ExportValueError: it is no mapping.
    """
    if isinstance(row, dict):
        return row
    if isinstance(row, Mapping):
        return dict(row)
    raise ExportValueError(
        f"row {number} is {_shown(row)}; rows are dicts, or lists of dicts as chunks",
        rows_written=number - 1,
    )


def _shown(value: object) -> str:
    if value is None:
        return "None"
    return f"of type {type(value).__name__}: {str(value)[:60]!r}"


def slices_of_chunks(
    chunks: Iterable[Sequence[object]], settings: ExportSettings
) -> Iterator[Slice]:
    """Yield the rows of all chunks in order, in slices.

    Raises:
        ExportValueError: a member of a chunk is not a row.
    """
    done_rows = 0
    for chunk in chunks:
        yield from _cut(chunk, done_rows, settings)
        done_rows += len(chunk)


async def chunks_from_async(
    data: AsyncRows, settings: ExportSettings
) -> AsyncGenerator[Sequence[object], None]:
    """Yield what an async source gives: its chunks as they are, single rows a slice at a time.

    Nothing is looked into but the size of every few rows: the checks belong to another thread.
    """
    piece: list[object] = []
    most_rows = min(settings.chunk_rows, _GATHERED_ROWS)
    room_bytes, next_look = settings.chunk_bytes, 1
    async for item in data:
        if isinstance(item, (list, tuple)):
            if piece:
                yield piece
                piece, next_look = [], 1
            yield item
            continue
        piece.append(item)
        if len(piece) < next_look:
            continue
        room_bytes -= rough_bytes(item) * _SAMPLE_ROWS
        next_look = min(len(piece) + _SAMPLE_ROWS, most_rows)
        if room_bytes <= 0 or len(piece) >= most_rows:
            yield piece
            piece, next_look, room_bytes = [], 1, settings.chunk_bytes
    if piece:
        yield piece
