from __future__ import annotations

import gzip
import os
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine.loaders.reading import (
    CLOCK_TICK_NS,
    CompressionError,
    Stamp,
    read_blocks,
    read_head,
)

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = random.Random(7).randbytes(50_000) + b"a" * 200_000  # noqa: S311 - no secret


def read_all(path: Path, *, compressed: bool, block_bytes: int) -> tuple[bytes, int]:
    counts: list[int] = []
    blocks = list(
        read_blocks(
            str(path), compressed=compressed, block_bytes=block_bytes, on_bytes=counts.append
        )
    )
    assert all(0 < len(block) <= block_bytes for block in blocks)
    return b"".join(blocks), sum(counts)


@pytest.mark.parametrize("block_bytes", [1000, 4096, 10_000_000])
def test_blocks_make_up_the_file(tmp_path: Path, block_bytes: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    assert read_all(path, compressed=False, block_bytes=block_bytes) == (CONTENT, len(CONTENT))


@pytest.mark.parametrize("block_bytes", [1, 7, 1000, 4096, 10_000_000])
def test_gzip_members_and_padding_are_read_as_gzip_does(tmp_path: Path, block_bytes: int) -> None:
    content = CONTENT if block_bytes > 7 else CONTENT[:300] + b"a" * 3000
    path = tmp_path / "file.gz"
    first, second = content[:100], content[100:]
    data = gzip.compress(first) + gzip.compress(b"") + b"\0" * 20 + gzip.compress(second)
    path.write_bytes(data + b"\0" * 20)
    assert read_all(path, compressed=True, block_bytes=block_bytes) == (content, len(data) + 20)


@given(
    parts=st.lists(st.binary(max_size=200), min_size=1, max_size=4),
    block_bytes=st.integers(1, 300),
)
def test_any_gzip_file_is_read_whole(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], block_bytes: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.gz"
    path.write_bytes(b"".join(map(gzip.compress, parts)))
    assert read_all(path, compressed=True, block_bytes=block_bytes)[0] == b"".join(parts)


@pytest.mark.parametrize("cut", [1, 9, 100])
def test_truncated_gzip_is_said_to_end_early(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(CONTENT)[:-cut])
    with pytest.raises(CompressionError, match="ends before its end marker") as caught:
        read_all(path, compressed=True, block_bytes=1000)
    assert caught.value.position_bytes == path.stat().st_size


def test_empty_file_is_no_gzip(tmp_path: Path) -> None:
    path = tmp_path / "empty.gz"
    path.touch()
    with pytest.raises(CompressionError, match="it is empty"):
        read_all(path, compressed=True, block_bytes=1000)


@pytest.mark.parametrize("data", [b"[1, 2, 3]" * 10, gzip.compress(b"[]", mtime=0) + b"rubbish"])
def test_what_is_not_gzip_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "plain.gz"
    path.write_bytes(data)
    with pytest.raises(CompressionError, match="it is not valid gzip"):
        read_all(path, compressed=True, block_bytes=1000)


def test_corrupt_gzip_fails_its_checksum(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(CONTENT))
    data[-6] ^= 1
    path = tmp_path / "corrupt.gz"
    path.write_bytes(data)
    with pytest.raises(CompressionError, match="it is not valid gzip"):
        read_all(path, compressed=True, block_bytes=1000)


def test_head_is_the_first_bytes_only(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain", tmp_path / "packed.gz"
    plain.write_bytes(CONTENT)
    packed.write_bytes(gzip.compress(CONTENT))
    assert read_head(str(plain), compressed=False, head_bytes=64) == CONTENT[:64]
    head = read_head(str(packed), compressed=True, head_bytes=2000)
    assert 1000 < len(head) <= 2000
    assert CONTENT.startswith(head)


def test_stamp_tells_files_apart_by_size_times_and_inode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    stamp = Stamp.of(path.stat())
    assert Stamp.of(path.stat()) == stamp
    os.utime(path, ns=(0, stamp.mtime_ns + 1))
    assert str(Stamp.of(path.stat())) != str(stamp)
    assert len({str(stamp._replace(**{field: 1})) for field in stamp._fields} | {str(stamp)}) == 5


def test_stamp_is_unsettled_for_one_tick_of_the_clock() -> None:
    stamp = Stamp(1, mtime_ns=1_000_000, ctime_ns=0, inode=1)
    assert stamp.unsettled_ns(1_000_000) == CLOCK_TICK_NS
    assert stamp.unsettled_ns(1_000_000 + CLOCK_TICK_NS - 1) == 1
    assert stamp.unsettled_ns(1_000_000 + CLOCK_TICK_NS) == 0
    assert stamp.unsettled_ns(999_999) == 0
