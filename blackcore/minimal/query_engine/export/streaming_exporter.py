"""Rows in, text out: to files that are never half written, and to streams."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict, Unpack

from ..errors import ExportOptionError
from ..settings import ExportSettings
from .compression import StreamCompression, codec_for
from .file_run import FileRun
from .formats import Format, TextOptions, format_of, options_for
from .job import ExportJob
from .options import require_choice
from .progress import ProgressCallback, Tally
from .sources import Rows, known_rows, require_rows
from .stream_run import stream
from .targets import Target, TargetOptions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .atomic_file import OnExists
    from .compression import Compression
    from .options import CsvOptions, JsonOptions


class CommonArguments(TypedDict, total=False):
    """What every export takes."""

    total_rows: int | None
    """How many rows will come, for progress; lists, frames and results say it themselves."""
    on_progress: ProgressCallback | None
    """Called with each ExportProgress, instead of the exporter's own callback."""


class StreamArguments(CommonArguments, total=False):
    """What every stream takes beside its data and options."""

    compression: StreamCompression
    """``none`` unless given."""


class FileArguments(CommonArguments, total=False):
    """What every export to a file takes beside its data, target and options."""

    compression: Compression
    """``infer`` unless given: by the suffix .gz or .zst."""
    progress: bool
    """True draws a tqdm bar (extra ``progress``)."""
    on_exists: OnExists
    """``replace`` unless given; ``error`` refuses a path that exists."""
    compression_level: int | None
    """As the format counts: 6 for gzip and 3 for zstd unless given."""


class CsvFileArguments(FileArguments, total=False):
    """What an export of CSV to a file takes beside its data and target."""

    options: CsvOptions | None


class JsonFileArguments(FileArguments, total=False):
    """What an export of JSON to a file takes beside its data and target."""

    options: JsonOptions | None


class CsvStreamArguments(StreamArguments, total=False):
    """What a stream of CSV takes beside its data."""

    options: CsvOptions | None


class JsonStreamArguments(StreamArguments, total=False):
    """What a stream of JSON takes beside its data."""

    options: JsonOptions | None


CHUNK_ROWS = 10_000
"""Rows gathered ahead of the writer at most, where the caller does not say."""


