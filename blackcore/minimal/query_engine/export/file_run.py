"""One export to a file, driven from an event loop or from a plain call."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ..errors import ExportOptionError
from .pipeline import Crew, no_pause
from .progress import ExportProgress, ProgressCallback, TqdmProgress
from .sources import is_async

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .job import ExportJob
    from .targets import Target, TargetOptions

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileRun:
    """An export to a file that is about to start. Start it once, either way."""

    job: ExportJob
    target: Target
    target_options: TargetOptions
    callback: ProgressCallback | None
    bar: bool = False

    async def in_thread(self) -> int:
        """Return the rows written, formatted in a thread beside the running event loop.

        Raises:
            ExportError: the target, an option or a row would not do.
        """
        job = self.job.beside_loop()
        feed = job.data if is_async(job.data) else None
        with ExitStack() as cleanup:
            callback = self._callback(cleanup)
            async with Crew(feed, job.settings, callback) as crew:
                handoff = crew.handoff
                work = crew.submit(
                    lambda: job.asked().write(
                        self.target,
                        self.target_options,
                        pause=handoff.pause,
                        report=None if crew.reporter is None else crew.reporter.report,
                        chunks=None if feed is None else handoff,
                    )
                )
                rows = await crew.result(work)
                await crew.finish(job.tally.report(finished=True))
                return rows

    def here(self) -> int:
        """Return the rows written, formatted in the calling thread.

        An async source or callback gets an event loop of its own, in another thread where one
        runs in this.

        Raises:
            ExportError: the target, an option or a row would not do.
        """
        if is_async(self.job.data) or _must_be_awaited(self.callback):
            return _run_coroutine(self.in_thread)
        with ExitStack() as cleanup:
            callback = self._callback(cleanup)
            report = None if callback is None else _plain(callback)
            job = self.job.asked()
            rows = job.write(self.target, self.target_options, pause=no_pause, report=report)
            if report is not None:
                report(self.job.tally.report(finished=True))
            return rows

    def _callback(self, cleanup: ExitStack) -> ProgressCallback | None:
        if not self.bar:
            return self.callback
        bar = TqdmProgress()
        cleanup.callback(bar.close)
        return bar if self.callback is None else _both(bar, self.callback)


def _must_be_awaited(callback: ProgressCallback | None) -> bool:
    call = getattr(callback, "__call__", None)  # noqa: B004 - of an object, its async method
    return inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(call)


def _both(bar: TqdmProgress, callback: ProgressCallback) -> ProgressCallback:
    def call(progress: ExportProgress) -> object:
        bar(progress)
        return callback(progress)

    return call  # type: ignore[return-value]  # returns what the callback does


def _plain(callback: ProgressCallback) -> Callable[[ExportProgress], None]:
    """Return the callback for a plain call, in which nothing can be awaited."""

    def report(progress: ExportProgress) -> None:
        answer = callback(progress)
        if inspect.isawaitable(answer):
            if inspect.iscoroutine(answer):
                answer.close()
            raise ExportOptionError(
                "on_progress returned an awaitable, which a plain call cannot await; "
                "pass an async def, or use the async method"
            )

    return report


def _run_coroutine(make: Callable[[], Coroutine[object, object, T]]) -> T:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(make())
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1, thread_name_prefix="export-loop") as executor:
        return executor.submit(context.run, lambda: asyncio.run(make())).result()
