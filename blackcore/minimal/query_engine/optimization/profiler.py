"""The profiler: where the time and the memory of a call, a coroutine or a query went."""

from __future__ import annotations

import inspect
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from ..errors import ProfileError, SettingsError
from ..query import StructuredQuery, describe
from ..settings import ProfilerSettings
from .profiling.engines import AskedQuery, ProfiledEngine, asking, exporting_to
from .profiling.execution_profile import ExecutionProfile
from .profiling.line_memory import LineMemoryRecorder
from .profiling.measurement import Instruments, Measurement, PlainRuns
from .profiling.query_profile import QueryPerformanceProfile
from .profiling.query_runs import QueryRuns, query_profile
from .profiling.stepping import OpenBlocks, ProfiledBlock, Stepped
from .profiling.timings import RunTimings

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from os import PathLike
    from types import TracebackType
    from typing import Self

__all__ = ["ProfiledEngine", "QueryPerformanceProfile", "QueryProfiler"]

P = ParamSpec("P")
T = TypeVar("T")

_NOT_RUN_YET: Final = (
    (
        Generator,
        "a generator, of which nothing has run yet: profile_iteration() measures its steps",
    ),
    (Coroutine, "a coroutine, of which nothing has run yet: await profile_async() on it"),
    (
        AsyncGenerator,
        "an async generator, of which nothing has run yet: profile_async() a coroutine over it",
    ),
)


