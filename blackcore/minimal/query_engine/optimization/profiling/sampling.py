"""What a look at the process every few milliseconds shows: resident memory, and stacks."""

from __future__ import annotations

import os
import sys
import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

import psutil

if TYPE_CHECKING:
    from types import FrameType

    from .functions import FunctionKey

Stack: TypeAlias = "tuple[FunctionKey, ...]"
"""Functions, the outermost first."""

WAITING: Final[Stack] = (("~", 0, "(waiting)"),)
"""Stands for the time in which what is measured has handed the thread to others."""


def resident_bytes() -> int:
    """Return the resident memory of this process, Polars' and numpy's included."""
    return _process(os.getpid()).memory_info().rss


@lru_cache(maxsize=1)
def _process(pid: int) -> psutil.Process:
    """Return the process of a number; making one costs more than asking it, and forks have own."""
    return psutil.Process(pid)


def lifetime_peak_bytes() -> int | None:
    """Return the most memory this process ever held, None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class Sampler:
    """A thread that looks at this process until it is stopped.

    It sees what it sees: a peak between two looks is missed, and no look happens while a C call
    holds the interpreter's lock. In code that never waits, Python hands the lock over every 5 ms,
    so that looks come no faster than that.

    Attributes:
        peak_bytes: the most resident memory seen.
        looks: how often it looked.
        cpu_seconds: what looking cost, known once it is stopped.
        stacks: seconds by stack, where these are sampled.
    """

    def __init__(self, *, interval_seconds: float, stacks_of_thread: int | None = None) -> None:
        self.peak_bytes = 0
        self.looks = 0
        self.cpu_seconds = 0.0
        self.stacks: dict[Stack, float] = {}
        self._base_depth: int | None = None
        self._left: float | None = None
        self._interval_seconds = interval_seconds
        self._thread_ident = stacks_of_thread
        self._ended = threading.Event()
        self._last_look = time.perf_counter()
        self._thread = threading.Thread(target=self._run, name="query-profiler", daemon=True)

    def start(self) -> bool:
        """Look from now on; return False where the system has no thread to give."""
        self._last_look = time.perf_counter()
        try:
            self._thread.start()
        except RuntimeError:
            return False
        return True

    def stop(self) -> None:
        """Look no more; the thread has ended when this returns."""
        self._ended.set()
        self._thread.join()

    def let_go(self) -> None:
        """Look no more, without waiting for the thread to end."""
        self._ended.set()

    def enter(self, frame: FrameType | None) -> None:
        """Sample stacks above a frame from now on."""
        now = time.perf_counter()
        if self._left is not None:
            self.stacks[WAITING] = self.stacks.get(WAITING, 0.0) + now - self._left
        self._last_look = now
        self._base_depth = _depth(frame)

    def leave(self) -> None:
        """Book the time until the next `enter` as waiting."""
        self._base_depth = None
        self._left = time.perf_counter()

    def _run(self) -> None:
        while not self._ended.wait(self._interval_seconds):
            self.looks += 1
            if self._thread_ident is not None:
                self._look_at_stack(self._thread_ident)
            self.peak_bytes = max(self.peak_bytes, resident_bytes())
        self.cpu_seconds = time.thread_time()

    def _look_at_stack(self, ident: int) -> None:
        now = time.perf_counter()
        depth = self._base_depth
        frame = sys._current_frames().get(ident)  # noqa: SLF001 - documented; the name is its warning
        stack = () if depth is None else _stack_of(frame, depth)
        if stack:
            self.stacks[stack] = self.stacks.get(stack, 0.0) + now - self._last_look
        self._last_look = now


def _depth(frame: FrameType | None) -> int:
    depth = 0
    while frame is not None:
        depth += 1
        frame = frame.f_back
    return depth


def _stack_of(frame: FrameType | None, base_depth: int) -> Stack:
    """Return the functions above the measurement, the outermost first."""
    functions: list[FunctionKey] = []
    while frame is not None:
        code = frame.f_code
        functions.append((code.co_filename, code.co_firstlineno, code.co_name))
        frame = frame.f_back
    return tuple(functions[: max(len(functions) - base_depth, 0)][::-1])
