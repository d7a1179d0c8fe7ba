"""One export from its rows to its last byte, in the thread that runs it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from ..errors import ExportError, ExportOptionError
from .atomic_file import Block
from .csv_columns import columns_of
from .formats import Format, TextOptions, text_of, text_of_columns
from .options import CsvOptions
from .pipeline import Stopped, paused
from .progress import ExportProgress, Tally
from .sources import (
    ArrowStream,
    BuiltColumns,
    ColumnParts,
    Question,
    Rows,
    Slice,
    is_once,
    known_rows,
    require_rows,
    slices_of,
    slices_of_chunks,
)
from .targets import Target, TargetOptions, compression_of, open_target

if TYPE_CHECKING:
    from ..settings import ExportSettings

B = TypeVar("B", bytes, Block)
Pause = Callable[[], None]
_STREAMED_BLOCKS = 8
Report = Callable[[ExportProgress], None]


@dataclass(frozen=True, slots=True)
class ExportJob:
    """What is to be exported, and how. Run it once: the tally counts one run."""

    data: Rows
    chosen: Format
    options: TextOptions
    settings: ExportSettings
    tally: Tally = field(repr=False)

    def beside_loop(self) -> ExportJob:
        """Return the same job in slices short enough for an event loop beside it."""
        short = min(self.settings.slice_rows, self.settings.shared_slice_rows)
        return replace(self, settings=replace(self.settings, slice_rows=short))

    def asked(self) -> ExportJob:
        """Return the job of the rows themselves: of a query, those of its answer.

        Columns take the place of rows where they are there and say the same. The projection of a
        result says which columns there are, without a row.

        Raises:
            QueryEngineError: the query cannot be answered.
        """
        data: Rows = self.data
        if isinstance(data, Question):
            data = data.run()
            require_rows(data)
        options = self.options
        selected = getattr(data, "select", None)  # a frame has a method of that name
        if (
            isinstance(options, CsvOptions)
            and options.fieldnames is None
            and isinstance(selected, tuple)
        ):
            options = replace(options, fieldnames=selected)
        data = _columns_or_rows(data, options)
        if self.tally.total_rows is None:
            self.tally.total_rows = known_rows(data)
        return replace(self, data=data, options=options)

    def write(
        self,
        target: Target,
        target_options: TargetOptions,
        *,
        pause: Pause,
        report: Report | None,
        chunks: Iterable[Sequence[object]] | None = None,
    ) -> int:
        """Return the number of rows written to the target.

        Args:
            target: a path, or an open file.
            target_options: how it is written.
            pause: called before each slice; what it raises ends the export.
            report: called now and then with the progress.
            chunks: the rows, where the data is async and something else awaits it.

        Raises:
            ExportError: the target, an option or a row would not do.
        """
        plain = compression_of(target, target_options) == "none"
        with open_target(target, target_options, self.tally, durable=self.settings.durable) as sink:
            join = _unjoined if plain else _joined
            for block in self._blocks(join, pause, chunks, self.settings.chunk_bytes):
                sink.write(block)
                del block
                progress = None if report is None else self.tally.due()
                if report is not None and progress is not None:
                    report(progress)
        return self.tally.rows

    def blocks(
        self, *, pause: Pause, chunks: Iterable[Sequence[object]] | None = None
    ) -> Generator[bytes, None, None]:
        """Yield the text in blocks of at least ``block_bytes``, the last one excepted.

        Raises:
            ExportError: an option or a row would not do.
        """
        # columns are formatted in large parts, each of which would be one block for a slow reader
        part_bytes = min(self.settings.chunk_bytes, _STREAMED_BLOCKS * self.settings.block_bytes)
        return self._blocks(_joined, pause, chunks, part_bytes)

    def _blocks(
        self,
        join: Callable[[Iterator[Block], int], Iterator[B]],
        pause: Pause,
        chunks: Iterable[Sequence[object]] | None,
        part_bytes: int,
    ) -> Generator[B, None, None]:
        try:
            pieces = self._pieces(pause, chunks, part_bytes)
            yield from join(pieces, self.settings.block_bytes)
        except (ExportError, Stopped):
            raise
        except Exception as error:
            error.add_note(f"the export stopped after {self.tally.rows} rows")
            raise
        finally:
            if inspect.isgenerator(self.data):
                self.data.close()

    def _pieces(
        self, pause: Pause, chunks: Iterable[Sequence[object]] | None, part_bytes: int
    ) -> Iterator[Block]:
        if isinstance(self.data, ColumnParts):
            settings = replace(self.settings, chunk_bytes=part_bytes)
            return text_of_columns(
                self.data, self.chosen, self.options, self.tally, settings, pause
            )
        names = self._gathered(pause)
        slices = self._slices(chunks)
        return text_of(
            slices, self.chosen, self.options, self.tally, self.settings, pause, columns=names
        )

    def _slices(self, chunks: Iterable[Sequence[object]] | None) -> Iterator[Slice]:
        if chunks is not None:
            return slices_of_chunks(chunks, self.settings)
        return slices_of(self.data, self.settings)

    def _gathered(self, pause: Pause) -> tuple[str, ...] | None:
        """Return the columns of all rows where a first pass is to find them, else None."""
        options = self.options
        if not isinstance(options, CsvOptions) or options.late_columns != "gather":
            return None
        if options.fieldnames is not None:
            return None
        if is_once(self.data):
            raise ExportOptionError(
                "late_columns='gather' reads the rows twice, and a "
                f"{type(self.data).__name__} can be read once; give a list, or name all columns "
                "in CsvOptions.fieldnames"
            )
        return columns_of(paused(slices_of(self.data, self.settings), pause), options.flatten)


def _columns_or_rows(data: Rows, options: TextOptions) -> Rows:
    """Return the data as columns where it has them and they will do, else as it is."""
    wanted: tuple[str, ...] | None = None
    if isinstance(options, CsvOptions):
        if options.flatten is not None:
            return data
        wanted = options.fieldnames
    if isinstance(data, BuiltColumns):
        columns = data.built_columns()
        # a field that no row has is an empty cell, whether or not there are columns
        if columns is None or not set(wanted or ()) <= set(columns.columns):
            return data
        return columns
    if isinstance(data, ArrowStream):
        from .frames import table_columns

        return table_columns(data)
    return data


def _joined(pieces: Iterator[Block], block_bytes: int) -> Iterator[bytes]:
    """Yield the pieces joined to blocks of at least so many bytes, the last one excepted."""
    waiting: list[Block] = []
    waiting_bytes = 0
    for piece in pieces:
        waiting.append(piece)
        waiting_bytes += len(piece)
        if waiting_bytes >= block_bytes:
            yield b"".join(waiting)
            waiting.clear()
            waiting_bytes = 0
    if waiting:
        yield b"".join(waiting)


def _unjoined(pieces: Iterator[Block], block_bytes: int) -> Iterator[Block]:
    """Yield large pieces as they are, small ones joined: a copy costs more than a write."""
    small: list[Block] = []
    small_bytes = 0
    for piece in pieces:
        large = len(piece) >= block_bytes
        if not large:
            small.append(piece)
            small_bytes += len(piece)
        if small and (large or small_bytes >= block_bytes):
            yield b"".join(small)
            small.clear()
            small_bytes = 0
        if large:
            yield piece
        del piece  # or the next one would be made beside it rather than in its place
    if small:
        yield b"".join(small)
