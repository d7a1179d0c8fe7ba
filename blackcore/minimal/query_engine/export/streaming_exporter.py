"""Rows in, text out: to files that are never half written, and to streams."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict, Unpack

from ..errors import ExportOptionError
from ..settings import ExportSettings
from .compression import codec_for
from .file_run import FileRun
from .formats import Format, TextOptions, format_of, options_for
from .job import ExportJob
from .options import CsvOptions
from .progress import ProgressCallback, Tally
from .sources import Rows, known_rows, require_rows
from .stream_run import stream
from .targets import Target, TargetOptions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .atomic_file import OnExists
    from .compression import Compression
    from .options import JsonOptions


class StreamArguments(TypedDict, total=False):
    """What every stream takes beside its data and options."""

    total_rows: int | None
    """How many rows will come, for progress; lists and frames say it themselves."""
    on_progress: ProgressCallback | None
    """Called with each ExportProgress, instead of the exporter's own callback."""
    compression: Compression
    """``none``, ``gzip`` or ``zstd``; a file's is ``infer`` unless given: by .gz or .zst."""


class FileArguments(StreamArguments, total=False):
    """What every export to a file takes beside its data, target and options."""

    progress: bool
    """True draws a tqdm bar (extra ``progress``)."""
    on_exists: OnExists
    """``replace`` unless given; ``error`` refuses a path that exists."""
    compression_level: int | None
    """As the format counts: 6 for gzip and 3 for zstd unless given."""