class StreamingExporter:
    """Writes rows as CSV and JSON, to files and to streams.

    Rows are dicts, one by one or in lists, from sync or async iterables; results, queries, data
    frames and Arrow tables serve too. Memory stays bounded however many rows come. A file gets its
    name when it is complete: errors and cancellation leave the old one. The async methods format
    in a thread of their own and leave the event loop free; a query is run and a sync source read
    in that thread, so one that blocks does not block the loop (and is waited for when the export
    is cancelled).

    Safe to share between threads and tasks: exports do not touch each other.
    """

    def __init__(
        self,
        settings: ExportSettings | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> None:
        self.settings = settings if settings is not None else ExportSettings()
        self.on_progress = on_progress

    async def export_async(
        self,
        data: Rows,
        path: Target,
        format: str | None = None,  # noqa: A002 - the name that callers know
        chunk_size: int = CHUNK_ROWS,
        *,
        options: TextOptions | None = None,
        **arguments: Unpack[FileArguments],
    ) -> int:
        """Return the number of rows written, in the format that is given or the suffix names.

        Args:
            data: the rows.
            path: where to: a path, or an open file, which needs a format.
            format: csv, tsv, json or jsonl.
            chunk_size: rows gathered ahead at most, in which the columns of CSV are found.
            options: CsvOptions or JsonOptions, as the format wants.
            **arguments: see FileArguments.

        Raises:
            ExportPathError: the target cannot be written.
            ExportOptionError: an option that cannot be.
            ExportValueError: a row that the format cannot hold.
        """
        chosen = format_of(path, format)
        return await self._run(data, path, chosen, chunk_size, options, arguments).in_thread()

    def export(
        self,
        data: Rows,
        path: Target,
        format: str | None = None,  # noqa: A002 - the name that callers know
        chunk_size: int = CHUNK_ROWS,
        *,
        options: TextOptions | None = None,
        **arguments: Unpack[FileArguments],
    ) -> int:
        """Return the number of rows written: ``export_async`` for callers that do not await.

        Works in notebooks too, where a loop runs already. Raises the same errors.
        """
        chosen = format_of(path, format)
        return self._run(data, path, chosen, chunk_size, options, arguments).here()

    async def export_csv_async(
        self,
        data_iterator: Rows,
        output_path: Target,
        chunk_size: int = CHUNK_ROWS,
        **arguments: Unpack[CsvFileArguments],
    ) -> int:
        """Return the number of rows written as CSV; ``export_async`` says the rest."""
        return await self.export_async(data_iterator, output_path, "csv", chunk_size, **arguments)

    async def export_json_async(
        self,
        data_iterator: Rows,
        output_path: Target,
        chunk_size: int = CHUNK_ROWS,
        **arguments: Unpack[JsonFileArguments],
    ) -> int:
        """Return the number of rows written as one JSON array; ``export_async`` says the rest."""
        return await self.export_async(data_iterator, output_path, "json", chunk_size, **arguments)

    async def export_jsonl_async(
        self,
        data_iterator: Rows,
        output_path: Target,
        chunk_size: int = CHUNK_ROWS,
        **arguments: Unpack[JsonFileArguments],
    ) -> int:
        """Return the number of rows written, one JSON object a line; see ``export_async``."""
        return await self.export_async(data_iterator, output_path, "jsonl", chunk_size, **arguments)

    def export_csv(
        self,
        data_iterator: Rows,
        output_path: Target,
        chunk_size: int = CHUNK_ROWS,
        **arguments: Unpack[CsvFileArguments],
    ) -> int:
        """Return the number of rows written as CSV; ``export`` says the rest."""
        return self.export(data_iterator, output_path, "csv", chunk_size, **arguments)

    def export_json(
        self,
        data_iterator: Rows,
        output_path: Target,
        chunk_size: int = CHUNK_ROWS,
        **arguments: Unpack[JsonFileArguments],
    ) -> int:
        """Return the number of rows written as one JSON array; ``export`` says the rest."""
        return self.export(data_iterator, output_path, "json", chunk_size, **arguments)

    def export_jsonl(
        self,
        data_iterator: Rows,
        output_path: Target,
        chunk_size: int = CHUNK_ROWS,
        **arguments: Unpack[JsonFileArguments],
    ) -> int:
        """Return the number of rows written, one JSON object a line; see ``export``."""
        return self.export(data_iterator, output_path, "jsonl", chunk_size, **arguments)

    def stream_csv(
        self,
        data: Rows,
        chunk_size: int = CHUNK_ROWS,
        **arguments: Unpack[CsvStreamArguments],
    ) -> AsyncGenerator[bytes, None]:
        """Return an async generator of CSV in blocks, for the body of an HTTP response.

        The first block is ready before anything is yielded, so that an error in it can still
        become an error status; a later one raises. One block is formatted ahead, no more, until
        the consumer asks again. ``aclose`` (which a server calls when its client goes away) ends
        the thread and closes the source.

        Raises:
            ExportOptionError: an option that cannot be; at once, before any iteration.
        """
        return self._stream(data, "csv", chunk_size, **arguments)

    def stream_json(
        self,
        data: Rows,
        chunk_size: int = CHUNK_ROWS,
        **arguments: Unpack[JsonStreamArguments],
    ) -> AsyncGenerator[bytes, None]:
        """Return an async generator of one JSON array in blocks; ``stream_csv`` says the rest."""
        return self._stream(data, "json", chunk_size, **arguments)

    def stream_jsonl(
        self,
        data: Rows,
        chunk_size: int = CHUNK_ROWS,
        **arguments: Unpack[JsonStreamArguments],
    ) -> AsyncGenerator[bytes, None]:
        """Return an async generator of JSON lines in blocks; ``stream_csv`` says the rest."""
        return self._stream(data, "jsonl", chunk_size, **arguments)

    def _stream(
        self,
        data: Rows,
        chosen: Format,
        chunk_size: int,
        options: TextOptions | None = None,
        **arguments: Unpack[StreamArguments],
    ) -> AsyncGenerator[bytes, None]:
        _require_known(arguments, StreamArguments)
        compression = arguments.get("compression", "none")
        require_choice("a stream", "compression", compression, StreamCompression)
        job = self._job(data, chosen, chunk_size, options, arguments)
        codec = codec_for(compression, None)
        return stream(job, arguments.get("on_progress") or self.on_progress, codec)

    def _run(
        self,
        data: Rows,
        target: Target,
        chosen: Format,
        chunk_size: int,
        options: TextOptions | None,
        arguments: FileArguments,
    ) -> FileRun:
        _require_known(arguments, FileArguments)
        return FileRun(
            job=self._job(data, chosen, chunk_size, options, arguments),
            target=target,
            target_options=TargetOptions(
                on_exists=arguments.get("on_exists", "replace"),
                compression=arguments.get("compression", "infer"),
                compression_level=arguments.get("compression_level"),
            ),
            callback=arguments.get("on_progress") or self.on_progress,
            bar=arguments.get("progress", False),
        )

    def _job(
        self,
        data: Rows,
        chosen: Format,
        chunk_size: int,
        options: TextOptions | None,
        arguments: CommonArguments,
    ) -> ExportJob:
        require_rows(data)
        if chunk_size <= 0:
            raise ExportOptionError(f"chunk_size is {chunk_size!r}; it must be 1 or greater")
        chunk_rows = min(chunk_size, self.settings.chunk_rows)
        settings = replace(
            self.settings,
            chunk_rows=chunk_rows,
            slice_rows=min(self.settings.slice_rows, chunk_rows),
        )
        given = arguments.get("total_rows")
        tally = Tally(
            total_rows=known_rows(data) if given is None else given,
            interval_seconds=settings.progress_interval_seconds,
        )
        return ExportJob(data, chosen, options_for(chosen, options), settings, tally)


def _require_known(arguments: CommonArguments, family: type[CommonArguments]) -> None:
    unknown = arguments.keys() - family.__annotations__.keys()
    if unknown:
        allowed = ", ".join(family.__annotations__)
        raise ExportOptionError(f"there is no export argument {min(unknown)!r}; allowed: {allowed}")
