from __future__ import annotations

import gzip
import io
import os
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from blackcore.minimal.query_engine.errors import (
    ExportOptionError,
    ExportPathError,
    MissingExtraError,
)

if TYPE_CHECKING:
    from blackcore.minimal.query_engine.export import StreamingExporter

ROWS = [{"n": n, "text": "é" * 20} for n in range(3_000)]


def expected(exporter: StreamingExporter, tmp_path: Path, format_name: Any = "csv") -> bytes:
    exporter.export(ROWS, tmp_path / "expected", format_name)
    return (tmp_path / "expected").read_bytes()


def test_open_binary_file_is_written_where_it_stands_and_stays_open(
    exporter: StreamingExporter, tmp_path: Path
) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.write(b"before\n")
        assert exporter.export_csv(ROWS, file) == len(ROWS)
        file.write(b"after\n")
    assert (tmp_path / "a").read_bytes() == (
        b"before\n" + expected(exporter, tmp_path) + b"after\n"
    )


async def test_open_text_file_takes_text(
    exporter: StreamingExporter, awaited: Any, tmp_path: Path
) -> None:
    text = io.StringIO(newline="")
    assert await exporter.export_csv_async(awaited(ROWS), text) == len(ROWS)
    assert text.getvalue().encode() == expected(exporter, tmp_path)


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_temporary_files_of_both_modes_are_told_apart(
    exporter: StreamingExporter, mode: Any, tmp_path: Path
) -> None:
    with tempfile.NamedTemporaryFile(mode, newline="" if mode == "w" else None) as file:
        exporter.export_csv(ROWS, file)
        assert Path(file.name).read_bytes() == expected(exporter, tmp_path)


class Trickle(io.RawIOBase):
    """A file that takes few bytes at a time."""

    def __init__(self) -> None:
        self.taken = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, block: Any) -> int:
        self.taken += bytes(block[:999])
        return min(len(block), 999)


class Silent:
    """A file whose write says nothing, and which does not flush."""

    def __init__(self) -> None:
        self.taken = b""

    def write(self, block: Any) -> None:
        self.taken += bytes(block)


@pytest.mark.parametrize("kind", [Trickle, Silent])
def test_file_like_objects_get_every_byte(
    exporter: StreamingExporter, kind: Any, tmp_path: Path
) -> None:
    file = kind()
    exporter.export_csv(ROWS, file)
    assert bytes(file.taken) == expected(exporter, tmp_path)


def test_file_that_fails_is_named_with_the_rows_so_far(exporter: StreamingExporter) -> None:
    class Broken(io.BytesIO):
        name = "broken.csv"

        def write(self, block: Any) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(
        ExportPathError, match=r"cannot write broken.csv: No space .* after \d+ rows"
    ):
        exporter.export_csv(ROWS, Broken())


def test_what_is_no_target_is_refused(exporter: StreamingExporter) -> None:
    with pytest.raises(ExportOptionError, match="give a path or an open file"):
        exporter.export_csv(ROWS, 7)


def test_open_file_needs_a_format(exporter: StreamingExporter) -> None:
    with pytest.raises(ExportOptionError, match="say format="):
        exporter.export(ROWS, io.BytesIO())


@pytest.mark.parametrize("format_name", ["csv", "json", "jsonl"])
def test_gzip_by_suffix_holds_the_same_bytes(
    exporter: StreamingExporter, format_name: Any, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{format_name}.gz"
    assert exporter.export(iter(ROWS), path) == len(ROWS)
    assert gzip.decompress(path.read_bytes()) == expected(exporter, tmp_path, format_name)
    # no time and no name inside: the same rows make the same file
    before = path.read_bytes()
    exporter.export(ROWS, path)
    assert path.read_bytes() == before


async def test_zstd_by_suffix_holds_the_same_bytes(
    exporter: StreamingExporter, awaited: Any, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv.zst"
    await exporter.export_async(awaited(ROWS), path)
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
        assert reader.read() == expected(exporter, tmp_path)


def test_level_is_that_of_the_library(exporter: StreamingExporter, tmp_path: Path) -> None:
    for level in (1, 9):
        exporter.export(ROWS, tmp_path / f"{level}.csv.gz", compression_level=level)
    text = expected(exporter, tmp_path)
    for level in (1, 9):
        made = zlib.compressobj(level, zlib.DEFLATED, 31)
        assert (tmp_path / f"{level}.csv.gz").read_bytes() == made.compress(text) + made.flush()


def test_open_binary_file_is_compressed_if_asked(
    exporter: StreamingExporter, tmp_path: Path
) -> None:
    file = io.BytesIO()
    exporter.export_csv(ROWS, file, compression="gzip")
    assert gzip.decompress(file.getvalue()) == expected(exporter, tmp_path)


def test_suffix_can_be_overruled(exporter: StreamingExporter, tmp_path: Path) -> None:
    exporter.export(ROWS, tmp_path / "a.csv.gz", compression="none")
    assert (tmp_path / "a.csv.gz").read_bytes() == expected(exporter, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"compression": "gzip", "compression_level": 10}, "for gzip it is 0 to 9"),
        ({"compression": "zstd", "compression_level": 0}, "for zstd it is 1 to 22"),
        ({"compression_level": 3}, "the target is not compressed"),
        ({"compression": "brotli"}, "TargetOptions.compression is 'brotli'"),
    ],
)
def test_compression_that_cannot_be_is_refused(
    exporter: StreamingExporter, arguments: Any, message: Any, tmp_path: Path, only: Any
) -> None:
    with pytest.raises(ExportOptionError, match=message):
        exporter.export_csv(ROWS, tmp_path / "a.csv", **arguments)
    assert only(tmp_path) == []


def test_text_file_cannot_take_compressed_bytes(exporter: StreamingExporter) -> None:
    with pytest.raises(ExportOptionError, match="open it as binary"):
        exporter.export_csv(ROWS, io.StringIO(), compression="gzip")


def test_missing_zstandard_names_the_extra(
    exporter: StreamingExporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only: Any
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingExtraError, match=r"blackcore-query-engine\[zstd\]"):
        exporter.export_csv(ROWS, tmp_path / "a.csv.zst")
    assert only(tmp_path) == []


@pytest.mark.parametrize("at", [1, 3])
def test_compressed_write_that_fails_does_not_leave_the_writer_waiting(
    exporter: StreamingExporter, at: Any
) -> None:
    class Full(io.BytesIO):
        calls = 0

        def write(self, block: Any) -> int:
            self.calls += 1
            if self.calls >= at:
                raise OSError(28, "No space left on device")
            return super().write(block)

    rows = ({"a": os.urandom(2_000).hex()} for n in range(3_000))
    with pytest.raises(ExportPathError, match="No space left"):
        exporter.export_csv(rows, Full(), compression="gzip", compression_level=1)
