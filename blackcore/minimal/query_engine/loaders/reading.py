"""The bytes of a database's file, block by block, and the stamp by which a change is noticed."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Iterator

CLOCK_TICK_NS = 10_000_000
"""File times advance in ticks of the kernel's clock: 10 ms at the coarsest (HZ=100)."""

_GZIP = zlib.MAX_WBITS | 16


class Stamp(NamedTuple):
    """What tells one state of a file from another without reading it.

    The change time is among it because tools that preserve modification times (rsync, cp -p) may
    leave the size and the modification time of a file as they were; nothing sets the change time.
    """

    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Return the stamp in what the system says of a file."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    def __str__(self) -> str:
        return f"{self.size_bytes:x}-{self.mtime_ns:x}-{self.ctime_ns:x}-{self.inode:x}"

    def unsettled_ns(self, now_ns: int) -> int:
        """Return how long this stamp may still stand for two states of the file, 0 if no longer.

        Two writes within one tick of the clock leave the same times; git calls such files racy.
        A time in the future is no promise of anything and is not waited for.

        >>> Stamp(5, 1_000, 1_000, 7).unsettled_ns(now_ns=4_001_000)
        6000000
        >>> Stamp(5, 1_000, 1_000, 7).unsettled_ns(now_ns=99_000_000)
        0
        """
        age_ns = now_ns - self.mtime_ns
        return CLOCK_TICK_NS - age_ns if 0 <= age_ns < CLOCK_TICK_NS else 0


class CompressionError(ValueError):
    """A .gz file that is cut off or is no gzip; `position_bytes` counts compressed bytes."""

    def __init__(self, reason: str, position_bytes: int) -> None:
        super().__init__(reason)
        self.position_bytes = position_bytes


def read_blocks(
    path: str, *, compressed: bool, block_bytes: int, on_bytes: Callable[[int], None]
) -> Generator[bytes, None, None]:
    """Yield the (uncompressed) content of a file in blocks of at most `block_bytes`.

    Args:
        path: the file.
        compressed: whether it is gzip, of one member or several.
        block_bytes: what is read from the file, and what is yielded, at a time.
        on_bytes: told the number of bytes after each read from the file.

    Raises:
        CompressionError: the file is cut off, or not gzip.
        OSError: the file cannot be read.
    """
    with Path(path).open("rb", buffering=0) as file:
        blocks = _file_blocks(file, block_bytes, on_bytes)
        yield from _decompressed(blocks, block_bytes) if compressed else blocks


def read_head(path: str, *, compressed: bool, head_bytes: int) -> bytes:
    """Return the first (uncompressed) bytes of a file, without reading the rest of it.

    Raises:
        CompressionError: the file is not gzip.
        OSError: the file cannot be read.
    """
    with Path(path).open("rb", buffering=0) as file:
        head = file.read(head_bytes)
    if not compressed:
        return head
    return _inflate(zlib.decompressobj(_GZIP), head, head_bytes, 0)


def _file_blocks(
    file: BinaryIO, block_bytes: int, on_bytes: Callable[[int], None]
) -> Iterator[bytes]:
    while block := file.read(block_bytes):
        on_bytes(len(block))
        yield block


def _decompressed(blocks: Iterator[bytes], block_bytes: int) -> Iterator[bytes]:
    """Yield what the members of a gzip file hold."""
    member = zlib.decompressobj(_GZIP)
    read_bytes = 0
    for block in blocks:
        data = block
        while data:
            if member.eof:
                data = data.lstrip(b"\0")  # zeros after a member are padding, as gzip(1) has it
                if not data:
                    break
                member = zlib.decompressobj(_GZIP)
            out = _inflate(member, data, block_bytes, read_bytes)
            if out:
                yield out
            data = member.unused_data if member.eof else member.unconsumed_tail
        read_bytes += len(block)
    if not member.eof:
        what = "the compressed data ends before its end marker" if read_bytes else "it is empty"
        raise CompressionError(what, read_bytes)


def _inflate(member: zlib._Decompress, data: bytes, block_bytes: int, position_bytes: int) -> bytes:
    try:
        return member.decompress(data, block_bytes)
    except zlib.error as error:
        raise CompressionError(f"it is not valid gzip ({error})", position_bytes) from error