class QueryProfiler:
    """Measures executions and queries.

    A profile costs up to a millisecond beside what it measures, and its instruments slow that down:
    cProfile by a tenth to a half for most queries and by a factor of 6 for code of many small
    calls, stacks in a thread by a tenth to a half for what takes milliseconds and hardly for what
    takes longer, memory in a thread by some percent, memory by line by 0.03 ms and more for each
    line that runs. Times of `profile_query` and of repeated runs are taken with the memory's thread
    alone.

    Safe to share between threads, each of which measures for itself. Measurements nest. Where
    Python's one place for a profiler is taken, functions are left out and a note says so. What
    starts a profiler of its own wants `functions=False`: from Python 3.12 on it is refused one
    otherwise, before that it takes the place of this one and a note says so.

    From Python 3.12 on cProfile would mix up the thread that samples memory with what it measures,
    so that a run has the one or the other: with functions, the peak is the system's own record
    where the run set one, and otherwise the greater of before and after. `functions=False`,
    `repeat` and `profile_query` sample it.

    Args:
        functions: record functions with cProfile.
        stacks: sample stacks, for what cProfile slows down too much.
        line_memory: record memory by line in these functions (extra `profile`).
        repeat: run what is measured so many times on the clock alone, then, where it is more
            than once, once more with all of the above. A coroutine runs once.
        settings: how often to look, how much to show.

    Attributes:
        last: the profile finished last, in whichever thread; also where what it measured raised. It
            keeps the result alive; `forget()` lets go of it.

    Raises:
        SettingsError: `repeat` is less than 1.
        ProfileError: something in `line_memory` is not a function written in Python.
        MissingExtraError: `line_memory` is given, and memory_profiler is not installed.
    """

    def __init__(
        self,
        *,
        functions: bool = True,
        stacks: bool = False,
        line_memory: Iterable[Callable[..., object]] = (),
        repeat: int = 1,
        settings: ProfilerSettings | None = None,
    ) -> None:
        self.settings = settings or ProfilerSettings()
        self.repeat = _checked_repeat(repeat)
        self.instruments = Instruments(
            functions=functions, stacks=stacks, line_memory=tuple(line_memory)
        )
        if self.instruments.line_memory:
            LineMemoryRecorder(self.instruments.line_memory)  # refuses now rather than at a call
        self.last: ExecutionProfile[object] | None = None
        self._open = OpenBlocks()

    def profile_execution(
        self, func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> ExecutionProfile[T]:
        """Return what a call took, with its result; a mapping with attributes.

        What the call raises goes through, after `last` was set.

        >>> profile = QueryProfiler().profile_execution(sorted, [3, 1, 2], reverse=True)
        >>> profile["result"], profile["elapsed_seconds"] > 0
        ([3, 2, 1], True)

        Raises:
            ProfileError: `func` cannot be called, or has to be awaited.
        """
        _require_plain_callable(func)
        name = _name_of(func)
        plain = self._plain_runs(name, lambda: func(*args, **kwargs))
        return self._measured(name, plain, func, *args, **kwargs)

    def _measured(
        self,
        name: str,
        plain: PlainRuns | None,
        func: Callable[P, T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> ExecutionProfile[T]:
        measurement = self._measurement(name, memory=plain is None)
        try:
            with measurement:
                result = func(*args, **kwargs)
        except BaseException as error:
            self._keep(measurement.finished(None, error, plain=plain))
            raise
        for kind, told in _NOT_RUN_YET:
            if isinstance(result, kind):
                measurement.note(f"{name} returned {told}")
        return self._keep(measurement.finished(result, plain=plain))

    async def profile_async(self, awaitable: Awaitable[T], /) -> ExecutionProfile[T]:
        """Return what awaiting something took, with its result.

        The time elapsed includes waiting; functions, stacks and `thread_cpu_seconds` are of its own
        steps only, not of other tasks, those that it starts included. What it raises goes through,
        after `last` was set.

        Raises:
            ProfileError: it cannot be awaited.
        """
        if not inspect.isawaitable(awaitable):
            raise ProfileError(
                f"profile_async() was given {awaitable!r}, which cannot be awaited; give it a "
                "coroutine: profile_async(function(...))"
            )
        measurement = self._measurement(_name_of(awaitable))
        try:
            result = await Stepped(awaitable, measurement)
        except BaseException as error:
            self._keep(measurement.finished(None, error))
            raise
        return self._keep(measurement.finished(result))

    def profile_iteration(self, iterable: Iterable[T], /) -> Iterator[T]:
        """Yield what an iterable yields; when it ends, `last` says what its steps took.

        The time that the caller spends between the steps does not count.
        """
        measurement = self._measurement(_name_of(iterable))
        steps = 0
        error: BaseException | None = None
        try:
            with measurement:
                iterator = iter(iterable)
            while True:
                with measurement:
                    try:
                        item = next(iterator)
                    except StopIteration:
                        return
                steps += 1
                yield item
        except BaseException as raised:
            # a caller who wants no more is no fault: the profile is of what was taken
            error = None if isinstance(raised, GeneratorExit) else raised
            raise
        finally:
            self._keep(measurement.finished(steps, error, waits_count=False))

    def profile(self, name: str = "block") -> ProfiledBlock:
        """Return a context manager that measures its block: `with profiler.profile() as block:`.

        Afterwards `block.profile` and `last` say what it took.
        """
        return ProfiledBlock(lambda: self._measurement(name), self._keep)

    def __enter__(self) -> Self:
        """Measure the block; afterwards `last` says what it took."""
        block = self.profile()
        self._open.blocks.append(block)
        block.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.blocks[-1].__exit__(kind, error, traceback)
        self._open.blocks.pop()

    def profile_query(
        self,
        engine: ProfiledEngine,
        query: AskedQuery,
        *,
        repeat: int | None = None,
        use_cache: bool = True,
        export_to: str | PathLike[str] | None = None,
    ) -> QueryPerformanceProfile:
        """Return where the time and the memory of a query went.

        The query is executed `repeat` times on the clock alone, as a caller would. Then its plan is
        run once more with the cache aside, for the rows of each stage and the functions.

        Args:
            engine: a `QueryEngine`, or whatever answers and explains queries.
            query: the question.
            repeat: how often; the profiler's own `repeat` for None.
            use_cache: False computes every run, with engines whose `execute` takes `use_cache`.
            export_to: a file to write the rows to, so that `export_ms` is measured too.

        Raises:
            ProfileError: the engine lacks what this takes.
            SettingsError: `repeat` is less than 1.
            QueryEngineError: what the query or its export raises; `last` has the profile.
        """
        if not isinstance(engine, ProfiledEngine):
            raise ProfileError(
                f"profile_query() was given a {type(engine).__name__}; an engine has execute(query)"
                " and explain(query, analyze=True)"
            )
        times = self.repeat if repeat is None else _checked_repeat(repeat)
        exporting = None if export_to is None else exporting_to(engine, export_to)
        asked = query if isinstance(query, StructuredQuery) else query.structured
        runs = QueryRuns(asking(engine, asked, use_cache=use_cache))
        timed = self._timed(describe(asked), lambda: runs.run(times))
        exported = None
        if exporting is not None:
            exported = self._timed("export", lambda: exporting(runs.last_result))
        explained = self._measured("explain", None, engine.explain, asked, analyze=True)
        return query_profile(describe(asked), runs, timed, explained, exported)

    def forget(self) -> None:
        """Let go of the last profile, and of the result in it."""
        self.last = None

    def _measurement(self, name: str, *, memory: bool = True) -> Measurement:
        return Measurement(name, replace(self.instruments, memory=memory), self.settings)

    def _timed(self, name: str, run: Callable[[], object]) -> ExecutionProfile[object]:
        """Return the profile of a run with nothing at work but clocks and a look at the memory."""
        instruments = Instruments(functions=False)
        measurement = Measurement(name, instruments, self.settings)
        try:
            with measurement:
                run()
        except BaseException as error:
            self._keep(measurement.finished(None, error))
            raise
        return measurement.finished(None)

    def _plain_runs(self, name: str, run: Callable[[], object]) -> PlainRuns | None:
        """Return the runs on the clock alone, None where there is to be one run in all."""
        if self.repeat == 1:
            return None
        seconds: list[float] = []

        def runs() -> None:
            for _ in range(self.repeat):
                start = time.perf_counter()
                run()
                seconds.append(time.perf_counter() - start)

        timed = self._timed(name, runs)
        return PlainRuns(RunTimings(tuple(seconds)), timed.memory_peak_mb)

    def _keep(self, profile: ExecutionProfile[T]) -> ExecutionProfile[T]:
        self.last = profile
        return profile


def _require_plain_callable(func: object) -> None:
    if not callable(func):
        raise ProfileError(
            f"profile_execution() was given {func!r}, which cannot be called; give it the function "
            "and its arguments: profile_execution(function, argument, option=...)"
        )
    if inspect.iscoroutinefunction(func):
        name = _name_of(func)
        raise ProfileError(f"{name} has to be awaited: await profiler.profile_async({name}(...))")


def _checked_repeat(repeat: int) -> int:
    if type(repeat) is not int or repeat < 1:
        raise SettingsError(f"repeat is {repeat!r}; it is a whole number from 1 on")
    return repeat


def _name_of(measured: object) -> str:
    """Return the name of a function, a coroutine or a generator, or that of its type."""
    name = getattr(measured, "__qualname__", None)
    return name if isinstance(name, str) else type(measured).__name__
