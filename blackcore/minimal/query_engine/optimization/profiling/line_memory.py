"""Memory line by line, as memory_profiler sees it: what the process held after each line."""

from __future__ import annotations

import inspect
import linecache
import sys
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Protocol, cast

from ...errors import MissingExtraError, ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True, slots=True)
class LineMemory:
    """One line of a function.

    Attributes:
        line: its number in the file.
        text: as written.
        memory_mb: the most resident memory after it, in mebibytes of the whole process.
        increment_mb: by how much more it was than after the line before, over all hits.
        hits: how often it ran; 0 for a line that never did.
    """

    line: int
    text: str
    memory_mb: float
    increment_mb: float
    hits: int


@dataclass(frozen=True, slots=True)
class FunctionMemory:
    """One function's lines."""

    name: str
    file: str
    lines: tuple[LineMemory, ...]

    @property
    def largest(self) -> LineMemory | None:
        """The line after which most was added; None where no line ran."""
        ran = [line for line in self.lines if line.hits]
        return max(ran, key=lambda line: line.increment_mb, default=None)

    def __str__(self) -> str:
        """Return the lines with what they added, in mebibytes."""
        head = f"{self.name} ({self.file})\n{'line':>6} {'MiB':>9} {'added':>9} {'hits':>6}"
        return "\n".join([head, *map(_text, self.lines)])


def _text(line: LineMemory) -> str:
    figures = f"{line.memory_mb:9.1f} {line.increment_mb:9.1f} {line.hits:6}"
    return f"{line.line:6} {figures if line.hits else ' ' * 26}  {line.text}".rstrip()


class _LineProfiler(Protocol):
    """memory_profiler's `LineProfiler`, as far as it is used here."""

    code_map: dict[CodeType, dict[int, tuple[float, float, int]]]

    def enable_by_count(self) -> None: ...
    def disable_by_count(self) -> None: ...


class LineMemoryRecorder:
    """Records the memory after each line of some functions, between `start` and `stop`.

    To be used in one thread; what the functions do in other threads is not seen.

    Attributes:
        refused: why nothing could be recorded; None where it was.

    Raises:
        MissingExtraError: memory_profiler is not installed.
        ProfileError: something among the functions is not written in Python.
    """

    def __init__(self, functions: Iterable[Callable[..., object]]) -> None:
        try:
            from memory_profiler import LineProfiler
        except ImportError as error:
            raise MissingExtraError("line memory", "profile") from error
        self.refused: str | None = None
        self._functions = tuple(map(python_function, functions))
        self._profiler: _LineProfiler = LineProfiler(backend="psutil")
        for function in self._functions:
            _watch(self._profiler, function.__code__)
        self._works = False

    # a tool that measures which lines tests reach traces them, and makes way while this traces:
    # what is marked below runs in tests, unseen by it
    def start(self) -> None:  # pragma: no cover
        """Record from now on."""
        tracer = sys.gettrace()
        if tracer is not None:
            self.refused = (
                f"memory by line was not recorded: a debugger or a coverage tool "
                f"({type(tracer).__name__}) traces this thread already, and Python runs one at a "
                "time"
            )
            return
        self._works = True
        self._profiler.enable_by_count()

    def stop(self) -> None:  # pragma: no cover
        """Record no longer."""
        if self._works:
            self._works = False
            self._profiler.disable_by_count()

    def table(self) -> tuple[FunctionMemory, ...]:
        """Return what was recorded, function by function in the order given."""
        return tuple(_function_memory(self._profiler, each) for each in self._functions)


def python_function(function: object) -> FunctionType:
    """Return the function behind a method or a decorated function.

    Raises:
        ProfileError: there is none written in Python.
    """
    found = inspect.unwrap(cast("Callable[..., object]", function))
    found = getattr(found, "__func__", found)
    if not isinstance(found, FunctionType):
        raise ProfileError(
            f"line_memory was given {function!r}; it takes functions and methods written in Python"
        )
    return found


def _watch(profiler: _LineProfiler, code: CodeType) -> None:
    """Have a function's lines recorded, those of functions inside it too.

    Past `LineProfiler.add_function`, which prints instead of raising, and refuses notebook cells.
    """
    todo = [code]
    lines: dict[int, tuple[float, float, int]] = profiler.code_map.setdefault(code, {})
    while todo:
        inner = todo.pop()
        profiler.code_map[inner] = lines
        todo += [each for each in inner.co_consts if isinstance(each, CodeType)]


def _function_memory(profiler: _LineProfiler, function: FunctionType) -> FunctionMemory:
    code = function.__code__
    measured = profiler.code_map[code]
    last = max([number for _, _, number in code.co_lines() if number], default=0)
    last = max([last, *measured])
    lines = []
    for number in range(code.co_firstlineno, last + 1):
        added, held, hits = measured.get(number, (0.0, 0.0, 0))
        if number == code.co_firstlineno:
            added = 0.0  # the memory from before the call, which no line of it added
        text = linecache.getline(code.co_filename, number).rstrip()
        lines.append(LineMemory(number, text, held, added, hits))
    return FunctionMemory(function.__qualname__, code.co_filename, tuple(lines))
