"""Standard output and standard error: rows, notes and the progress of long work."""

from __future__ import annotations

import shutil
import sys
import time
from typing import IO, TYPE_CHECKING, Literal, Self, TypeAlias, cast

from ..errors import ExportPathError
from ..export import CsvOptions
from ..optimization.plan import shown_time
from .tables import Column, cut, escaped, table_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..export import ExportProgress, StreamingExporter
    from ..loaders import LoadProgress

RowFormat: TypeAlias = Literal["table", "json", "jsonl", "csv"]


def say(text: str) -> None:
    """Write lines to standard output, safe for a terminal."""
    sys.stdout.write(f"{escaped(text, keep_lines=True)}\n")


def note(text: str) -> None:
    """Write one line to standard error, whatever the text holds."""
    sys.stderr.write(f"{escaped(text)}\n")


def show_table(columns: Sequence[Column]) -> int:
    """Write a table, cut to the terminal if there is one; return how many columns had no room."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    lines, hidden = table_lines(columns, width)
    for line in lines:
        sys.stdout.write(f"{line}\n")
    return hidden


class _TerminalText:
    """An open text file that shows control characters instead of handing them to a terminal."""

    encoding = "utf-8"
    name = "standard output"

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str, /) -> int:
        """Write the text; the ends of lines stay."""
        return self._file.write(escaped(text, keep_lines=True))

    def flush(self) -> None:
        """Hand on what is written."""
        self._file.flush()


def write_rows(
    rows: list[dict[str, object]],
    chosen: RowFormat,
    exporter: StreamingExporter,
    columns: tuple[str, ...] | None = None,
) -> None:
    """Write rows to standard output as JSON, JSON lines or CSV (of these columns, if given).

    Into a pipe or a file they go as UTF-8, whatever the locale; to a terminal safely.

    Raises:
        ExportError: a value that the format cannot hold.
        OSError: the output takes no more, or whoever read it has gone.
    """
    sys.stdout.flush()
    target: IO[bytes] | IO[str] = getattr(sys.stdout, "buffer", sys.stdout)
    if sys.stdout.isatty():
        target = cast("IO[str]", _TerminalText(sys.stdout))
    try:
        if chosen == "csv":
            options = CsvOptions(fieldnames=columns, late_columns="gather", line_end="\n")
            exporter.export_csv(rows, target, options=options)
        else:
            exporter.export(rows, target, chosen)
    except ExportPathError as error:
        # no file was meant, of which the exporter's error speaks
        raise error.__cause__ or error from None
    if chosen == "json":
        sys.stdout.write("\n")


class ProgressLine:
    """A line on standard error that tells how far long work has come, and goes when it is done.

    Nothing is shown for what takes less than a second, nor where standard error is no terminal.
    """

    def __init__(
        self,
        *,
        quiet_seconds: float = 1.0,
        interval_seconds: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_shown = sys.stderr.isatty()
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._next_seconds = clock() + quiet_seconds
        self._columns = 0
        self._loaded: LoadProgress | None = None
        self.exported: ExportProgress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._columns:
            self._draw("")

    def loading(self, progress: LoadProgress) -> None:
        """Take a report of a loader."""
        self._loaded = progress
        part = progress.bytes_read / max(progress.total_bytes, 1)
        self._tell(f"loading {progress.database}: {part:.0%} of {size_text(progress.total_bytes)}")

    def load_of(self, database: str) -> LoadProgress | None:
        """Return the last report of a load, if it was the last one there was."""
        last = self._loaded
        return last if last is not None and last.database == database else None

    def exporting(self, progress: ExportProgress) -> None:
        """Take a report of an exporter."""
        self.exported = progress
        of_total = "" if progress.total_rows is None else f" of {progress.total_rows:,}"
        rate = f"{progress.rows_per_second:,.0f} rows/s"
        self._tell(f"writing: {progress.rows:,}{of_total} rows, {rate}")

    def _tell(self, text: str) -> None:
        now = self._clock()
        if self._is_shown and now >= self._next_seconds:
            self._next_seconds = now + self._interval_seconds
            self._draw(cut(escaped(text), shutil.get_terminal_size().columns - 1))

    def _draw(self, text: str) -> None:
        # spaces over what stood there: no more is asked of the terminal than the carriage return
        sys.stderr.write(f"\r{text.ljust(self._columns)}" + ("" if text else "\r"))
        sys.stderr.flush()
        self._columns = len(text)


def seconds_text(seconds: float) -> str:
    """Return a duration in the unit that reads best."""
    return shown_time(seconds * 1e9)


def size_text(size_bytes: int) -> str:
    """Return a size in the unit that reads best.

    >>> size_text(742), size_text(101_191_267)
    ('742 bytes', '101 MB')
    """
    for limit, divisor, unit in ((1e3, 1, "bytes"), (1e6, 1e3, "kB"), (1e9, 1e6, "MB")):
        if size_bytes < limit:
            return f"{size_bytes / divisor:.3g} {unit}"
    return f"{size_bytes / 1e9:.3g} GB"