class StreamingExporter:
    """Writes rows as CSV and JSON, to files and to streams.

    Rows are dicts, one by one or in lists, from sync or async iterables; data frames and Arrow
    tables serve too. Memory stays bounded however many rows come. A file gets its name when it
    is complete: errors and cancellation leave the old one. The async methods format in a thread
    of their own and leave the event loop free; a sync source is read in that thread, so one that
    blocks does not block the loop (and is waited for when the export is cancelled).

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
        chunk_size: int | None = None,
        *,
        options: TextOptions | None = None,
        **arguments: Unpack[FileArguments],
    ) -> int:
        """Return the number of rows written, in the format that is given or the suffix names.

        Args:
            data: the rows.
            path: where to: a path, or an open file, which needs a format.
            format: csv, tsv, json or jsonl.
            chunk_size: rows gathered ahead at most; the settings' ``chunk_rows`` unless given.
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
        chunk_size: int | None = None,
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
        chunk_size: int | None = None,
        *,
        options: CsvOptions | None = None,
        **arguments: Unpack[FileArguments],
    ) -> int:
        """Return the number of rows written as CSV; ``export_async`` says the rest."""
        return await self.export_async(
            data_iterator, output_path, "csv", chunk_size, options=options, **arguments
        )

    async def export_json_async(
        self,
        data_iterator: Rows,
        output_path: Target,
        chunk_size: int | None = None,
        *,
        options: JsonOptions | None = None,
        **arguments: Unpack[FileArguments],
    ) -> int:
        """Return the number of rows written as one JSON array; ``export_async`` says the rest."""
        return await self.export_async(
            data_iterator, output_path, "json", chunk_size, options=options, **arguments
        )

    async def export_jsonl_async(
        self,
        data_iterator: Rows,
        output_path: Target,
        chunk_size: int | None = None,
        *,
        options: JsonOptions | None = None,
        **arguments: Unpack[FileArguments],
    ) -> int:
        """Return the number of rows written, one JSON object a line; see ``export_async``."""
        return await self.export_async(
            data_iterator, output_path, "jsonl", chunk_size, options=options, **arguments
        )

    def export_csv(
        self,
        data_iterator: Rows,
        output_path: Target,
        chunk_size: int | None = None,
        *,
        options: CsvOptions | None = None,
        **arguments: Unpack[FileArguments],
    ) -> int:
        """Return the number of rows written as CSV; ``export`` says the rest."""
        return self.export(
            data_iterator, output_path, "csv", chunk_size, options=options, **arguments
        )

    def export_json(
        self,
        data_iterator: Rows,
        output_path: Target,
        chunk_size: int | None = None,
        *,
        options: JsonOptions | None = None,
        **arguments: Unpack[FileArguments],
    ) -> int:
        """Return the number of rows written as one JSON array; ``export`` says the rest."""
        return self.export(
            data_iterator, output_path, "json", chunk_size, options=options, **arguments
        )

    def export_jsonl(
        self,
        data_iterator: Rows,
        output_path: Target,
        chunk_size: int | None = None,
        *,
        options: JsonOptions | None = None,
        **arguments: Unpack[FileArguments],
    ) -> int:
        """Return the number of rows written, one JSON object a line; see ``export``."""
        return self.export(
            data_iterator, output_path, "jsonl", chunk_size, options=options, **arguments
        )

    def stream_csv(
        self,
        data: Rows,
        chunk_size: int | None = None,
        *,
        options: CsvOptions | None = None,
        **arguments: Unpack[StreamArguments],
    ) -> AsyncGenerator[bytes, None]:
        """Return an async generator of CSV in blocks, for the body of an HTTP response.

        The first block is ready before anything is yielded, so that an error in it can still
        become an error status; a later one raises. One block is formatted ahead, no more, until
        the consumer asks again. ``aclose`` (which a server calls when its client goes away) ends
        the thread and closes the source.

        Raises:
            ExportOptionError: an option that cannot be; at once, before any iteration.
        """
        return self._stream(data, "csv", chunk_size, options, arguments)

    def stream_json(
        self,
        data: Rows,
        chunk_size: int | None = None,
        *,
        options: JsonOptions | None = None,
        **arguments: Unpack[StreamArguments],
    ) -> AsyncGenerator[bytes, None]:
        """Return an async generator of one JSON array in blocks; ``stream_csv`` says the rest."""
        return self._stream(data, "json", chunk_size, options, arguments)

    def stream_jsonl(
        self,
        data: Rows,
        chunk_size: int | None = None,
        *,
        options: JsonOptions | None = None,
        **arguments: Unpack[StreamArguments],
    ) -> AsyncGenerator[bytes, None]:
        """Return an async generator of JSON lines in blocks; ``stream_csv`` says the rest."""
        return self._stream(data, "jsonl", chunk_size, options, arguments)

    def _stream(
        self,
        data: Rows,
        chosen: Format,
        chunk_size: int | None,
        options: TextOptions | None,
        arguments: StreamArguments,
    ) -> AsyncGenerator[bytes, None]:
        job = self._job(data, chosen, chunk_size, options, arguments.get("total_rows"))
        codec = codec_for(arguments.get("compression", "none"), None)
        return stream(job, arguments.get("on_progress") or self.on_progress, codec)

    def _run(
        self,
        data: Rows,
        target: Target,
        chosen: Format,
        chunk_size: int | None,
        options: TextOptions | None,
        arguments: FileArguments,
    ) -> FileRun:
        unknown = arguments.keys() - FileArguments.__annotations__.keys()
        if unknown:
            allowed = ", ".join(FileArguments.__annotations__)
            raise ExportOptionError(
                f"there is no export argument {min(unknown)!r}; allowed: {allowed}"
            )
        return FileRun(
            job=self._job(data, chosen, chunk_size, options, arguments.get("total_rows")),
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
        chunk_size: int | None,
        options: TextOptions | None,
        total_rows: int | None,
    ) -> ExportJob:
        require_rows(data)
        settings = self.settings
        if chunk_size is not None:
            if chunk_size <= 0:
                raise ExportOptionError(f"chunk_size is {chunk_size!r}; it must be 1 or greater")
            settings = replace(
                settings, chunk_rows=chunk_size, slice_rows=min(settings.slice_rows, chunk_size)
            )
        total = total_rows if total_rows is not None else known_rows(data)
        interval = settings.progress_interval_seconds
        tally = Tally(total_rows=total, interval_seconds=interval)
        final = options_for(chosen, options)
        selected = getattr(data, "select", None)  # a result's projection, known without a row
        if (
            isinstance(final, CsvOptions)
            and final.fieldnames is None
            and isinstance(selected, tuple)
        ):
            final = replace(final, fieldnames=tuple(selected))
        return ExportJob(data, chosen, final, settings, tally)
