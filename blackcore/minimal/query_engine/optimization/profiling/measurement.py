"""One measurement: clocks, memory and, where asked for, functions, stacks and memory by line."""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from . import functions as function_recording
from .execution_profile import MEBIBYTE, ExecutionProfile
from .functions import FunctionRecorder, FunctionTable
from .line_memory import LineMemoryRecorder
from .sampling import Sampler, lifetime_peak_bytes, resident_bytes
from .timings import RunTimings

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from ...settings import ProfilerSettings

ResultT = TypeVar("ResultT")

_OTHER_THREADS_SHARE: Final = 0.1
_OTHER_THREADS_SECONDS: Final = 0.002
"""Other threads are worth a word when they used more CPU time than both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """What a measurement is made with, besides the clocks and the memory before and after.

    Attributes:
        memory: sample the resident memory in a thread, for its peak.
        functions: record functions with cProfile.
        stacks: sample stacks in the same thread.
        line_memory: record the memory line by line in these functions.
    """

    memory: bool = True
    functions: bool = True
    stacks: bool = False
    line_memory: tuple[Callable[..., object], ...] = ()


@dataclass(frozen=True, slots=True)
class PlainRuns:
    """Runs without instruments: what each took, and the most memory seen meanwhile."""

    timings: RunTimings
    memory_peak_mb: float


class Measurement:
    """Measures what runs in its steps: `with measurement: ...`, as often as there are steps.

    A plain function is one step; a coroutine or a generator is one step each time it goes on.
    To be used in one thread.
    """

    def __init__(self, name: str, instruments: Instruments, settings: ProfilerSettings) -> None:
        self._name = name
        self._settings = settings
        self._notes: list[str] = []
        lines = instruments.line_memory
        self._lines = LineMemoryRecorder(lines) if lines else None
        self._functions = self._function_recorder(instruments)
        self._sampler = self._made_sampler(instruments)
        self._step_seconds = self._thread_cpu_seconds = 0.0
        self._gc_before = _collections()
        self._lifetime_peak_bytes = lifetime_peak_bytes()
        self._memory_before_bytes = resident_bytes()
        self._thread_cpu_before = time.thread_time()
        self._cpu_before = time.process_time()
        self._wall_before: float | None = None
        self._wall_after = 0.0

    def _function_recorder(self, instruments: Instruments) -> FunctionRecorder | None:
        if not instruments.functions:
            return None
        if instruments.line_memory:
            self.note(
                "functions were not recorded: beside memory by line they would show little but the "
                "tracer that this takes"
            )
            return None
        if instruments.stacks and function_recording.RECORDS_ALL_THREADS:
            self.note(
                "functions were not recorded: from Python 3.12 on cProfile mixes up what it "
                "measures with the thread that samples stacks"
            )
            return None
        return FunctionRecorder()

    def _made_sampler(self, instruments: Instruments) -> Sampler | None:
        """Return a sampler at work; None where nothing is to be sampled, or nothing can be."""
        if not (instruments.memory or instruments.stacks):
            return None
        if self._functions is not None and function_recording.RECORDS_ALL_THREADS:
            self.note(
                "the memory peak is the system's, or the greater of before and after: from Python "
                "3.12 on cProfile would mix up what it measures with a thread that samples"
            )
            return None
        interval = self._settings.memory_interval_seconds
        ident = None
        if instruments.stacks:
            interval = self._settings.stack_interval_seconds
            ident = threading.get_ident()
        sampler = Sampler(interval_seconds=interval, stacks_of_thread=ident)
        if not sampler.start():
            self.note("nothing was sampled: the system had no thread to give")
            return None
        # for a measurement that is never finished, as when an interrupt hits before its first step
        weakref.finalize(self, sampler.let_go).atexit = False
        return sampler

    def note(self, text: str) -> None:
        """Have the profile say something once."""
        if text not in self._notes:
            self._notes.append(text)

    def __enter__(self) -> Self:
        if self._sampler is not None:
            self._sampler.enter(sys._getframe(1))  # noqa: SLF001 - documented; the name is its warning
        if self._lines is not None:
            self._lines.start()
        if self._functions is not None:
            self._functions.start()
        self._thread_cpu_start, self._step_start = _clocks()
        if self._wall_before is None:
            self._wall_before = self._step_start
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        thread_cpu, self._wall_after = _clocks()
        self._thread_cpu_seconds += thread_cpu - self._thread_cpu_start
        self._step_seconds += self._wall_after - self._step_start
        if self._functions is not None:
            self._functions.stop()
        if self._lines is not None:
            self._lines.stop()
        if self._sampler is not None:
            self._sampler.leave()

    def finished(
        self,
        result: ResultT | None,
        exception: BaseException | None = None,
        *,
        waits_count: bool = True,
        plain: PlainRuns | None = None,
    ) -> ExecutionProfile[ResultT]:
        """Return the profile; the measurement is over.

        Args:
            result: what was computed.
            exception: what was raised instead.
            waits_count: whether the time between the steps is part of the time elapsed.
            plain: runs of the same without instruments, where there were any; the time elapsed
                is their median.
        """
        cpu_seconds = time.process_time() - self._cpu_before
        here_seconds = time.thread_time() - self._thread_cpu_before
        after_bytes = resident_bytes()
        if self._sampler is not None:
            self._sampler.stop()
            cpu_seconds = max(cpu_seconds - self._sampler.cpu_seconds, 0.0)
        begun = self._wall_before
        wall = self._step_seconds
        if waits_count and begun is not None:
            wall = self._wall_after - begun
        timings = RunTimings((wall,)) if plain is None else plain.timings
        table = FunctionTable() if self._functions is None else self._functions.table
        peak_mb = self._peak_bytes(after_bytes) / MEBIBYTE
        if plain is not None:
            peak_mb = max(peak_mb, plain.memory_peak_mb)
        self._note_refusals()
        if exception is not None and self._functions is not None:
            self._functions.explain(exception)
        self._note_other_threads(cpu_seconds - here_seconds, cpu_seconds)
        return ExecutionProfile(
            name=self._name,
            result=result,
            elapsed_seconds=timings.median_seconds,
            cpu_seconds=cpu_seconds,
            thread_cpu_seconds=self._thread_cpu_seconds,
            memory_delta_mb=(after_bytes - self._memory_before_bytes) / MEBIBYTE,
            memory_peak_mb=peak_mb,
            gc_collections=_since(self._gc_before),
            profile_stats=table.stats(),
            exception=exception,
            timings=timings,
            notes=tuple(self._notes),
            functions=table,
            stacks={} if self._sampler is None else dict(self._sampler.stacks),
            line_memory=() if self._lines is None else self._lines.table(),
            hottest_functions=self._settings.hottest_functions,
        )

    def _peak_bytes(self, after_bytes: int) -> int:
        peak = max(self._memory_before_bytes, after_bytes)
        if self._sampler is not None:
            peak = max(peak, self._sampler.peak_bytes)
        ever = lifetime_peak_bytes()
        if ever is not None and self._lifetime_peak_bytes is not None:
            # a record of the whole process's life was set meanwhile: that is the peak, exactly
            peak = max(peak, ever) if ever > self._lifetime_peak_bytes else peak
        return peak

    def _note_refusals(self) -> None:
        for recorder in (self._functions, self._lines):
            if recorder is not None and recorder.refused is not None:
                self.note(recorder.refused)

    def _note_other_threads(self, elsewhere_seconds: float, cpu_seconds: float) -> None:
        least = max(_OTHER_THREADS_SECONDS, _OTHER_THREADS_SHARE * cpu_seconds)
        if self._functions is None or elsewhere_seconds < least:
            return
        whose = (
            "from Python 3.12 on cProfile mixes their calls into those of this thread, so that the "
            "functions' times are rough"
            if function_recording.RECORDS_ALL_THREADS
            else "the functions are those of this thread alone"
        )
        self.note(f"other threads used {elsewhere_seconds:.3f} s of the CPU time; {whose}")


def _clocks() -> tuple[float, float]:
    """Return the CPU time of this thread and the time on the wall, in a call that is left out."""
    thread_cpu = time.thread_time()
    return thread_cpu, time.perf_counter()


def _collections() -> tuple[int, ...]:
    return tuple(generation["collections"] for generation in gc.get_stats())


def _since(before: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(now - then for now, then in zip(_collections(), before, strict=True))
