from __future__ import annotations

import asyncio
import gc
import gzip
import json
import threading
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from blackcore.minimal.query_engine.errors import ExportOptionError, ExportValueError
from blackcore.minimal.query_engine.export import (
    CsvOptions,
    ExportProgress,
    JsonOptions,
    StreamingExporter,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

ROWS = [{"n": n, "text": "x" * 200} for n in range(5_000)]


async def whole(stream: Any) -> bytes:
    return b"".join([block async for block in stream])


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("count", [0, 1, 5_000])
async def test_streams_yield_what_files_hold(
    exporter: StreamingExporter, awaited: Any, asynchronous: Any, count: Any, tmp_path: Path
) -> None:
    def source() -> Any:
        return awaited(ROWS[:count]) if asynchronous else iter(ROWS[:count])

    for format_name in ("csv", "json", "jsonl"):
        exporter.export(ROWS[:count], tmp_path / "file", format_name)
        stream = getattr(exporter, f"stream_{format_name}")(source())
        assert await whole(stream) == (tmp_path / "file").read_bytes()


async def test_blocks_are_of_some_size_and_end_with_whole_rows(exporter: StreamingExporter) -> None:
    blocks = [block async for block in exporter.stream_jsonl(ROWS)]
    assert len(blocks) > 3
    assert all(block.endswith(b"\n") for block in blocks)
    assert min(map(len, blocks[:-1])) >= exporter.settings.block_bytes


async def test_options_reach_the_stream(exporter: StreamingExporter) -> None:
    assert (
        await whole(exporter.stream_csv([{"a": 1}], options=CsvOptions(header=False))) == b"1\r\n"
    )
    text = await whole(exporter.stream_json([{"a": 1}], options=JsonOptions(wrap_key="rows")))
    assert json.loads(text) == {"rows": [{"a": 1}], "row_count": 1}
    text = await whole(exporter.stream_jsonl([{"a": 1}], options=JsonOptions(count_key="n")))
    assert text == b'{"a":1}\n{"n":1}\n'


async def test_stream_can_be_compressed(exporter: StreamingExporter) -> None:
    text = await whole(exporter.stream_csv(ROWS))
    assert gzip.decompress(await whole(exporter.stream_csv(ROWS, compression="gzip"))) == text


async def test_progress_of_a_stream_is_reported_to_the_end(exporter: StreamingExporter) -> None:
    heard: list[ExportProgress] = []
    await whole(exporter.stream_csv(ROWS, on_progress=heard.append))
    assert heard[-1].finished
    assert heard[-1].rows == len(ROWS)


def test_options_that_cannot_be_are_refused_before_any_iteration(
    exporter: StreamingExporter,
) -> None:
    with pytest.raises(ExportOptionError, match="iterable of dicts"):
        exporter.stream_csv("rows")


async def test_error_in_the_first_block_comes_before_anything_is_yielded(
    exporter: StreamingExporter,
) -> None:
    stream = exporter.stream_json([{"a": 1}] * 10 + [{"a": object()}])
    with pytest.raises(ExportValueError, match="row 11"):
        await anext(stream)


async def test_error_midway_raises_and_is_never_text_in_the_body(
    exporter: StreamingExporter,
) -> None:
    body = b""
    stream = exporter.stream_json(iter([*ROWS, {"a": object()}]))

    async def consume() -> None:
        nonlocal body
        async for block in stream:
            body += block

    with pytest.raises(ExportValueError, match="row 5001"):
        await consume()
    assert body.startswith(b'[{"n":0,')
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_consumer_that_goes_away_closes_the_source_and_ends_the_thread(
    exporter: StreamingExporter, asynchronous: Any
) -> None:
    closed = threading.Event()

    def rows() -> Iterator[dict[str, object]]:
        try:
            while True:
                yield {"a": "x" * 100}
        finally:
            closed.set()

    async def rows_async() -> AsyncIterator[dict[str, object]]:
        try:
            while True:
                yield {"a": "x" * 100}
        finally:
            closed.set()

    stream = exporter.stream_csv(rows_async() if asynchronous else rows())
    assert (await anext(stream)).startswith(b"a\r\n")
    await stream.aclose()
    assert closed.is_set()
    threads = [t for t in threading.enumerate() if t.name.startswith("export")]
    for thread in threads:
        thread.join(timeout=10)
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_consumer_that_stops_reading_stops_the_source(
    exporter: StreamingExporter, awaited: Any, asynchronous: Any
) -> None:
    asked = 0

    def rows() -> Iterator[dict[str, object]]:
        nonlocal asked
        while True:
            asked += 1
            yield {"a": "x" * 100}

    stream = exporter.stream_jsonl(awaited(rows()) if asynchronous else rows())
    await anext(stream)
    for _ in range(2_000):
        await asyncio.sleep(0)
    # the block that was read, the one ahead, and the chunk that is gathered
    assert asked <= 2 * 1_000 + exporter.settings.chunk_rows
    await stream.aclose()


async def test_stream_that_is_never_read_starts_nothing(exporter: StreamingExporter) -> None:
    def rows() -> Iterator[dict[str, object]]:
        raise AssertionError
        yield {}

    before = threading.active_count()
    stream = exporter.stream_csv(rows())
    assert threading.active_count() == before
    await stream.aclose()
    del stream
    gc.collect()


async def test_cancelled_consumer_ends_the_stream(exporter: StreamingExporter) -> None:
    closed = threading.Event()

    async def rows() -> AsyncIterator[dict[str, object]]:
        try:
            yield {"a": 1}
            waiting.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    waiting = asyncio.Event()
    task = asyncio.create_task(whole(exporter.stream_csv(rows())))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed.is_set()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"compresion": "gzip"}, "no export argument 'compresion'; allowed: total_rows"),
        ({"on_exists": "error"}, "no export argument 'on_exists'"),
        ({"compression": "brotli"}, "compression is 'brotli'"),
        ({"compression": "infer"}, "compression is 'infer'"),
        ({"chunk_size": 0}, "chunk_size is 0"),
    ],
)
def test_arguments_that_a_stream_does_not_have_are_refused(
    exporter: StreamingExporter, arguments: Any, message: Any
) -> None:
    with pytest.raises(ExportOptionError, match=message):
        exporter.stream_csv([], **arguments)


async def test_blocks_of_columns_are_small_enough_for_slow_readers(
    exporter: StreamingExporter, tmp_path: Path
) -> None:
    frame = pl.DataFrame(ROWS)
    blocks = [block async for block in exporter.stream_csv(frame)]
    exporter.export_csv(frame, tmp_path / "file.csv")
    assert b"".join(blocks) == (tmp_path / "file.csv").read_bytes()
    assert max(map(len, blocks)) <= 10 * exporter.settings.block_bytes < sum(map(len, blocks))
