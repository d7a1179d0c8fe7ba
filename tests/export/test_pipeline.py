"""Cancelled, endless and stuck: the loop stays free, and nothing is left behind."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from blackcore.minimal.query_engine.export import StreamingExporter
from blackcore.minimal.query_engine.export.formats import options_for, text_of
from blackcore.minimal.query_engine.export.pipeline import Handoff, Stopped
from blackcore.minimal.query_engine.export.progress import Tally
from blackcore.minimal.query_engine.settings import ExportSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


def export_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("export")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("export"):
            thread.join(timeout=10)
    assert export_threads() == []


async def passed(event: threading.Event) -> None:
    """Return when the event is set, without holding the loop."""
    while not event.is_set():  # noqa: ASYNC110 - it is set in another thread
        await asyncio.sleep(0)


class Endless:
    """Rows without end, in every shape; says when so many were asked for, and when closed."""

    def __init__(self, mark: int = 1_000) -> None:
        self.reached = threading.Event()
        self.closed = threading.Event()
        self._mark = mark

    def rows(self) -> Iterator[dict[str, object]]:
        try:
            number = 0
            while True:
                number += 1
                if number == self._mark:
                    self.reached.set()
                yield {"a": number, "b": "x" * 50}
        finally:
            self.closed.set()

    async def rows_async(self) -> AsyncIterator[dict[str, object]]:
        try:
            for row in self.rows():
                yield row
        finally:
            self.closed.set()

    def chunks(self) -> Iterator[list[dict[str, object]]]:
        try:
            rows = self.rows()
            while True:
                yield [next(rows) for _ in range(1_000)]
        finally:
            self.closed.set()


@pytest.mark.parametrize("shape", ["rows", "rows_async", "chunks"])
@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "csv.gz"])
@pytest.mark.parametrize("mark", [1, 1_000, 30_000])
async def test_endless_source_can_be_cancelled_and_leaves_nothing(
    exporter: StreamingExporter, shape: Any, suffix: Any, mark: Any, tmp_path: Path, only: Any
) -> None:
    source = Endless(mark)
    rows = getattr(source, shape)()
    task = asyncio.create_task(exporter.export_async(rows, tmp_path / f"a.{suffix}"))
    await passed(source.reached)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert only(tmp_path) == []
    assert source.closed.is_set()


async def test_cancel_before_the_first_row(
    exporter: StreamingExporter, tmp_path: Path, only: Any
) -> None:
    source = Endless()
    task = asyncio.create_task(exporter.export_csv_async(source.rows(), tmp_path / "a.csv"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert only(tmp_path) == []


async def test_second_cancel_does_not_leave_the_temporary_file(
    exporter: StreamingExporter, tmp_path: Path, only: Any
) -> None:
    release = threading.Event()
    reached = threading.Event()

    def rows() -> Iterator[dict[str, object]]:
        yield {"a": 1}
        reached.set()
        release.wait(timeout=30)
        yield {"a": 2}

    task = asyncio.create_task(exporter.export_csv_async(rows(), tmp_path / "a.csv", 1))
    await passed(reached)
    task.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert only(tmp_path) == []


async def test_async_source_that_waits_for_ever_can_be_cancelled(
    exporter: StreamingExporter, tmp_path: Path, only: Any
) -> None:
    closed: list[bool] = []
    waiting = asyncio.Event()

    async def rows() -> AsyncIterator[dict[str, object]]:
        try:
            yield {"a": 1}
            waiting.set()
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    task = asyncio.create_task(exporter.export_csv_async(rows(), tmp_path / "a.csv"))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed == [True]
    assert only(tmp_path) == []


async def test_write_that_fails_ends_a_source_that_waits_for_ever(
    exporter: StreamingExporter, awaited: Any
) -> None:
    closed: list[bool] = []

    class Full:
        def write(self, block: bytes) -> None:
            raise OSError(28, "No space left on device")

    async def rows() -> AsyncIterator[dict[str, object]]:
        try:
            for _ in range(20_000):
                yield {"a": "x" * 100}
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    with pytest.raises(OSError, match="No space left"):
        await exporter.export_csv_async(rows(), Full())
    assert closed == [True]


async def test_timeout_of_the_caller_ends_the_export(
    exporter: StreamingExporter, tmp_path: Path, only: Any
) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await exporter.export_csv_async(Endless().rows(), tmp_path / "a.csv")
    assert only(tmp_path) == []


async def test_source_is_never_more_than_a_chunk_ahead_of_the_writer(tmp_path: Path) -> None:
    asked, ahead = 0, []
    written = 0

    class Counting:
        def write(self, block: bytes) -> None:
            nonlocal written
            ahead.append(asked - written)
            written += block.count(b"\n")

    async def rows() -> AsyncIterator[dict[str, object]]:
        nonlocal asked
        for _ in range(20_000):
            asked += 1
            yield {"a": "x" * 100}

    exporter = StreamingExporter(ExportSettings(chunk_rows=1_000, block_bytes=1))
    await exporter.export_jsonl_async(rows(), Counting())
    # one chunk on its way, one piece gathered, one slice in hand
    assert max(ahead) <= 1_000 + 500 + 200


async def test_large_rows_are_held_in_small_numbers() -> None:
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    most = 0

    class Row(dict):  # a plain dict takes no weak reference
        __hash__ = object.__hash__

    async def rows() -> AsyncIterator[Row]:
        nonlocal most
        for _ in range(300):
            row = Row(text="x" * 1_000_000)
            alive.add(row)
            most = max(most, len(alive))
            yield row

    class Null:
        def write(self, block: bytes) -> None:
            pass

    exporter = StreamingExporter(ExportSettings(chunk_bytes=8_000_000))
    assert await exporter.export_jsonl_async(rows(), Null()) == 300
    assert most <= 60


async def test_exports_with_async_sources_can_be_more_than_the_default_executor_holds(
    exporter: StreamingExporter, tmp_path: Path
) -> None:
    async def rows() -> AsyncIterator[dict[str, object]]:
        yield {"a": await asyncio.to_thread(int, "1")}

    counts = await asyncio.gather(
        *(exporter.export_csv_async(rows(), tmp_path / f"{n}.csv") for n in range(40))
    )
    assert counts == [1] * 40


async def test_source_sees_the_context_of_the_caller(
    exporter: StreamingExporter, tmp_path: Path
) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("of the caller")

    def rows() -> Iterator[dict[str, object]]:
        yield {"a": variable.get()}

    async def rows_async() -> AsyncIterator[dict[str, object]]:
        yield {"a": variable.get()}

    for source in (rows(), rows_async()):
        await exporter.export_csv_async(source, tmp_path / "a.csv")
        assert (tmp_path / "a.csv").read_bytes() == b"a\r\nof the caller\r\n"


async def test_loop_runs_while_a_source_blocks(exporter: StreamingExporter, tmp_path: Path) -> None:
    release = threading.Event()

    def rows() -> Iterator[dict[str, object]]:
        yield {"a": 1}
        assert release.wait(timeout=30)
        yield {"a": 2}

    task = asyncio.create_task(exporter.export_csv_async(rows(), tmp_path / "a.csv"))
    for _ in range(3):
        await asyncio.sleep(0)
    release.set()  # only a loop that runs comes here
    assert await task == 2


async def test_handoff_makes_the_producer_wait_until_there_is_room() -> None:
    loop = asyncio.get_running_loop()
    handoff = Handoff(loop, ExportSettings(chunk_rows=10))
    await handoff.put([{}] * 8)
    second = asyncio.create_task(handoff.put([{}] * 8))
    await asyncio.sleep(0)
    assert not second.done()
    chunks = iter(handoff)
    await asyncio.to_thread(next, chunks)
    assert not second.done()
    taking = asyncio.create_task(asyncio.to_thread(next, chunks))
    await second
    await taking
    handoff.end()
    assert await asyncio.to_thread(next, chunks, None) is None


async def test_chunk_larger_than_the_bound_passes_alone() -> None:
    handoff = Handoff(asyncio.get_running_loop(), ExportSettings(chunk_rows=10))
    await handoff.put([{}] * 100)
    waiting = asyncio.create_task(handoff.put([{}]))
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_stopped_handoff_ends_the_thread_that_waits_for_it() -> None:
    handoff = Handoff(asyncio.get_running_loop(), ExportSettings())
    waiting = asyncio.create_task(asyncio.to_thread(list, handoff))
    await asyncio.sleep(0)
    handoff.stop()
    with pytest.raises(Stopped):
        await waiting
    with pytest.raises(Stopped):
        handoff.pause()


async def test_fault_that_comes_while_an_export_is_cancelled_is_logged(
    exporter: StreamingExporter, caplog: pytest.LogCaptureFixture
) -> None:
    reached, release = threading.Event(), threading.Event()

    class Failing:
        def write(self, block: bytes) -> None:
            reached.set()
            release.wait(timeout=30)
            raise OSError(5, "Input/output error")

    task = asyncio.create_task(exporter.export_csv_async(Endless().rows(), Failing()))
    await passed(reached)
    task.cancel()
    await asyncio.sleep(0)
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "failed as well" in caplog.text


async def test_fault_of_the_source_is_raised_once_and_not_logged(
    exporter: StreamingExporter, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    async def rows() -> AsyncIterator[dict[str, object]]:
        yield {"a": 1}
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await exporter.export_csv_async(rows(), tmp_path / "a.csv")
    assert caplog.text == ""


@pytest.mark.parametrize("format_name", ["csv", "json", "jsonl"])
def test_slices_that_take_long_are_written_with_pauses_within(format_name: Any) -> None:
    def pauses(value: Any) -> int:
        slices = [[{"n": n, "v": value, "t": 'q"' if value else "t"} for n in range(1_000)]]
        paused: list[None] = []
        text = text_of(
            slices,
            format_name,
            options_for(format_name, None),
            Tally(),
            ExportSettings(),
            lambda: paused.append(None),
            columns=("n", "v", "t"),
        )
        assert (
            len(b"".join(text).splitlines())
            == {"csv": 1_001, "json": 1, "jsonl": 1_000}[format_name]
        )
        return len(paused)

    assert pauses(None) == 1
    assert pauses({2**70: "\ud800"}) >= 5
