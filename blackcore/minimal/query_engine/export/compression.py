"""Compressed output, made in a thread of its own, so that formatting goes on meanwhile."""

from __future__ import annotations

import queue
import threading
import zlib
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from ..errors import ExportOptionError, MissingExtraError

if TYPE_CHECKING:
    from .atomic_file import Block, ByteSink

StreamCompression: TypeAlias = Literal["none", "gzip", "zstd"]
Compression: TypeAlias = Literal["infer", "none", "gzip", "zstd"]
SUFFIXES: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}
_LEVELS = {"gzip": (0, 9, 6), "zstd": (1, 22, 3)}
_BLOCKS_AHEAD = 3


class Codec(Protocol):
    """A compressor object, as zlib and zstandard have them."""

    def compress(self, data: Block, /) -> Block:
        """Return the bytes that are ready, perhaps none."""

    def flush(self) -> bytes:
        """Return the rest."""


def codec_for(compression: Compression, level: int | None) -> Codec | None:
    """Return a new compressor, None where nothing is to be compressed.

    Raises:
        ExportOptionError: the level is not one of the format's.
        MissingExtraError: zstd without the extra of that name.
    """
    if compression not in _LEVELS:
        if level is not None:
            raise ExportOptionError(
                f"compression_level is {level!r} but the target is not compressed; "
                "end its name in .gz or .zst, or say compression='gzip' or 'zstd'"
            )
        return None
    lowest, highest, default = _LEVELS[compression]
    level = default if level is None else level
    if not lowest <= level <= highest:
        raise ExportOptionError(
            f"compression_level is {level!r}; for {compression} it is {lowest} to {highest}"
        )
    if compression == "gzip":
        return zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    try:
        import zstandard
    except ImportError as missing:
        raise MissingExtraError("zstd compression", "zstd") from missing
    return zstandard.ZstdCompressor(level=level).compressobj()


class ThreadedSink:
    """Compresses blocks in its own thread and passes them on, a few blocks behind the writer.

    Use with ``contextlib.closing``; ``finish`` says that all was written. Errors of the inner
    sink come out of the next ``write`` or of ``finish``.
    """

    def __init__(self, inner: ByteSink, codec: Codec) -> None:
        self._inner = inner
        self._codec = codec
        self._blocks: queue.Queue[Block | None] = queue.Queue(_BLOCKS_AHEAD)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="export-write")
        self._thread.start()

    def write(self, block: Block, /) -> None:
        """Take the block; waits while several are waiting already."""
        if self._error is not None:
            raise self._error
        self._blocks.put(block)

    def finish(self) -> None:
        """Write the end of the compressed stream."""
        self.close()
        if self._error is not None:
            raise self._error
        self._inner.write(self._codec.flush())

    def close(self) -> None:
        """End the thread. Closing twice does nothing."""
        if self._thread.is_alive():
            self._blocks.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (block := self._blocks.get()) is not None:
            if self._error is not None:
                continue  # takes what still comes, so that the writer does not wait for ever
            try:
                self._inner.write(self._codec.compress(block))
            except Exception as error:  # noqa: BLE001 - raised in the writer's thread
                self._error = error
