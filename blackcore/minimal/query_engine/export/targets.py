"""Where the bytes go: a path, written atomically, or a file that the caller opened."""

from __future__ import annotations

import io
import os
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

from ..errors import ExportOptionError, ExportPathError
from .atomic_file import AtomicFile, Block, ByteSink, OnExists
from .compression import SUFFIXES, Codec, Compression, ThreadedSink, codec_for
from .options import require_choice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .progress import Tally

Target: TypeAlias = str | os.PathLike[str] | IO[bytes] | IO[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions:
    """How a target is written, whatever its format."""

    on_exists: OnExists = "replace"
    """``error`` refuses a path that exists, even if it comes into being during the export."""
    compression: Compression = "infer"
    """``infer`` goes by the suffix .gz or .zst; open files are not compressed."""
    compression_level: int | None = None
    """As the format counts; None is 6 for gzip, 3 for zstd."""

    def __post_init__(self) -> None:
        """Refuse choices that there are not."""
        require_choice("TargetOptions", "on_exists", self.on_exists, OnExists)
        require_choice("TargetOptions", "compression", self.compression, Compression)


class BinaryTarget:
    """An open binary file of the caller's; it stays open, where it was written to."""

    def __init__(self, file: IO[bytes]) -> None:
        self._write: Callable[[bytes | memoryview], int | None] = file.write

    def write(self, block: Block, /) -> None:
        """Write all bytes, also where the file takes only some at a time."""
        written = self._write(block)
        if written is None or written == len(block):
            return  # None: a writer that takes everything and does not say so
        rest = memoryview(block)[written:]
        while rest:
            rest = rest[self._write(rest) or 0 :]


class TextTarget:
    """An open text file of the caller's; it stays open, where it was written to."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, block: Block, /) -> None:
        """Write the text of the block, which holds whole characters."""
        self._file.write(str(block, "utf-8"))


class _NamedErrors:
    """A sink whose failures say which target, how far the export came, and what the system said."""

    def __init__(self, inner: ByteSink, name: str, tally: Tally) -> None:
        self._inner = inner
        self._name = name
        self._tally = tally

    def write(self, block: Block, /) -> None:
        with self.named():
            self._inner.write(block)

    @contextmanager
    def named(self) -> Iterator[None]:
        try:
            yield
        except ExportPathError as error:
            error.rows_written = self._tally.rows
            raise
        except OSError as error:
            raise write_error(self._name, error, self._tally.rows) from error


def write_error(name: str, error: OSError, rows: int) -> ExportPathError:
    """Return the error for a target that could not be written to the end."""
    made = ExportPathError(
        f"cannot write {name}: {error.strerror or error}, after {rows} rows; no file was replaced",
        rows_written=rows,
    )
    made.errno = error.errno
    return made


@contextmanager
def open_target(
    target: Target,
    options: TargetOptions,
    tally: Tally,
    *,
    durable: bool = True,
) -> Iterator[ByteSink]:
    """Give a sink for the target; a path is replaced on a clean exit and untouched on any other.

    Compressed bytes are made and written in another thread, which leaves the interpreter's lock
    alone. To write plain ones there gains nothing: their text is best written while it is still in
    the processor's cache.

    Raises:
        ExportPathError: the target cannot be written.
        ExportOptionError: the target is no path and no file, or cannot be compressed.
    """
    codec = codec_for(compression_of(target, options), options.compression_level)
    if not isinstance(target, (str, os.PathLike)):
        file = _opened(target, codec)
        named = _NamedErrors(file, _name_of(target), tally)
        with _threaded(named, codec) as sink:
            yield sink
        flush = getattr(target, "flush", None)
        if callable(flush):
            with named.named():
                flush()
        return
    with AtomicFile(Path(target), on_exists=options.on_exists, durable=durable) as atomic:
        named = _NamedErrors(atomic, os.fspath(target), tally)
        with _threaded(named, codec) as sink:
            yield sink
        with named.named():
            atomic.commit()


def compression_of(target: Target, options: TargetOptions) -> Compression:
    """Return how the target is to be compressed: as the options say, else by its suffix."""
    if options.compression != "infer":
        return options.compression
    if isinstance(target, (str, os.PathLike)):
        return SUFFIXES.get(Path(target).suffix.lower(), "none")
    return "none"


@contextmanager
def _threaded(inner: ByteSink, codec: Codec | None) -> Iterator[ByteSink]:
    if codec is None:
        yield inner
        return
    with closing(ThreadedSink(inner, codec)) as sink:
        yield sink
        sink.finish()


def _opened(target: IO[bytes] | IO[str], codec: Codec | None) -> ByteSink:
    if not callable(getattr(target, "write", None)):
        raise ExportOptionError(
            f"the target is a {type(target).__name__}; give a path or an open file"
        )
    if not _is_text(target):
        return BinaryTarget(target)  # type: ignore[arg-type]  # has write() and is not for text
    if codec is not None:
        raise ExportOptionError(
            f"{_name_of(target)} is open for text, and compressed bytes are none; open it as binary"
        )
    return TextTarget(target)  # type: ignore[arg-type]  # has write() and is for text


def _is_text(target: object) -> bool:
    # wrappers such as tempfile's are no TextIOBase, but let its attributes through
    return isinstance(target, io.TextIOBase) or hasattr(target, "encoding")


def _name_of(target: object) -> str:
    return str(getattr(target, "name", f"the open {type(target).__name__}"))
