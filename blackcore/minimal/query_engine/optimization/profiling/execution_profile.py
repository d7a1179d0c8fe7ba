"""What one execution took: time, memory, functions, and how to look at them."""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast

from ...errors import ProfileError
from ..plan import shown_time
from . import notebook
from .files import write_whole
from .speedscope import Speedscope

if TYPE_CHECKING:
    import pstats
    from os import PathLike

    from .functions import FunctionKey, FunctionTable
    from .line_memory import FunctionMemory
    from .sampling import Stack
    from .timings import RunTimings

ResultT_co = TypeVar("ResultT_co", covariant=True)

MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class HotFunction:
    """A function, how often it was called, and its seconds: its own, and with what it called."""

    name: str
    file: str
    line: int
    calls: int
    own_seconds: float
    total_seconds: float

    @property
    def place(self) -> str:
        """Where it is: the last parts of the file and the line, or that it is written in C."""
        if self.file == "~":
            return "C"
        return f"{'/'.join(self.file.replace(chr(92), '/').split('/')[-2:])}:{self.line}"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ExecutionProfile(Mapping[str, object], Generic[ResultT_co]):
    """What one execution took. A mapping too: `profile["elapsed_seconds"]`.

    Which figure sees what: memory is the resident memory of the whole process as the operating
    system counts it, so that it sees what Polars and numpy allocate (which Python's own tracemalloc
    does not), and also what other threads do meanwhile; memory given back to the allocator need not
    go back to the system, so a delta can be 0 though much was used. `cpu_seconds` is of all
    threads, `thread_cpu_seconds` of the calling one, in what was measured only. Functions are seen
    as Python calls: the inside of a call into Polars or numpy is one line.

    Attributes:
        name: of what was measured.
        result: what it returned, None where it raised.
        elapsed_seconds: on the wall clock; the median where there were several runs.
        cpu_seconds: of the process, all threads together.
        thread_cpu_seconds: of the thread that ran it.
        memory_delta_mb: resident memory after less before, in mebibytes (1024 * 1024 bytes).
        memory_peak_mb: the most resident memory seen, in mebibytes, of the whole process.
        gc_collections: collections of each generation, the youngest first.
        profile_stats: the functions by cumulative time; empty where none were recorded.
        exception: what it raised.
        timings: of each run.
        notes: what could not be measured, and why.
        functions: the same functions with what called them.
        stacks: seconds by stack, where stacks were sampled.
        line_memory: memory by line of the functions asked for.
        hottest_functions: how many of them are shown.
    """

    name: str
    result: ResultT_co | None
    elapsed_seconds: float
    cpu_seconds: float
    thread_cpu_seconds: float
    memory_delta_mb: float
    memory_peak_mb: float
    gc_collections: tuple[int, ...]
    profile_stats: pstats.Stats
    exception: BaseException | None
    timings: RunTimings
    notes: tuple[str, ...]
    functions: FunctionTable
    stacks: Mapping[Stack, float] = field(default_factory=dict)
    line_memory: tuple[FunctionMemory, ...] = ()
    hottest_functions: int = 10

    def __getitem__(self, key: str) -> object:
        if key not in _KEYS:
            raise KeyError(key)
        return getattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return iter(_KEYS)

    def __len__(self) -> int:
        return len(_KEYS)

    @property
    def value(self) -> ResultT_co:
        """The result.

        Raises:
            ProfileError: it raised instead.
        """
        if self.exception is not None:
            raise ProfileError(
                f"{self.name} raised {type(self.exception).__name__}; there is no result"
            ) from self.exception
        return cast("ResultT_co", self.result)

    def hottest(self, count: int | None = None) -> list[HotFunction]:
        """Return the functions that took most time of their own, the hottest first."""
        found = [
            HotFunction(name, file, line, counts.calls, counts.own_seconds, counts.total_seconds)
            for (file, line, name), counts in self.functions.functions()
        ]
        found.sort(key=lambda function: (-function.own_seconds, function.name))
        return found[: self.hottest_functions if count is None else count]

    def __str__(self) -> str:
        """Return the profile in a few lines."""
        memory = f"memory {self.memory_delta_mb:+.1f} MiB, peak {self.memory_peak_mb:.1f} MiB"
        cpu = shown_time(self.cpu_seconds * 1e9)
        lines = [
            f"{self.name}: {shown_time(self.elapsed_seconds * 1e9)}{self._outcome()}",
            f"CPU {cpu}, {memory}, collections {self.gc_collections}",
        ]
        if len(self.timings) > 1:
            lines.append(str(self.timings))
        lines += [
            f"{shown_time(each.own_seconds * 1e9):>9} own {shown_time(each.total_seconds * 1e9):>9}"
            f" in all {each.calls:7,} x  {each.name}  {each.place}"
            for each in self.hottest()
        ]
        lines += map(str, self.line_memory)
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)

    def _outcome(self) -> str:
        return "" if self.exception is None else f", raised {type(self.exception).__name__}"

    __repr__ = __str__

    def export_pstats(self, path: str | PathLike[str]) -> None:
        """Write the functions for pstats, snakeviz and the like.

        Raises:
            ProfileError: no functions were recorded.
            ExportPathError: the file cannot be written.
        """
        if not self.functions:
            raise ProfileError(f"{self.name} was profiled without functions{self._why_without()}")
        stats = cast("dict[FunctionKey, object]", vars(self.profile_stats)["stats"])
        write_whole(path, marshal.dumps(stats))

    def _why_without(self) -> str:
        return f": {'; '.join(self.notes)}" if self.notes else "; make one with functions=True"

    def speedscope(self) -> Speedscope:
        """Return what was recorded in the form that speedscope opens.

        Sampled stacks come first where there are any, then a call tree made of the functions:
        cProfile keeps times by caller and function only, so a function's time is shared out among
        the ways to it in proportion to the time of its callers.
        """
        document = Speedscope(self.name)
        if self.stacks:
            document.add_stacks(f"{self.name}: sampled stacks", self.stacks)
        if self.functions:
            document.add_functions(f"{self.name}: functions", self.functions)
        return document

    def export_speedscope(self, path: str | PathLike[str]) -> None:
        """Write a file that speedscope (speedscope.app) opens.

        Raises:
            ProfileError: neither stacks nor functions were recorded.
            ExportPathError: the file cannot be written.
        """
        document = self.speedscope()
        if not document:
            raise ProfileError(
                f"{self.name} was profiled without functions and stacks{self._why_without()}"
            )
        write_whole(path, document.to_json())

    def _repr_html_(self) -> str:
        return notebook.execution_html(self)


_KEYS: Final = tuple(each.name for each in fields(ExecutionProfile))
