"""The way of the text from the thread that formats it to the event loop that asked for it.

Each export has one thread of its own: the default executor could be full of sources that wait
for exports. Between two slices that thread lets others run, since formatting holds the
interpreter's lock for as long as one slice takes.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .sources import AsyncRows, chunks_from_async, rough_bytes

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Iterable,
        Iterator,
        Sequence,
    )
    from types import TracebackType

    from ..settings import ExportSettings
    from .progress import ExportProgress, ProgressCallback

logger = logging.getLogger(__name__)

T = TypeVar("T")


CAREFUL_ROWS = 200
"""Rows between two pauses where each value is looked at: as long as a slice of the fast ways."""
_WORK_SECONDS = 0.001
_REST_SECONDS = 1e-6  # in truth some 60 microseconds: the system's timers are no finer


class Stopped(Exception):  # noqa: N818 - a signal between our own threads, never seen outside
    """The export was cancelled: the thread is to clean up and end."""


class Handoff:
    """Chunks on their way from the loop to the thread, bounded in rows and bytes.

    ``put`` belongs to the loop, ``__iter__`` to the thread, ``stop`` to either.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: ExportSettings) -> None:
        self._loop = loop
        self._queue: queue.SimpleQueue[Sequence[object] | None] = queue.SimpleQueue()
        self._limits = (settings.chunk_rows, settings.chunk_bytes)
        self._rows = 0
        self._bytes = 0
        self._room = asyncio.Event()
        self._stopped = threading.Event()
        self._next_rest = 0.0

    async def put(self, chunk: Sequence[object]) -> None:
        """Add a chunk as soon as there is room; an empty Handoff has room for any."""
        rows, size_bytes = len(chunk), _estimate(chunk)
        while self._rows and (
            self._rows + rows > self._limits[0] or self._bytes + size_bytes > self._limits[1]
        ):
            self._room.clear()
            await self._room.wait()
        self._rows += rows
        self._bytes += size_bytes
        self._queue.put(chunk)

    def end(self) -> None:
        """Say that no chunk follows."""
        self._queue.put(None)

    def __iter__(self) -> Iterator[Sequence[object]]:
        """Yield the chunks; each counts as on its way until the next is asked for."""
        while (chunk := self._queue.get()) is not None:
            yield chunk
            self._loop.call_soon_threadsafe(self._taken, len(chunk), _estimate(chunk))
        self.pause()

    def _taken(self, rows: int, size_bytes: int) -> None:
        self._rows -= rows
        self._bytes -= size_bytes
        self._room.set()

    def stop(self) -> None:
        """Make the thread end at its next pause."""
        self._stopped.set()
        self._queue.put(None)

    def pause(self) -> None:
        """Let other threads run.

        Raises:
            Stopped: the export was cancelled.
        """
        if self._stopped.is_set():
            raise Stopped
        now = time.perf_counter()
        if now >= self._next_rest:
            # sleep(0) gives the lock up but takes it back before a waiting loop has woken
            time.sleep(_REST_SECONDS)
            self._next_rest = time.perf_counter() + _WORK_SECONDS


def _estimate(chunk: Sequence[object]) -> int:
    return rough_bytes(chunk[-1]) * len(chunk) if chunk else 0


def no_pause() -> None:
    """Return at once: nobody waits for the interpreter's lock."""


def paused(slices: Iterable[T], pause: Callable[[], None]) -> Iterator[T]:
    """Yield the slices, with a pause before each."""
    for piece in slices:
        pause()
        yield piece


class Reporter:
    """Brings the latest report to a callback on the loop; reports in between are dropped."""

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: ProgressCallback) -> None:
        self._loop = loop
        self._callback = callback
        self._latest: ExportProgress | None = None
        self._fresh = asyncio.Event()

    def report(self, progress: ExportProgress) -> None:
        """Take a report, from any thread."""
        self._loop.call_soon_threadsafe(self._put, progress)

    def _put(self, progress: ExportProgress) -> None:
        self._latest = progress
        self._fresh.set()

    async def deliver(self) -> None:
        """Call back with each report until the finished one."""
        while True:
            await self._fresh.wait()
            self._fresh.clear()
            progress = self._latest
            if progress is None:
                continue
            answer = self._callback(progress)
            if inspect.isawaitable(answer):
                await answer
            if progress.finished:
                return


class Crew:
    """One export's thread, and the tasks that feed it and report on it. Use with ``async with``."""

    def __init__(
        self, feed: AsyncRows | None, settings: ExportSettings, callback: ProgressCallback | None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.handoff = Handoff(self._loop, settings)
        self.reporter = None if callback is None else Reporter(self._loop, callback)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="export")
        self._context = contextvars.copy_context()
        self._work: set[asyncio.Future[Any]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._reporting: asyncio.Task[None] | None = None
        if feed is not None:
            self._tasks.add(asyncio.create_task(_pump(feed, self.handoff, settings)))
        if self.reporter is not None:
            self._reporting = asyncio.create_task(self.reporter.deliver())
            self._tasks.add(self._reporting)

    async def __aenter__(self) -> Self:
        """Return the crew, whose tasks have begun."""
        return self

    def submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Return the future result of work done in the thread, after what was submitted before."""
        future = self._loop.run_in_executor(self._executor, self._context.run, work)
        self._work.add(future)
        future.add_done_callback(self._work.discard)
        return future

    async def result(self, future: asyncio.Future[T]) -> T:
        """Return the result of submitted work.

        Raises:
            Exception: what the work, the source or the callback raised, whichever came first.
        """
        while not future.done():
            waiting: set[asyncio.Future[Any]] = {future, *self._tasks}
            done, _ = await asyncio.wait(waiting, return_when="FIRST_COMPLETED")
            for task in self._tasks & done:
                self._tasks.discard(task)
                task.result()
        return future.result()

    async def finish(self, last: ExportProgress) -> None:
        """Wait until the callback has had the last report."""
        if self.reporter is not None and self._reporting is not None:
            self.reporter.report(last)
            await self._reporting

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop what still runs, and wait for its end, even if cancelled again meanwhile."""
        self.handoff.stop()
        for task in self._tasks:
            task.cancel()
        futures: set[asyncio.Future[Any]] = {*self._tasks, *self._work}
        cancelled = await _ended(futures)
        _log_unraised(futures, error)
        self._executor.shutdown(wait=False)
        if cancelled is not None:
            raise cancelled


async def _ended(futures: set[asyncio.Future[Any]]) -> asyncio.CancelledError | None:
    """Return when all have ended, with the cancellation that came meanwhile, if one did."""
    cancelled = None
    while pending := {future for future in futures if not future.done()}:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled


def _log_unraised(futures: set[asyncio.Future[Any]], raised: BaseException | None) -> None:
    """Log what failed while an export was being stopped for another reason."""
    for future in futures:
        error = None if future.cancelled() else future.exception()
        if error is not None and error is not raised and not isinstance(error, Stopped):
            logger.warning("an export that was being stopped failed as well", exc_info=error)


async def _pump(feed: AsyncRows, handoff: Handoff, settings: ExportSettings) -> None:
    """Hand all rows of an async source over, and close it where it is a generator."""
    try:
        async with aclosing(chunks_from_async(feed, settings)) as chunks:
            async for chunk in chunks:
                await handoff.put(chunk)
                await asyncio.sleep(0)  # a source that never awaits would keep the loop
    finally:
        if inspect.isasyncgen(feed):
            await feed.aclose()
    handoff.end()
